//! The document's lab in motion: packets go from point to point as they would.

use crate::scenario::{interface, node, step};
use crate::wire::{self, Segment};
use labsim_scenario::model::{Direction, LoginResult};
use labsim_verdict::{
    Attempt, Capture, FrameView, Liveness, Observations, PointId, ServerEntry, StepObservation,
};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::ethertype;
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, protocol};
use std::net::{Ipv4Addr, SocketAddrV4};

pub(crate) const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 11, 201), 61067);
pub(crate) const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(172, 16, 4, 99), 49);
pub(crate) const RS2: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 52);

const CLIENT_FIRST: u32 = 277_734_018;
/// So near the end that the numbers wrap within the exchange.
const SERVER_FIRST: u32 = u32::MAX - 20;

const POINTS: [(&str, &str, LinkType); 8] = [
    ("client", "eth0", LinkType::Ethernet),
    ("router", "client", LinkType::Ethernet),
    ("router", "lb", LinkType::Ethernet),
    ("router", "servers", LinkType::Ethernet),
    ("lb", "eth0", LinkType::Ethernet),
    ("rs1", "eth0", LinkType::Ethernet),
    ("rs2", "eth0", LinkType::Ethernet),
    ("rs2", "tunl0", LinkType::Raw),
];

/// The link-layer address of an interface.
pub(crate) fn mac(node_name: &str, interface_name: &str) -> [u8; 6] {
    let at = |point: &(&str, &str, LinkType)| (point.0, point.1) == (node_name, interface_name);
    let place = POINTS.iter().position(at).unwrap();
    [2, 0, 0, 0, 1, u8::try_from(place).unwrap()]
}

/// Ways through the lab, with the TTL at each place.
pub(crate) mod ways {
    use labsim_scenario::model::Direction::{self, In, Out};
    type Way<const N: usize> = [(&'static str, Direction, u8); N];

    pub(crate) const CLIENT_TO_LB: Way<4> = [
        ("client:eth0", Out, 128),
        ("router:client", In, 128),
        ("router:lb", Out, 127),
        ("lb:eth0", In, 127),
    ];
    pub(crate) const LB_TO_RS1: Way<4> = [
        ("lb:eth0", Out, 126),
        ("router:lb", In, 126),
        ("router:servers", Out, 125),
        ("rs1:eth0", In, 125),
    ];
    pub(crate) const LB_TO_RS2: Way<4> = [
        ("lb:eth0", Out, 126),
        ("router:lb", In, 126),
        ("router:servers", Out, 125),
        ("rs2:eth0", In, 125),
    ];
    pub(crate) const RS1_TO_CLIENT: Way<4> = [
        ("rs1:eth0", Out, 64),
        ("router:servers", In, 64),
        ("router:client", Out, 63),
        ("client:eth0", In, 63),
    ];
    pub(crate) const RS2_TO_CLIENT: Way<4> = [
        ("rs2:eth0", Out, 64),
        ("router:servers", In, 64),
        ("router:client", Out, 63),
        ("client:eth0", In, 63),
    ];
    pub(crate) const RS2_TO_LB: Way<4> = [
        ("rs2:eth0", Out, 64),
        ("router:servers", In, 64),
        ("router:lb", Out, 63),
        ("lb:eth0", In, 63),
    ];
    pub(crate) const LB_TO_CLIENT: Way<4> = [
        ("lb:eth0", Out, 62),
        ("router:lb", In, 62),
        ("router:client", Out, 61),
        ("client:eth0", In, 61),
    ];
    pub(crate) const CLIENT_TO_RS2: Way<4> = [
        ("client:eth0", Out, 128),
        ("router:client", In, 128),
        ("router:servers", Out, 127),
        ("rs2:eth0", In, 127),
    ];
}

/// How many of [`Lab::client_sends`]' nine places a packet passes.
pub(crate) mod reaches {
    pub(crate) const ROUTER_IN: usize = 2;
    pub(crate) const LB_IN: usize = 4;
    pub(crate) const RS_ETH: usize = 8;
    pub(crate) const RS_TUNNEL: usize = 9;
}

/// The lab and what was observed in it so far.
pub(crate) struct Lab {
    pub(crate) seen: Observations,
    pub(crate) now: u64,
    next_id: u16,
}

impl Lab {
    /// Every point proven alive from beginning to end, nothing sent; the login timed out.
    pub(crate) fn new() -> Self {
        let mut capture = Capture::new();
        for (node_name, interface_name, link) in POINTS {
            let point = capture.add_point(node(node_name), interface(interface_name), link);
            let liveness = Liveness { started_ns: Some(1), ended_ns: Some(u64::MAX) };
            capture.set_liveness(point, liveness);
        }
        let mut seen = Observations { capture, ..Observations::default() };
        seen.steps.push(StepObservation {
            name: step("login"),
            attempts: vec![Attempt {
                from: node("client"),
                protocol: protocol::TCP,
                result: LoginResult::Timeout,
                detail: "no answer within 5 s".to_owned(),
                local: Some(CLIENT.into()),
                remote: VIP.into(),
                began_ns: 0,
                duration_ns: 5_000_000_000,
            }],
            unmet: None,
        });
        let mut lab = Self { seen, now: 1_000_000_000, next_id: 7056 };
        lab.markers();
        lab
    }

    /// The whole exchange of the document, answered by rs2, and its log entry.
    pub(crate) fn with_login() -> Self {
        Self::login_with_ids_from(7056)
    }

    /// The same with other identifications.
    pub(crate) fn login_with_ids_from(next_id: u16) -> Self {
        let mut lab = Self::with_login_up_to_reply(next_id);
        lab.finish_login();
        lab
    }

    /// The login up to the server's last reply, before anything follows it.
    pub(crate) fn with_login_up_to_reply(next_id: u16) -> Self {
        let mut lab = Self::with_login_up_to_request(next_id);
        lab.server_replies();
        lab.server_sends(lab.server(Flags::PSH.with(Flags::ACK), 29, 50, 18), 4);
        lab
    }

    /// The login up to the acknowledgement of its first packet.
    pub(crate) fn with_login_up_to_request(next_id: u16) -> Self {
        let mut lab = Self { next_id, ..Self::new() };
        lab.attempt().result = LoginResult::Pass;
        "Authentication passed".clone_into(&mut lab.attempt().detail);
        let psh = Flags::PSH.with(Flags::ACK);
        lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
        lab.server_sends(lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0), 4);
        lab.client_sends(lab.client(Flags::ACK, 1, 1, 0), reaches::RS_TUNNEL);
        lab.client_sends(lab.client(psh, 1, 1, 26), reaches::RS_TUNNEL);
        lab.server_sends(lab.server(Flags::ACK, 1, 27, 0), 4);
        lab
    }

    /// The server asks for the password, and gets it.
    pub(crate) fn server_replies(&mut self) {
        let psh = Flags::PSH.with(Flags::ACK);
        self.server_sends(self.server(psh, 1, 27, 28), 4);
        self.client_sends(self.client(psh, 27, 29, 23), reaches::RS_TUNNEL);
    }

    /// The end of both sides.
    pub(crate) fn finish_login(&mut self) {
        self.server_sends(self.server(Flags::FIN.with(Flags::ACK), 47, 50, 0), 4);
        self.client_sends(self.client(Flags::ACK, 50, 48, 0), reaches::RS_TUNNEL);
        self.client_sends(self.client(Flags::RST.with(Flags::ACK), 50, 48, 0), reaches::RS_TUNNEL);
        self.markers();
        self.logs("rs2", CLIENT);
    }

    /// Nothing happens for so long.
    pub(crate) fn wait(&mut self, ns: u64) {
        self.now += ns;
    }

    /// Has the client's first segment of ACK with so much payload come to lb so many nanoseconds later.
    pub(crate) fn delay_at_balancer(&mut self, payload: u32, by: u64) {
        let mut capture = Capture::new();
        for point in self.seen.capture.points() {
            let id = capture.add_point(point.node.clone(), point.interface.clone(), point.link);
            capture.set_liveness(id, point.liveness);
        }
        let lb = capture.find_point(&node("lb"), &interface("eth0")).unwrap();
        let mut is_delayed = false;
        for frame in self.seen.capture.frames() {
            let FrameView { record, bytes, .. } = frame;
            let decoded = frame.decode();
            let segment = decoded
                .tcp()
                .filter(|tcp| !tcp.flags.contains(Flags::SYN) && tcp.payload == payload);
            let here = (record.point, record.direction) == (lb, Direction::In);
            let first = here && segment.is_some() && !std::mem::replace(&mut is_delayed, true);
            let time = record.time_ns + if first { by } else { 0 };
            capture.push(time, record.point, record.direction, record.original_length, bytes);
        }
        capture.sort();
        self.seen.capture = capture;
    }

    /// What the client saw.
    pub(crate) fn attempt(&mut self) -> &mut Attempt {
        &mut self.seen.steps[0].attempts[0]
    }

    pub(crate) fn logs(&mut self, name: &str, client: SocketAddrV4) {
        self.logs_at(name, client, VIP);
    }

    pub(crate) fn logs_at(&mut self, name: &str, client: SocketAddrV4, local: SocketAddrV4) {
        self.seen.server_log.push(ServerEntry {
            time_ns: self.now,
            node: node(name),
            client: client.into(),
            local: local.into(),
            user: Some("alice".to_owned()),
            outcome: "pass".to_owned(),
        });
    }

    /// A segment of the client, its numbers relative.
    pub(crate) fn client(&self, flags: Flags, sequence: u32, ack: u32, payload: usize) -> Segment {
        Segment {
            source: CLIENT,
            destination: VIP,
            flags,
            sequence: CLIENT_FIRST.wrapping_add(sequence),
            acknowledgement: if flags.contains(Flags::ACK) {
                SERVER_FIRST.wrapping_add(ack)
            } else {
                0
            },
            options: if flags.contains(Flags::SYN) {
                &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2]
            } else {
                &[]
            },
            payload,
            id: self.next_id,
            half_made: false,
        }
    }

    /// A segment of the server, its numbers relative.
    pub(crate) fn server(&self, flags: Flags, sequence: u32, ack: u32, payload: usize) -> Segment {
        Segment {
            source: VIP,
            destination: CLIENT,
            sequence: SERVER_FIRST.wrapping_add(sequence),
            acknowledgement: CLIENT_FIRST.wrapping_add(ack),
            id: self.next_id + 30_000,
            ..self.client(flags, 0, 0, payload)
        }
    }

    /// Takes a packet of the client along its way to rs2, past `places` of nine places.
    pub(crate) fn client_sends(&mut self, segment: Segment, places: usize) {
        let outer_id = self.next_id.wrapping_add(46_000);
        self.next_id += 1;
        let plain = |ttl| wire::ethernet(&segment.packet(ttl), ethertype::IPV4);
        let tunnel = |ttl| {
            let inner = segment.packet(126);
            let source = *segment.source.ip();
            let packet = wire::ip(source, RS2, protocol::IPIP, ttl, outer_id, &inner);
            wire::ethernet(&packet, ethertype::IPV4)
        };
        let way = [
            ("client", "eth0", Direction::Out, plain(128)),
            ("router", "client", Direction::In, plain(128)),
            ("router", "lb", Direction::Out, plain(127)),
            ("lb", "eth0", Direction::In, plain(127)),
            ("lb", "eth0", Direction::Out, tunnel(255)),
            ("router", "lb", Direction::In, tunnel(255)),
            ("router", "servers", Direction::Out, tunnel(254)),
            ("rs2", "eth0", Direction::In, tunnel(254)),
            ("rs2", "tunl0", Direction::In, segment.packet(126)),
        ];
        for (node_name, interface_name, direction, bytes) in way.into_iter().take(places) {
            self.push(node_name, interface_name, direction, &bytes);
        }
    }

    /// Takes a packet of rs2 along its way to the client, past `places` of four places.
    pub(crate) fn server_sends(&mut self, segment: Segment, places: usize) {
        self.next_id += 1;
        self.back(places, |ttl| segment.packet(ttl));
    }

    /// Takes an ICMP error of rs2 about the client's packet of `segment` in its tunnel to the
    /// client.
    pub(crate) fn server_reports(
        &mut self,
        message: icmpv4::Message,
        segment: &Segment,
        places: usize,
    ) {
        let outer_id = segment.id.wrapping_add(46_000);
        let inner = segment.packet(126);
        let tunnel = wire::ip(*CLIENT.ip(), RS2, protocol::IPIP, 254, outer_id, &inner);
        let error = wire::icmp_error(RS2, *CLIENT.ip(), message, &tunnel);
        self.back(places, |_| error.clone());
    }

    fn back(&mut self, places: usize, packet: impl Fn(u8) -> Vec<u8>) {
        let frame = |ttl| wire::ethernet(&packet(ttl), ethertype::IPV4);
        let way = [
            ("rs2", "eth0", Direction::Out, frame(64)),
            ("router", "servers", Direction::In, frame(64)),
            ("router", "client", Direction::Out, frame(63)),
            ("client", "eth0", Direction::In, frame(63)),
        ];
        for (node_name, interface_name, direction, bytes) in way.into_iter().take(places) {
            self.push(node_name, interface_name, direction, &bytes);
        }
    }

    /// Takes a packet past these places, `lb:eth0`, with the TTL that it has there.
    pub(crate) fn passes(&mut self, packet: impl Fn(u8) -> Vec<u8>, way: &[(&str, Direction, u8)]) {
        self.next_id += 1;
        for (place, direction, ttl) in way {
            let (node_name, interface_name) = place.split_once(':').unwrap();
            let frame = wire::ethernet(&packet(*ttl), ethertype::IPV4);
            self.push(node_name, interface_name, *direction, &frame);
        }
    }

    /// Captures a frame somewhere, a microsecond after the last one. The interface's own address
    /// is its source or destination.
    pub(crate) fn push(
        &mut self,
        node_name: &str,
        interface_name: &str,
        way: Direction,
        bytes: &[u8],
    ) {
        let raw = POINTS.iter().any(|point| {
            (point.0, point.1) == (node_name, interface_name) && point.2 == LinkType::Raw
        });
        if raw {
            return self.push_as_it_is(node_name, interface_name, way, bytes);
        }
        let mut bytes = bytes.to_vec();
        let own = mac(node_name, interface_name);
        match way {
            Direction::In => bytes[..6].copy_from_slice(&own),
            Direction::Out => bytes[6..12].copy_from_slice(&own),
        }
        self.push_as_it_is(node_name, interface_name, way, &bytes);
    }

    pub(crate) fn push_as_it_is(
        &mut self,
        node_name: &str,
        interface_name: &str,
        way: Direction,
        bytes: &[u8],
    ) {
        self.now += 1000;
        let point = self.point(node_name, interface_name);
        let length = u32::try_from(bytes.len()).unwrap();
        self.seen.capture.push(self.now, point, way, length, bytes);
    }

    pub(crate) fn point(&self, node_name: &str, interface_name: &str) -> PointId {
        self.seen.capture.find_point(&node(node_name), &interface(interface_name)).unwrap()
    }

    pub(crate) fn rose(&mut self, node_name: &str, counter: &str, by: u64) {
        let counters = self.seen.kernel_counters.entry(node(node_name)).or_default();
        counters.insert(counter.to_owned(), by);
    }

    /// One marker at every point, both kinds.
    fn markers(&mut self) {
        for (node_name, interface_name, link) in POINTS {
            let marker = match link {
                LinkType::Ethernet => wire::ethernet(b"labsim", ethertype::MARKER),
                LinkType::Raw => {
                    let nowhere = Ipv4Addr::LOCALHOST;
                    wire::ip(nowhere, nowhere, protocol::MARKER, 1, 0, b"labsim")
                }
            };
            self.push(node_name, interface_name, Direction::In, &marker);
        }
    }
}
