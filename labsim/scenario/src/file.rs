//! The two file formats as they are written: every scalar with its place, nothing resolved.
//!
//! These types are also the source of the JSON Schemas: their doc comments are what an editor
//! shows. They hold as much as can be read, so that [`crate::resolve`] sees a whole file and can
//! report everything that is wrong with it at once.

mod captures;
mod changes;
mod exchanges;
mod exercise;
mod expectation;
mod filters;
mod flood;
mod forms;
mod impairments;
mod packet;
mod processes;
mod scenario;
mod servers;
mod steps;
mod topology;

pub(crate) use captures::*;
pub(crate) use changes::*;
pub(crate) use exchanges::*;
pub(crate) use exercise::*;
pub(crate) use expectation::*;
pub(crate) use filters::*;
pub(crate) use flood::*;
pub(crate) use forms::*;
pub(crate) use impairments::*;
pub(crate) use packet::*;
pub(crate) use processes::*;
pub(crate) use scenario::*;
pub(crate) use servers::*;
pub(crate) use steps::*;
pub(crate) use topology::*;
