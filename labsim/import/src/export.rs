//! The other way: commands, stanzas and files that make real devices and containers like those of a
//! scenario.

mod containerlab;
mod f5;
mod linux;

pub use containerlab::{ContainerlabOptions, containerlab};
pub use f5::f5;
pub use linux::linux;
