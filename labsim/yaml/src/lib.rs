//! Reads YAML into types in one pass and reports every error at once, each with its place.
//!
//! ```
//! #[derive(labsim_yaml::FromYaml)]
//! struct Pool {
//!     members: Vec<String>,
//!     monitor: Option<String>,
//! }
//!
//! let source = labsim_yaml::Source::new("pool.yaml", "member: [rs1]\nmonitor: []\n");
//! let errors = labsim_yaml::read::<Pool>(&source).err().expect("two errors");
//! assert!(errors.to_string().starts_with(
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
//! | keys | scalars; every key once; unknown keys are errors |
//! | booleans | `true` and `false` only |
//! | whole numbers | decimal without leading zeros, `0x…`, `0o…`; the range of the wanted type |
//! | text values | a plain scalar is its own text: `0123`, `no`, `1.0` need no quotes; `null` does |
//! | no value | `null` or `~` where a value may be left out; an empty value is an error |
//! | anchors, aliases | yes, as long as they add at most 10 000 values |
//! | merge keys `<<`, tags | refused |
//! | several files | only by [`Document`]: a file names another one by `extends` |
//!
//! # `#[derive(FromYaml)]`
//!
//! The shape of a type is declared once, in serde's attributes, which `JsonSchema` and `Serialize`
//! read as well:
//!
//! | type | is read from |
//! |---|---|
//! | struct with named fields | a map. `rename`, `rename_all`, `default` (of a field with or without a function, of the type), `flatten`, `skip` |
//! | struct with one unnamed field | what the field is read from |
//! | enum | a word, or a map of one word and its value: variants have one value or none. `rename`, `rename_all` |
//! | enum with `untagged` | a scalar, a list or a map: the first variant whose type accepts that form |
//! | any type with `from` or `try_from` | what the other type is read from; the error of `try_from` is the message |
//!
//! What serde has no attribute for has attributes of its own:
//!
//! | attribute | of | meaning |
//! |---|---|---|
//! | `#[yaml(short = "field")]` | struct | may also be written as that field's value; the others take their defaults |
//! | `#[yaml(bare)]` | variant with a value | its word may stand alone: the value is the default |
//! | `#[yaml(placeholder)]` | variant without a value | stands in place of a wrong word, for the checks that follow |
//! | `#[yaml(renamed(old = "new"))]` | struct | `old` is an unknown key, and the message names `new` |
//! | `#[yaml(with = "Type")]` | field | is read as that type, and converted by `From` |
//!
//! The first two change the JSON Schema: add `#[schemars(transform =
//! labsim_yaml::short_forms::<Self>)]`. Other types implement [`FromYaml`] by hand, with the
//! methods of [`Context`].
//!
//! A message shows the line of its place, and with it a password that stands there.

#![forbid(unsafe_code)]

// What `#[derive(FromYaml)]` writes names this crate, here as elsewhere.
extern crate self as labsim_yaml;

mod collector;
mod compare;
mod context;
mod diagnostic;
mod document;
mod fields;
mod folder;
mod from_yaml;
mod located;
mod messages;
mod node;
mod overlay;
mod parse;
mod part;
mod path;
mod place;
mod read;
mod scalar;
mod short_forms;
mod show;
mod source;
mod syntax;
mod table;
mod tree;
mod variants;

pub use compare::Difference;
pub use context::{Context, Omitted};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use document::Document;
pub use folder::{BuiltIn, Sources};
pub use from_yaml::{FromFields, FromYaml};
pub use labsim_yaml_derive::FromYaml;
pub use located::Located;
pub use messages::meant;
pub use node::{Forms, Node};
pub use part::Part;
pub use place::Span;
pub use read::{Partial, read};
pub use short_forms::{ShortForms, short_forms};
pub use show::relative;
pub use source::{SIZE_LIMIT, Source};
pub use table::{Scalar, Table};

// For what `#[derive(FromYaml)]` writes.
#[doc(hidden)]
pub use fields::{Fields, Keys, field_placeholder};
#[doc(hidden)]
pub use messages::{either, one_of};
#[doc(hidden)]
pub use node::Alternative;
#[doc(hidden)]
pub use variants::{Variant, variant_value};
