//! The requests that a lab is built of.

pub(crate) mod netem;
pub(crate) mod request;
pub(crate) mod tunnel;
