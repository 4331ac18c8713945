//! The other way: commands and stanzas that make real devices like those of a scenario.

mod f5;
mod linux;

pub use f5::f5;
pub use linux::linux;
