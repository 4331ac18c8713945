//! Which of the found scenarios run. Pure: what is known of a scenario comes in as a [`Candidate`].
//!
//! A filter expression combines predicates, in the manner of nextest's:
//!
//! | | |
//! |---|---|
//! | `name(GLOB)` or `GLOB` | the scenario's name, or its path below the named folder if the pattern has a `/` |
//! | `tag(GLOB)` | one of the scenario's tags |
//! | `file(GLOB)` | the file's path as it was found, or below the named folder; `*` stops at `/`, `**` does not |
//! | `all()`, `none()` | every scenario, no scenario |
//! | `!a`, `not a` | not `a` |
//! | `a & b`, `a and b` | both |
//! | `a - b` | `a` and not `b` |
//! | `a \| b`, `a or b` | at least one |
//!
//! `!` binds closest, then `&` and `-`, then `|`; parentheses group. The tags of a file that is not
//! valid are not known: if they would decide, the file is selected, so that its errors are reported.

#![forbid(unsafe_code)]

mod filter;
mod id;
mod parse;
mod pattern;
mod selection;

pub use filter::{Candidate, Filter};
pub use id::{FoundFile, assign_ids};
pub use parse::FilterError;
pub use pattern::{NamePattern, PatternError};
pub use selection::Selection;
