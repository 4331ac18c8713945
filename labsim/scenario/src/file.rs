//! The two file formats as they are written: every scalar with its place, nothing resolved.
//!
//! These types are also the source of the JSON Schemas: their doc comments are what an editor
//! shows. They hold as much as can be read, so that [`crate::resolve`] sees a whole file and can
//! report everything that is wrong with it at once.

mod expectation;
mod forms;
mod impairments;
mod lenient;
mod load_balancer;
mod monitor;
mod packet;
mod processes;
mod scenario;
mod servers;
mod steps;
mod structure;
mod topology;

pub(crate) use expectation::*;
pub(crate) use forms::{Items, Scalar, Table, Texts};
pub(crate) use impairments::*;
pub(crate) use lenient::{Losses, Read, read};
pub(crate) use load_balancer::*;
pub(crate) use monitor::*;
pub(crate) use packet::*;
pub(crate) use processes::*;
pub(crate) use scenario::*;
pub(crate) use servers::*;
pub(crate) use steps::*;
pub(crate) use topology::*;
