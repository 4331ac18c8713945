//! What must have been observed.

use super::{
    AddressMatch, Direction, FilterName, InterfaceName, LoginResult, NodeName, Place, StepName,
    TcpFlags,
};
use labsim_codes::Code;
use std::net::IpAddr;
use std::time::Duration;

/// One expectation with its two sentences.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Unique in the scenario: the key in the file.
    pub name: String,
    /// Message if the check passes.
    pub pass: String,
    /// Message if the check fails.
    pub fail: String,
    /// Its place in the file.
    pub place: Place,
    /// What is checked.
    pub check: Check,
}

/// What is checked.
#[derive(Debug, Clone)]
pub enum Check {
    /// How every login or request of a step ended, and the source address of every packet that
    /// answered it.
    Answer {
        /// The step.
        step: StepName,
        /// How all of them must have ended.
        result: LoginResult,
        /// The source that the client must have seen, if it matters.
        source: Option<IpAddr>,
    },
    /// The client address that the server's own log shows for the step.
    ServerSaw {
        /// A login step.
        step: StepName,
        /// The address.
        client: IpAddr,
    },
    /// Which real server answered: one of these.
    AnsweredBy {
        /// A login step.
        step: StepName,
        /// At least one.
        nodes: Vec<NodeName>,
    },
    /// Which real servers answered a step's logins, and how many each: every login exactly one,
    /// with all of its packets.
    Distribution {
        /// A login step.
        step: StepName,
        /// The servers; no other may have answered.
        nodes: Vec<NodeName>,
        /// How many logins each of them must have answered at least.
        at_least: u64,
    },
    /// The first cause that the diagnosis of a step shows. The step may fail for this cause.
    Diagnosis {
        /// A step that sends requests to a server, runs a program, or waits for something.
        step: StepName,
        /// One of [`labsim_codes::cause`].
        cause: Code,
        /// The node that it is at, if that matters.
        node: Option<NodeName>,
    },
    /// A counter of a forwarder at the end.
    Forwarder {
        /// The load balancer.
        node: NodeName,
        /// Its name as the forwarder shows it: an outcome (`no_flow`) or `flows.timed_out`.
        counter: String,
        /// What it must be.
        count: Count,
    },
    /// A counter of a node's kernel: by how much it rose.
    Kernel {
        /// The node.
        node: NodeName,
        /// Its tunnel device, if it is the device's counter.
        device: Option<InterfaceName>,
        /// Its name: nstat(8)'s, or one of [`DEVICE_COUNTERS`].
        counter: String,
        /// What it must be.
        count: Count,
    },
    /// Packets that a filter dropped.
    Filter {
        /// The filter.
        filter: FilterName,
        /// One of its nodes; all of them together without it.
        node: Option<NodeName>,
        /// How many, rejected ones among them.
        dropped: Count,
    },
    /// Frames of one kind at one point, counted.
    Frames {
        /// Where.
        at: CapturePoint,
        /// Which.
        matching: FrameMatch,
        /// How many.
        count: Count,
    },
    /// All frames of one step's flow at one point, in order: these and no others.
    Exchange {
        /// Where.
        at: CapturePoint,
        /// A login step; its flow is matched by the innermost addresses and ports.
        step: StepName,
        /// Only frames that came in, or went out, at this point.
        direction: Option<Direction>,
        /// One a frame.
        frames: Vec<FrameMatch>,
    },
    /// Delay, loss, duplicates and reordering of packets between two points.
    Path(Box<PathCheck>),
}

/// Delay, loss, duplicates and reordering of packets from one point to another. At least one of the
/// last four is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathCheck {
    /// The first point.
    pub from: PathPoint,
    /// The second point.
    pub to: PathPoint,
    /// Filter for packets at the first point.
    pub matching: FrameMatch,
    /// Delay of each packet that arrived.
    pub delay: Option<DelayBounds>,
    /// Number of packets that never arrived.
    pub lost: Option<Count>,
    /// Number of additional copies that arrived.
    pub duplicates: Option<Count>,
    /// Number of packets that arrived after one that was sent later.
    pub reordered: Option<Count>,
}

/// A named interface, and the way in which frames pass it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPoint {
    /// The node.
    pub node: NodeName,
    /// Its interface, `lo` and tunnel devices among them.
    pub interface: InterfaceName,
    /// In or out.
    pub direction: Direction,
}

/// Bounds of a time; at least one of them is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayBounds {
    /// Not less than this.
    pub at_least: Option<Duration>,
    /// Not more than this.
    pub at_most: Option<Duration>,
}

/// The names of a device's counters.
pub const DEVICE_COUNTERS: [&str; 10] = [
    "rx_packets",
    "rx_bytes",
    "rx_errors",
    "rx_dropped",
    "rx_fifo",
    "rx_frame",
    "tx_packets",
    "tx_bytes",
    "tx_errors",
    "tx_dropped",
];

/// An interface whose frames are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturePoint {
    /// The node.
    pub node: PointNode,
    /// Its interface, `lo` and tunnel devices among them.
    pub interface: InterfaceName,
}

/// The node of a capture point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointNode {
    /// That node.
    Named(NodeName),
    /// The real server that answered this step (written `real_server` in a file).
    RealServerOf(StepName),
}

/// How many frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly that many; 0 is believed only if the point was alive before and after.
    Exactly(u64),
    /// That many or more.
    AtLeast(u64),
    /// Not fewer than the first and not more than the second; believed only if the point was
    /// alive before and after.
    Between(u64, u64),
}

impl Count {
    /// Whether a number is one of those.
    #[must_use]
    pub fn holds(self, number: u64) -> bool {
        match self {
            Self::Exactly(wanted) => number == wanted,
            Self::AtLeast(least) => number >= least,
            Self::Between(least, most) => (least..=most).contains(&number),
        }
    }
}

/// `3`, `at least 3`, `3 to 5`, `at most 5`.
impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(number) => write!(f, "{number}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Between(0, most) => write!(f, "at most {most}"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// A frame's header fields; `None` matches anything. Fields outside of `outer` are the innermost IP
/// packet's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameMatch {
    /// In or out at the capture point.
    pub direction: Option<Direction>,
    /// Source address.
    pub source: Option<AddressMatch>,
    /// Destination address.
    pub destination: Option<AddressMatch>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// The IP packet's length in bytes, its header included.
    pub length: Option<u32>,
    /// TOS or traffic class.
    pub tos: Option<u8>,
    /// IPv4's don't-fragment bit.
    pub dont_fragment: Option<bool>,
    /// Exactly these TCP flags, as tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R.`.
    pub flags: Option<TcpFlags>,
    /// Sequence number relative to the flow's first, as tcpdump shows it.
    pub sequence: Option<u32>,
    /// Acknowledgement number relative to the other side's first sequence number.
    pub acknowledgement: Option<u32>,
    /// Bytes of TCP or UDP payload.
    pub payload: Option<u32>,
    /// An ICMP message.
    pub icmp: Option<IcmpMatch>,
    /// The outer header; `Some(None)` demands that there is none.
    pub outer: Option<Option<OuterMatch>>,
}

/// The outermost IP header of a tunnelled packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OuterMatch {
    /// Source address.
    pub source: Option<AddressMatch>,
    /// Destination address.
    pub destination: Option<AddressMatch>,
    /// IP protocol number: 4 for IPIP.
    pub protocol: Option<u8>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// The whole packet's length in bytes.
    pub length: Option<u32>,
    /// TOS or traffic class.
    pub tos: Option<u8>,
    /// IPv4's don't-fragment bit.
    pub dont_fragment: Option<bool>,
}

/// ICMP type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpMatch {
    /// The type.
    pub kind: u8,
    /// The code, if it matters.
    pub code: Option<u8>,
}
