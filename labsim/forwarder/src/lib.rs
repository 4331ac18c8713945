//! The load balancer as a pure machine: a frame and a time go in, frames and a named outcome come
//! out. No socket, no clock, and on a packet's path no lock and no allocation.
#![forbid(unsafe_code)]

mod checked_config;
mod counters;
mod engine;
mod flow;
mod fragment;
mod neighbour;
mod offload;
mod packet_slots;
mod persistence;
mod port;
mod rate_limit;
mod scheduler;
mod snat;
mod time;
mod transmit;
mod tunnel_header;

pub use checked_config::{Changes, CheckedConfig};
pub use counters::{
    AnswerCounters, Counters, FlowCounters, FragmentCounters, MemberCounters, NeighbourCounters,
    PersistenceCounters, ServerCounters, SnatCounters, Tally,
};
pub use engine::{Engine, Kept, MirroredFlow, MirroredFlows, RxFilter, Service};
pub use labsim_model::Outcome;
pub use offload::{
    FlowUse, Offload, OffloadCounters, OffloadDirection, OffloadKey, OffloadPath, OffloadTunnel,
    OffloadedFlow,
};
pub use port::{HostRoute, Port, Route};
pub use time::Instant;
pub use transmit::Transmit;
pub use tunnel_header::TunnelHeader;

pub use labsim_model::{
    ActionOnDown, AdminState, Announcements, DeliberateFault, Destination, FailoverState, FastL4,
    ForwarderConfig as Config, GreOptions, IpProtocol, KeyPath, Limits, LoadBalancer,
    LoadBalancingMode, Maglev, MaglevHash, Member, Monitor, MonitorKind, MonitoredMember,
    OuterSource, Persistence, Pool, PortRange, Ports, Problem, Profile, PvaAcceleration, SnatPorts,
    SourceAddress, SourceTranslation, TunnelProtocol, VirtualServer,
};
