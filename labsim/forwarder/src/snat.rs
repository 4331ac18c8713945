//! Source address translation: allocation of SNAT addresses and ports, and the flows of replies.
//!
//! A port is a flow's alone on its address and protocol, whatever the member: what comes back can
//! never be two flows'. Everything is found in constant time, and nothing is allocated after the
//! start.

mod ports;
mod table;

pub(crate) use table::{SnatAddress, Table};
