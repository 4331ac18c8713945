//! Source address translation: which address and port stand in for a client's, and whose answer
//! a packet to them is.
//!
//! A port is a flow's alone on its address and protocol, whatever the member: what comes back can
//! never be two flows'. Everything is found in constant time, and nothing is allocated after the
//! start.

mod ports;
mod table;

pub(crate) use table::{Address, Table};
