//! Reads YAML into serde types and reports every mistake at once, each with its place.
//!
//! ```
//! #[derive(serde::Deserialize)]
//! struct Pool {
//!     members: Vec<String>,
//!     monitor: Option<String>,
//! }
//!
//! let source = labsim_yaml::Source::new("pool.yaml", "member: [rs1]\nmonitor: 5\n");
//! let mistakes = labsim_yaml::read::<Pool>(&source).err().expect("two mistakes");
//! assert!(mistakes.to_string().starts_with(
//!     "pool.yaml:1:1: unknown key `member`; did you mean `members`?"
//! ));
//! ```
//!
//! What is accepted, beyond what the wanted type says:
//!
//! | | |
//! |---|---|
//! | text | UTF-8, at most 1 MiB, without NUL; a byte-order mark is skipped; LF, CR LF or CR |
//! | documents | exactly one |
//! | nesting | at most 64 levels |
//! | keys | scalars; every key once; unknown keys are mistakes even without `deny_unknown_fields` |
//! | booleans | `true` and `false` only |
//! | whole numbers | decimal without leading zeros, `0x…`, `0o…`; the range of the wanted type |
//! | text values | a plain scalar is its own text: `0123`, `no`, `1.0` need no quotes; `null` does |
//! | nothing | `null` or `~` where a value may be left out; an empty value is a mistake |
//! | anchors, aliases | yes, as long as they add at most 10 000 values |
//! | merge keys `<<`, tags | refused |
//! | several files | only by [`Document`]: a file names another one by `extends` |
//!
//! Externally tagged enums, `Option`, maps, tuples and [`Located`] keep their places exactly, and
//! so do types that take text or a mapping: a visitor of `deserialize_any` whose `visit_map` reads
//! a derived structure by serde's `MapAccessDeserializer`. What such a visitor's `expecting` says
//! is what a person is told ("expected …"). `#[serde(untagged)]`, internally tagged enums and
//! `flatten` work, but serde buffers their content: mistakes inside are placed at the whole value,
//! and a [`Located`] has no place. `#[serde(other)]` variants are not reached.
//!
//! A message shows the line of its place, and with it a password that stands there.

#![forbid(unsafe_code)]

mod deserializer;
mod document;
mod failure;
mod located;
mod mistake;
mod notes;
mod overlay;
mod parse;
mod place;
mod read;
mod run;
mod scalar;
mod source;
mod stand_in;
mod syntax;
mod tree;
mod words;

pub use document::Document;
pub use located::Located;
pub use mistake::{Mistake, Mistakes, mistake};
pub use place::Span;
pub use read::{Lost, Partial, read, read_partly};
pub use source::{SIZE_LIMIT, Source};
