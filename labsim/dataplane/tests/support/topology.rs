//! client - router - load balancer, and a real server behind the router.

use super::namespace::Namespace;
use labsim_dataplane::decapsulate::{Decapsulator, InnerEnd, Protocol};
use labsim_forwarder::{
    Config, FastL4, IpProtocol, Limits, OuterSource, Persistence, Pool, Profile, SnatPorts,
    SourceTranslation, VirtualServer,
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

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
    pub protocol: Protocol,
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
            protocol: Protocol::Ipip,
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
        let device = self.server.run(|| open_tun("tunl0"))?;
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
pub fn decapsulator(node: &Namespace, protocol: Protocol, inner: InnerEnd) -> Decapsulator {
    let family = if protocol.outer_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let outer = protocol.numbers().iter().map(|number| raw_socket(node, family, (*number).into()));
    let sockets = (outer.collect(), raw_socket(node, family, libc::IPPROTO_RAW));
    Decapsulator::start(protocol, sockets, inner).unwrap()
}

/// A raw socket of a node's.
pub fn raw_socket(node: &Namespace, family: libc::c_int, protocol: libc::c_int) -> OwnedFd {
    node.run(|| {
        // SAFETY: a new descriptor, owned by nobody else.
        unsafe {
            let fd = libc::socket(family, libc::SOCK_RAW, protocol);
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        }
    })
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

/// A TUN device in the calling thread's namespace.
pub fn open_tun(name: &str) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: all-zero bytes are an ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *place = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    // SAFETY: the request is an ifreq that lives through the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result == 0 { Ok(device.into()) } else { Err(io::Error::last_os_error()) }
}

pub fn packet_socket(index: u32) -> OwnedFd {
    let socket = nix::sys::socket::socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        nix::sys::socket::SockProtocol::EthAll,
    )
    .unwrap();
    // SAFETY: all-zero bytes are a sockaddr_ll, which lives through the call.
    unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as i32;
        let length = size_of_val(&address) as libc::socklen_t;
        let result = libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length);
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
    socket
}

/// One virtual server for TCP and one for UDP, both at port 49.
pub fn config(outer_source: OuterSource) -> Config {
    let server = |ip_protocol| VirtualServer {
        destination: (VIP, 49).into(),
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
        },
        persistence: Persistence::None,
    };
    let pool = Pool {
        profile: Profile::Ipip,
        members: vec![SocketAddr::from((Ipv4Addr::new(10, 1, 1, 52), 49)).into()],
        ..Pool::default()
    };
    Config {
        interface: "eth0".to_owned(),
        outer_source,
        virtual_servers: BTreeMap::from([
            ("tcp".to_owned(), server(IpProtocol::Tcp)),
            ("udp".to_owned(), server(IpProtocol::Udp)),
        ]),
        pools: BTreeMap::from([("pool".to_owned(), pool)]),
        snat_ports: SnatPorts::default(),
        limits: Limits::default(),
    }
}
