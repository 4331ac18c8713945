//! Operates a forwarder while packets flow: requests and answers, a line of JSON each, over the
//! standard streams of whoever started it and over a Unix socket; metrics over HTTP.
//!
//! Everything here runs on threads of its own. The forwarder's thread sees nothing of a client but
//! an order between two turns of packets ([`labsim_dataplane::forwarder::Handle`]), so a slow or
//! hostile one cannot hold packets up. Clients are few, lines and waits are bounded.

#![forbid(unsafe_code)]

mod address;
mod client;
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
pub use metrics::{CONTENT_TYPE, Exposed, metrics};
pub use operator::{ConfigFile, Operator};
pub use protocol::{Answer, LONGEST_LINE, MemberName, MemberRatio, Request, Status};
pub use service::{Hangups, serve_listener, serve_metrics, serve_stream};
