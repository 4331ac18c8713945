//! The two file formats as they are written: every scalar with its place, nothing resolved.
//!
//! These types are also the source of the JSON Schemas: their doc comments are what an editor
//! shows. They read as much as they can, so that [`crate::resolve`] sees a whole file and can
//! report everything that is wrong with it at once.

mod expectation;
mod forms;
mod scenario;
mod topology;

pub(crate) use expectation::*;
pub(crate) use forms::{Scalar, Table, Texts};
pub(crate) use scenario::*;
pub(crate) use topology::*;
