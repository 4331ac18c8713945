//! What a valid file means. Nothing here knows YAML or positions in a file.

mod captures;
mod change;
mod exchange;
mod exercise;
mod expectation;
pub mod filter;
mod flood;
mod impairment;
mod matching;
mod members;
mod names;
mod packet;
mod place;
mod process;
mod real_server;
mod requests;
mod setting;
mod steps;
mod tag;
mod topology;
mod tunnel;

pub use captures::{Captures, PointPattern};
pub use change::{NodeChange, RouteTarget};
pub use exchange::{
    DnsQuery, Exchange, ExchangeForm, HttpGet, LoginClose, ServerKind, ServerRequests, TacacsLogin,
    TcpExchange, UdpExchange,
};
pub use exercise::{Exercise, LearningGoal, Misconception, NamedCause, Tempting};
pub use expectation::{
    CapturePoint, Check, Count, DEVICE_COUNTERS, DelayBounds, Expectation, FrameMatch, IcmpMatch,
    OuterMatch, PathCheck, PathPoint, PointNode,
};
pub use flood::Flood;
pub use impairment::{Impairment, Percent};
pub use matching::{AddressMatch, TcpFlags};
pub use members::{MemberChange, MemberState, MemberUpdate, settings_text};
pub use names::{
    FilterName, InterfaceName, NodeName, ProcessName, ScenarioName, SegmentName, StepName,
};
pub use packet::{CraftedHeader, CraftedPacket, IpOption};
pub use place::Place;
pub use process::{FOLDER, Process, ProcessStart, Program, Readiness, Run};
pub use real_server::{
    Listen, RadiusServer, RealServer, RouteMetrics, Scope, Service, ServiceForm, TacacsServer,
    TacacsService, VipAddress,
};
pub use requests::{
    AccountingRecord, LoginMethod, LoginResult, RadiusQuestion, RadiusRequest, TcpTransfer,
};
pub use setting::Setting;
pub use steps::{Step, StepAction};
pub use tag::Tag;
pub use topology::{Attachment, Interface, Link, Node, Route, Segment, Topology};
pub use tunnel::TunnelDevice;

pub use labsim_model::{
    ActionOnDown, AdminState, Close, Direction, FailoverState, FastL4, GreOptions, GueOptions,
    IpProtocol, LoadBalancer, LoadBalancingMode, Maglev, MaglevHash, Member, Monitor, MonitorKind,
    OuterSource, Payload, Persistence, Pool, Profile, PvaAcceleration, RecordType, Secret,
    SourceAddress, SourceTranslation, TcpForm, TunnelKind, TunnelProtocol, UdpForm, VirtualServer,
};

use std::collections::{BTreeMap, BTreeSet};

/// One scenario file and the topology that it names, valid as a whole.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's name without its ending; names the folder of its results.
    pub name: ScenarioName,
    /// The words to select it by; at most 16.
    pub tags: BTreeSet<Tag>,
    /// Nodes, links, segments, routes, sysctls.
    pub topology: Topology,
    /// The load balancers, by the node that each runs in.
    pub load_balancers: BTreeMap<NodeName, LoadBalancer>,
    /// What makes a node a real server: tunnel, VIP, sysctls.
    pub real_servers: BTreeMap<NodeName, RealServer>,
    /// The TACACS+ servers, by the node that each runs in.
    pub tacacs_servers: BTreeMap<NodeName, TacacsServer>,
    /// The RADIUS servers, by the node that each runs in.
    pub radius_servers: BTreeMap<NodeName, RadiusServer>,
    /// The servers of other services, by the node that they run in.
    pub services: BTreeMap<NodeName, Vec<Service>>,
    /// Packet filters of nodes, in the file's order.
    pub filters: Vec<filter::Filter>,
    /// What links do to frames, by the interface that sends them. Never `lo`.
    pub impairments: BTreeMap<Attachment, Impairment>,
    /// Programs of the user's that run beside the steps, in the order in which they are started.
    pub processes: Vec<Process>,
    /// Which frames are captured.
    pub captures: Captures,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must have been observed, in the file's order.
    pub expectations: Vec<Expectation>,
}

impl Scenario {
    /// The nodes with built-in servers.
    #[must_use]
    pub fn serving_nodes(&self) -> BTreeSet<&NodeName> {
        let aaa = self.tacacs_servers.keys().chain(self.radius_servers.keys());
        aaa.chain(self.services.keys()).collect()
    }

    /// The first node with an IPv6 address: one of its interfaces', or a VIP.
    #[must_use]
    pub fn node_with_ipv6(&self) -> Option<&NodeName> {
        let of_interfaces = self.topology.nodes.iter().filter(|node| {
            let mut addresses = node.interfaces.iter().flat_map(|it| &it.addresses);
            addresses.any(|net| net.addr().is_ipv6())
        });
        let balancers = self.load_balancers.iter().filter(|(_, balancer)| {
            let mut servers = balancer.virtual_servers.values();
            servers.any(|server| server.destination.is_ipv6())
        });
        of_interfaces.map(|node| &node.name).chain(balancers.map(|(node, _)| node)).next()
    }
}
