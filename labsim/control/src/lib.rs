//! Operates a running forwarder: requests and answers, one line of JSON each, over the standard
//! streams and over a Unix socket; metrics over HTTP.
//!
//! Everything here runs on threads of its own. The forwarder's thread only receives commands
//! between batches of packets ([`labsim_dataplane::forwarder::Handle`]), so a slow or hostile
//! client cannot delay packets. The number of clients, lines and waits are bounded.

#![forbid(unsafe_code)]

mod address;
mod client;
mod connections;
mod edit;
mod http;
mod line;
mod listener;
mod metrics;
mod operator;
mod protocol;
mod service;

pub use address::Address;
pub use client::{AskError, ask};
pub use listener::{BindError, Listener, SocketFile};
pub use metrics::{CONTENT_TYPE, MetricsSource, metrics};
pub use operator::{ConfigFile, Operator};
pub use protocol::{
    Answer, KernelPart, LONGEST_LINE, MemberName, MemberSettings, NewMember, Request, Status,
};
pub use service::{SighupListener, serve_listener, serve_metrics, serve_stream};
