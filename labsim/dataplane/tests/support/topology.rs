//! client - router - load balancer, and a real server behind the router.

use super::namespace::Namespace;
use labsim_dataplane::decapsulate::{Decapsulator, InnerEnd};
use labsim_forwarder::{
    Config, FastL4, IpProtocol, Limits, LoadBalancer, OuterSource, Persistence, Pool, Profile,
    PvaAcceleration, SnatPorts, SourceTranslation, VirtualServer,
};
use labsim_model::TunnelKind;
use labsim_sys::device::{self, TunError};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

pub const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 201);

pub struct Topology {
    pub client: Namespace,
    pub router: Namespace,
    pub balancer: Namespace,
    pub server: Namespace,
    /// Holds the far end of a veth that stands for a tunnel.
    pub beyond: Namespace,
    /// What the server's tunnel takes.
    pub protocol: TunnelKind,
}

impl Topology {
    /// Offloads stay as the kernel sets them for new links: on.
    pub fn build() -> Self {
        let lab = Self {
            client: Namespace::new(),
            router: Namespace::new(),
            balancer: Namespace::new(),
            server: Namespace::new(),
            beyond: Namespace::new(),
            protocol: TunnelKind::Ipip,
        };
        for (node, name, address, gateway) in [
            (&lab.client, "client", "192.168.11.201/24", "192.168.11.1"),
            (&lab.balancer, "lb", "10.9.9.2/24", "10.9.9.1"),
            (&lab.server, "rs", "10.1.1.52/24", "10.1.1.1"),
        ] {
            lab.router.veth(name, node, "eth0");
            // A new namespace takes the machine's own setting over.
            node.sysctl("ipv4/ip_forward", "0");
            node.up("lo");
            node.up("eth0");
            lab.router.up(name);
            node.address("eth0", address);
            let prefix = address.split('/').nth(1).unwrap();
            lab.router.address(name, &format!("{gateway}/{prefix}"));
            node.route("0.0.0.0/0", gateway);
        }
        lab.router.sysctl("ipv4/ip_forward", "1");
        lab.router.sysctl("ipv4/conf/all/rp_filter", "0");
        for name in ["client", "lb", "rs"] {
            lab.router.sysctl(&format!("ipv4/conf/{name}/rp_filter"), "0");
        }
        lab.router.route("172.16.4.99/32", "10.9.9.2");
        lab.server.address("lo", "172.16.4.99/32");
        lab.server.sysctl("ipv4/conf/all/rp_filter", "2");
        lab
    }

    /// `tunl0` as a TUN device, with the server's address; the machine may have none to give.
    pub fn tunnel_of_tun(&self) -> io::Result<Decapsulator> {
        let device = self.server.run(|| create_tun("tunl0"))?;
        self.finish_tunnel(|| InnerEnd::Tun(device))
    }

    /// `tunl0` as one end of a veth pair.
    pub fn tunnel_of_veth(&self) -> Decapsulator {
        self.server.veth("tunl0", &self.beyond, "far");
        without_ipv6(&self.beyond, "far");
        self.beyond.up("far");
        let tunnel = self.server.mac("tunl0");
        let index = self.beyond.index("far");
        let socket = self.beyond.run(|| packet_socket(index));
        self.finish_tunnel(|| InnerEnd::VethPeer { socket, tunnel }).unwrap()
    }

    fn finish_tunnel(&self, inner: impl FnOnce() -> InnerEnd) -> io::Result<Decapsulator> {
        without_ipv6(&self.server, "tunl0");
        self.server.up("tunl0");
        self.server.address("tunl0", "10.1.1.52/32");
        self.server.sysctl("ipv4/conf/tunl0/rp_filter", "0");
        Ok(decapsulator(&self.server, self.protocol, inner()))
    }
}

/// A decapsulator on a node.
pub fn decapsulator(node: &Namespace, protocol: TunnelKind, inner: InnerEnd) -> Decapsulator {
    let ipv4 = protocol.outer_ipv4();
    let outer = match protocol.gue() {
        Some(gue) => {
            let any = if ipv4 { "0.0.0.0" } else { "::" };
            vec![node.run(|| std::net::UdpSocket::bind((any, gue.port))).unwrap().into()]
        }
        None => {
            let numbers = protocol.ip_protocols().iter();
            numbers.map(|number| raw_socket(node, ipv4, *number)).collect()
        }
    };
    let answers = raw_socket(node, ipv4, labsim_sys::socket::PROTOCOL_RAW);
    Decapsulator::start(protocol, outer, answers, inner).unwrap()
}

/// A blocking raw socket of a node's.
pub fn raw_socket(node: &Namespace, ipv4: bool, protocol: u8) -> OwnedFd {
    let socket = node.run(|| labsim_sys::socket::raw(ipv4, protocol)).unwrap();
    set_blocking(&socket);
    socket
}

/// A TUN device in the calling thread's namespace.
pub fn create_tun(name: &str) -> io::Result<OwnedFd> {
    device::create_tun(name, 0).map_err(|error| match error {
        TunError::Open(error) => error,
        TunError::Create(errno) => errno.into(),
    })
}

/// Makes reads and writes wait.
fn set_blocking(descriptor: &OwnedFd) {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL).unwrap());
    fcntl(descriptor, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).unwrap();
}

/// Keeps the kernel from saying anything by itself on an interface.
pub fn without_ipv6(node: &Namespace, interface: &str) {
    node.run(|| {
        let switch = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
        if std::fs::exists(&switch).unwrap() {
            std::fs::write(&switch, "1").unwrap();
        }
    });
}

/// A blocking packet socket for every frame of an interface of the calling thread's namespace.
pub fn packet_socket(index: u32) -> OwnedFd {
    let socket = labsim_sys::packet::open().unwrap();
    labsim_sys::packet::bind(socket.as_fd(), index, labsim_sys::packet::ALL_PROTOCOLS).unwrap();
    set_blocking(&socket);
    socket
}

/// One virtual server for TCP and one for UDP, both at port 49.
pub fn config(outer_source: OuterSource) -> Config {
    let server = |ip_protocol| VirtualServer {
        destination: SocketAddr::from((VIP, 49)).into(),
        ip_protocol,
        pool: "pool".to_owned(),
        translate_address: false,
        translate_port: true,
        source_address_translation: SourceTranslation::None,
        fastl4: FastL4 {
            loose_initiation: true,
            loose_close: true,
            idle_timeout: 300,
            reset_on_timeout: false,
            pva_acceleration: PvaAcceleration::None,
        },
        persistence: Persistence::None,
        mirror: false,
        datagram_load_balancing: false,
    };
    let pool = Pool {
        profile: Profile::Ipip,
        members: vec![SocketAddr::from((Ipv4Addr::new(10, 1, 1, 52), 49)).into()],
        ..Pool::default()
    };
    Config {
        interface: "eth0".to_owned(),
        routed_interfaces: Vec::new(),
        balancer: LoadBalancer {
            outer_source,
            virtual_servers: BTreeMap::from([
                ("tcp".to_owned(), server(IpProtocol::Tcp)),
                ("udp".to_owned(), server(IpProtocol::Udp)),
            ]),
            pools: BTreeMap::from([("pool".to_owned(), pool)]),
            ..LoadBalancer::default()
        },
        snat_ports: SnatPorts::default(),
        limits: Limits::default(),
    }
}
