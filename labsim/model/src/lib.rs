//! The vocabulary that labsim's crates share, each thing declared once. No I/O.
//!
//! [`LoadBalancer`] is what a scenario has at `load_balancers.NODE`, and together with an interface
//! and bounds of tables it is a forwarder's file ([`ForwarderConfig`]): one set of keys, defaults
//! and checks. Its documentation is the JSON Schema's.

#![forbid(unsafe_code)]

mod check;
mod destination;
mod direction;
mod endpoint;
mod forwarder;
pub mod ipvs;
mod load_balancer;
pub mod node_state;
pub mod outcome;
mod probe_sources;
mod problem;
mod quantity;
mod random;
mod secret;
pub mod server_log;
mod service;
mod text;
mod tunnel;

pub use check::unicast_error;
pub use destination::{Destination, PortRange, Ports};
pub use direction::Direction;
pub use endpoint::{is_unread, parse_endpoint};
pub use forwarder::{ForwarderConfig, Limits, SnatPorts};
pub use load_balancer::{
    ActionOnDown, AdminState, Announcements, DeliberateFault, Engine, FAST_PATH_DEVICE,
    FailoverState, FastL4, IpProtocol, LoadBalancer, LoadBalancingMode, Maglev, MaglevHash, Member,
    Monitor, MonitorKind, MonitoredMember, OuterSource, Persistence, Pool, PvaAcceleration,
    SourceAddress, SourceTranslation, VirtualServer, is_fast_path_device,
};
pub use node_state::{NodeState, StatePart};
pub use outcome::Outcome;
pub use probe_sources::ProbeSources;
pub use problem::{KeyPath, Problem};
pub use quantity::{parse_age, parse_number_with_unit, parse_time};
pub use random::Random;
pub use secret::{Secret, constant_time_eq};
pub use service::{
    Addresses, BytesAnswer, Close, HttpAnswer, Payload, RecordType, TcpForm, UdpForm,
};
pub use text::{count_of, is_plain, known_names, list_of, printable, quote};
pub use tunnel::{GreOptions, GueOptions, Profile, TunnelKind, TunnelProtocol};
