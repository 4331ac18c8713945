//! What a valid file means. Nothing here knows YAML or positions in a file.

mod expectation;
mod impairment;
mod load_balancer;
mod matching;
mod monitor;
mod names;
mod packet;
mod process;
mod real_server;
mod steps;
mod topology;
mod tunnel;

pub use expectation::{
    CapturePoint, Check, Count, Crossing, DEVICE_COUNTERS, DelayBounds, Direction, Expectation,
    FrameMatch, IcmpMatch, OuterMatch, Passage, Place, PointNode,
};
pub use impairment::{Impairment, Percent};
pub use load_balancer::{
    Encapsulation, FastL4, GreOptions, IpProtocol, LoadBalancer, LoadBalancingMode, Maglev,
    MaglevHash, Member, OuterSource, Pool, SourceAddressPersistence, SourceTranslation,
    VirtualServer,
};
pub use matching::{AddressMatch, TcpFlags};
pub use monitor::{ActionOnDown, Monitor, MonitorKind};
pub use names::{InterfaceName, NodeName, ProcessName, ScenarioName, Secret, StepName};
pub use packet::{MadeHeader, MadePacket};
pub use process::{FOLDER, Process, Program, Readiness, Run};
pub use real_server::{RadiusServer, RealServer, TacacsServer, VipAddress};
pub use steps::{
    AccountingRecord, LoginClose, LoginMethod, LoginResult, MemberChange, MemberFate, MemberState,
    RadiusQuestion, RadiusRequest, Step, StepAction, TacacsLogin,
};
pub use topology::{Attachment, Interface, Link, Node, Route, Segment, Topology};
pub use tunnel::{TunnelDevice, TunnelKind, TunnelProtocol};

use std::collections::BTreeMap;

/// One scenario file and the topology that it names, valid as a whole.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's name without its ending; names the folder of its results.
    pub name: ScenarioName,
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
    /// What links do to frames, by the interface that sends them. Never `lo`.
    pub impairments: BTreeMap<Attachment, Impairment>,
    /// Programs of the user's that run beside the steps, in the order in which they are started.
    pub processes: Vec<Process>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must have been observed, in the file's order.
    pub expectations: Vec<Expectation>,
}
