//! Captures of one connection at several points, whose clocks disagree. Pure.
//!
//! [`Matching`] finds packets that were seen at several points, by what no tunnel and no router changes.
//! [`Clocks`] bounds the difference of every two clocks, and finds out which point packets passed first.
//! [`Trace::explain`] tells of every connection what happened to it, and what became of it as far as that is
//! shown: an [`Explanation`], which [`Text`] prints, and [`Ticket`] in
//! short. [`Trace::axis`] says how all times are put on one [`Axis`].

#![forbid(unsafe_code)]

mod absence;
mod axis;
mod bypass;
mod clock_faults;
mod clock_rates;
mod clocks;
mod configuration;
mod configured;
mod connection;
mod datagrams;
mod devices;
mod differences;
mod document;
mod exchange;
mod explanation;
mod finding;
mod given;
mod known;
mod matching;
mod redact;
mod roles;
mod segment;
mod selected;
mod sentence;
mod sessions;
mod story;
mod survey;
mod text;
mod ticket;
mod trace;
mod tunnel;
mod verdict;
mod way;

pub use axis::{Axis, Correction};
pub use clocks::{Bounds, Clocks, Contradiction};
pub use configuration::{Configuration, Host};
pub use connection::{KnownBy, Protocol};
pub use differences::ClockDifference;
pub use document::{ConnectionReport, Explanation, PointReport, Routers, WayPoint};
pub use explanation::{MAX_CONNECTIONS, MAX_ERRORS_EXAMINED, icmp_error};
pub use finding::{Finding, Findings};
pub use matching::{Matching, Seen};
pub use redact::Redaction;
pub use segment::{Segment, Sighting};
pub use sentence::{Place, Sentence};
pub use survey::{MAX_FLOWS, Selection, Survey};
pub use text::Text;
pub use ticket::Ticket;
pub use trace::{
    Claim, Clock, Days, MAX_CLAIMS, MAX_POINTS, MAX_ROWS, Point, Role, Row, Trace, Unit, Vip,
};
pub use tunnel::Tunnel;
pub use verdict::{Kind, Verdict};
