//! A run as one HTML page that opens by double click: what was proved or what is wrong, then for each
//! scenario the picture of its lab, the way of its packets through the nodes, steps, expectations, server
//! logs, and what the machine did.
//!
//! The page makes no request; its content security policy allows nothing but its own styles and its script,
//! which adds the walk of a packet from hop to hop, a filter, themes and links. Without the script everything
//! else is there. Every text of a file, a log or a packet is escaped. Everything that a run can fill is bounded,
//! and what is left out is counted.

#![forbid(unsafe_code)]

mod arrows;
mod comparison;
mod configurations;
mod data;
mod details;
mod document;
mod flows;
mod hops;
mod html;
mod ladder;
mod packed;
mod scenario;
mod script;
mod sink;
mod style;
mod tables;
mod way;

pub use comparison::{ComparedRuns, ComparisonPage};
pub use configurations::Configurations;
pub use sink::{PageError, PageFile};
pub use tables::{Table, tables_page};
pub use way::{packet_way, step_way};
