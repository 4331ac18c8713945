//! Linux Virtual Server: the table of IPVS as ipvsadm(8) writes it, and keepalived.conf(5).
//!
//! Both configure the same kernel: what a service, a server, a scheduler and a tunnel mean is here once.

pub mod ipvs;
pub mod keepalived;
mod scheduler;
mod service;
mod timeouts;
mod tunnel;
mod words;
