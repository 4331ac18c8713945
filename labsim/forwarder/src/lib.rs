//! The load balancer as a pure machine: a frame and a time go in, frames and a named outcome come
//! out. No socket, no clock, and on a packet's path no lock and no allocation.
#![forbid(unsafe_code)]

mod config;
mod counters;
mod engine;
mod flow;
mod fragment;
mod limit;
mod neighbour;
mod outcome;
mod persistence;
mod plan;
mod port;
mod rooms;
mod scheduler;
mod snat;
mod time;
mod transmit;

pub use config::{
    Config, FastL4, Gre, IpProtocol, Limits, LoadBalancingMode, Maglev, MaglevHash, Member,
    OuterSource, Persistence, Pool, Problem, Profile, SnatPorts, SourceAddress, SourceTranslation,
    VirtualServer,
};
pub use counters::{
    AnswerCounters, Counters, FlowCounters, FragmentCounters, MemberCounters, NeighbourCounters,
    PersistenceCounters, ServerCounters, SnatCounters, Tally,
};
pub use engine::{Engine, Takes};
pub use outcome::Outcome;
pub use plan::{Changes, Plan};
pub use port::{Port, Route};
pub use time::Instant;
pub use transmit::Transmit;
