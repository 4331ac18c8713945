//! Linux Virtual Server's table of a network namespace (linux/ip_vs.h), by generic netlink.

use super::attribute::{find, nested, plain};
use super::generic::Family;
use netlink_packet_core::DefaultNla;
use nix::errno::Errno;
use std::net::{IpAddr, SocketAddr};

/// Commands (`IPVS_CMD_*`).
mod command {
    pub(super) const NEW_SERVICE: u8 = 1;
    pub(super) const DELETE_SERVICE: u8 = 3;
    pub(super) const NEW_SERVER: u8 = 5;
    pub(super) const SET_SERVER: u8 = 6;
    pub(super) const DELETE_SERVER: u8 = 7;
    pub(super) const GET_SERVER: u8 = 8;
    pub(super) const SET_CONFIG: u8 = 12;
    pub(super) const FLUSH: u8 = 17;
}

/// Attributes of commands (`IPVS_CMD_ATTR_*`).
mod of_command {
    pub(super) const SERVICE: u16 = 1;
    pub(super) const SERVER: u16 = 2;
    pub(super) const TIMEOUT_TCP: u16 = 4;
    pub(super) const TIMEOUT_UDP: u16 = 6;
}

/// Attributes of services (`IPVS_SVC_ATTR_*`).
mod of_service {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const ADDRESS: u16 = 3;
    pub(super) const PORT: u16 = 4;
    pub(super) const SCHEDULER: u16 = 6;
    pub(super) const FLAGS: u16 = 7;
    pub(super) const TIMEOUT: u16 = 8;
    pub(super) const NETMASK: u16 = 9;
}

/// Attributes of real servers (`IPVS_DEST_ATTR_*`).
mod of_server {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const PORT: u16 = 2;
    pub(super) const METHOD: u16 = 3;
    pub(super) const WEIGHT: u16 = 4;
    pub(super) const UPPER_THRESHOLD: u16 = 5;
    pub(super) const LOWER_THRESHOLD: u16 = 6;
    pub(super) const ACTIVE: u16 = 7;
    pub(super) const INACTIVE: u16 = 8;
    pub(super) const FAMILY: u16 = 11;
    pub(super) const TUNNEL_TYPE: u16 = 13;
    pub(super) const TUNNEL_PORT: u16 = 14;
    pub(super) const TUNNEL_FLAGS: u16 = 15;
}

/// Flags of services (`IP_VS_SVC_F_*`).
const PERSISTENT: u32 = 1;
/// Each datagram is scheduled for itself, and no connection is kept; UDP only.
pub const ONE_PACKET: u32 = 4;

/// A virtual service, by what names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Port 0 is every port, of a service with persistence.
    pub destination: SocketAddr,
    /// The protocol's number in the IP header.
    pub protocol: u8,
}

/// What a virtual service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service<'a> {
    /// What names it.
    pub key: Key,
    /// Such as `rr`.
    pub scheduler: &'a str,
    /// [`ONE_PACKET`], and the scheduler's own flags (`IP_VS_SVC_F_SCHED*`).
    pub flags: u32,
    /// Seconds after a client's last connection, and the bits of its address that count.
    pub persistence: Option<(u32, u8)>,
}

/// How packets reach a real server (`IP_VS_CONN_F_FWD_MASK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// With the server's address in place of the VIP.
    Masquerading,
    /// As they are, under the server's MAC address.
    DirectRouting,
    /// In a tunnel.
    Tunnel(Tunnel),
}

/// A tunnel to a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// An IP header alone.
    Ipip,
    /// GRE, with a checksum or without.
    Gre {
        /// Whether it has one.
        checksum: bool,
    },
    /// GUE of variant 0 to a UDP port, whose IPv4 packets have no UDP checksum.
    Gue {
        /// The port.
        port: u16,
    },
}

/// A real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Its address and port.
    pub address: SocketAddr,
    /// How packets reach it.
    pub method: Method,
    /// Its share; 0 gets no new connections.
    pub weight: u32,
}

/// A real server as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedServer {
    /// Its address and port.
    pub address: SocketAddr,
    /// Its share.
    pub weight: u32,
    /// Its connections now, established ones and others.
    pub open: u64,
}

/// The table of the namespace that the thread was in.
#[derive(Debug)]
pub struct Table(Family);

impl Table {
    /// Finds it.
    ///
    /// # Errors
    /// `EOPNOTSUPP` on a kernel without IPVS.
    pub fn open() -> Result<Self, Errno> {
        Family::open(b"IPVS\0").map(Self)
    }

    /// Adds a service.
    ///
    /// # Errors
    /// `ENOENT` on a kernel without the scheduler, `EPROTONOSUPPORT` without the protocol, `EPERM` without
    /// CAP_NET_ADMIN.
    pub fn add_service(&self, service: &Service<'_>) -> Result<(), Errno> {
        self.change(command::NEW_SERVICE, &[whole_service(service)], service)
    }

    /// Removes a service and its servers.
    ///
    /// # Errors
    /// `ESRCH` if there is none.
    pub fn remove_service(&self, key: Key) -> Result<(), Errno> {
        let service = nested(of_command::SERVICE, &names(key));
        self.change(command::DELETE_SERVICE, &[service], &key)
    }

    /// Adds a real server to a service.
    ///
    /// # Errors
    /// `EEXIST` if it is there, `EINVAL` for an address or a method that the kernel does not take.
    pub fn add_server(&self, key: Key, server: &Server) -> Result<(), Errno> {
        self.change_server(command::NEW_SERVER, key, server)
    }

    /// Changes a real server's weight.
    ///
    /// # Errors
    /// `ENOENT` if there is none.
    pub fn set_server(&self, key: Key, server: &Server) -> Result<(), Errno> {
        self.change_server(command::SET_SERVER, key, server)
    }

    /// Removes a real server from a service.
    ///
    /// # Errors
    /// `ENOENT` if there is none.
    pub fn remove_server(&self, key: Key, server: &Server) -> Result<(), Errno> {
        self.change_server(command::DELETE_SERVER, key, server)
    }

    /// Sets the seconds without a packet after which a connection is removed: of TCP and of UDP.
    ///
    /// # Errors
    /// `EINVAL` for a time that is too long.
    pub fn set_timeouts(&self, tcp: u32, udp: u32) -> Result<(), Errno> {
        let attributes = [
            plain(of_command::TIMEOUT_TCP, &tcp.to_ne_bytes()),
            plain(of_command::TIMEOUT_UDP, &udp.to_ne_bytes()),
        ];
        self.change(command::SET_CONFIG, &attributes, &(tcp, udp))
    }

    /// Removes all services.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_ADMIN.
    pub fn flush(&self) -> Result<(), Errno> {
        self.change(command::FLUSH, &[], &"all services")
    }

    /// The real servers of a service.
    ///
    /// # Errors
    /// The kernel's error; `EBADMSG` for a list that cannot be read.
    pub fn servers(&self, key: Key) -> Result<Vec<ListedServer>, Errno> {
        let service = nested(of_command::SERVICE, &names(key));
        let messages = self.0.list(command::GET_SERVER, &[service])?;
        let servers = messages.iter().filter_map(|message| find(message, of_command::SERVER));
        servers.map(|server| read_server(server, key).ok_or(Errno::EBADMSG)).collect()
    }

    fn change_server(&self, command: u8, key: Key, server: &Server) -> Result<(), Errno> {
        let attributes = [nested(of_command::SERVICE, &names(key)), whole_server(server)];
        self.change(command, &attributes, server)
    }

    fn change(
        &self,
        command: u8,
        attributes: &[DefaultNla],
        what: &dyn std::fmt::Debug,
    ) -> Result<(), Errno> {
        let result = self.0.ask(command, attributes).map(drop);
        tracing::debug!(command, ?what, ?result, "IPVS");
        result
    }
}

/// What names a service.
fn names(key: Key) -> Vec<DefaultNla> {
    let Key { destination, protocol } = key;
    vec![
        plain(of_service::FAMILY, &family(destination.ip()).to_ne_bytes()),
        plain(of_service::PROTOCOL, &u16::from(protocol).to_ne_bytes()),
        plain(of_service::ADDRESS, &address(destination.ip())),
        plain(of_service::PORT, &destination.port().to_be_bytes()),
    ]
}

fn whole_service(service: &Service<'_>) -> DefaultNla {
    let Service { key, scheduler, flags, persistence } = *service;
    let (persistent, timeout, length) = match persistence {
        Some((timeout, length)) => (PERSISTENT, timeout, length),
        None if key.destination.is_ipv4() => (0, 0, 32),
        None => (0, 0, 128),
    };
    // IPv4's is the mask, IPv6's the number of bits.
    let netmask = match key.destination.is_ipv4() {
        true => u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0).to_be_bytes(),
        false => u32::from(length).to_ne_bytes(),
    };
    // `struct ip_vs_flags`: the flags, and which of them are meant.
    let flags = [(flags | persistent).to_ne_bytes(), u32::MAX.to_ne_bytes()].concat();
    let mut attributes = names(key);
    attributes.extend([
        plain(of_service::SCHEDULER, &[scheduler.as_bytes(), b"\0"].concat()),
        plain(of_service::FLAGS, &flags),
        plain(of_service::TIMEOUT, &timeout.to_ne_bytes()),
        plain(of_service::NETMASK, &netmask),
    ]);
    nested(of_command::SERVICE, &attributes)
}

fn whole_server(server: &Server) -> DefaultNla {
    let Server { address: at, method, weight } = *server;
    let number: u32 = match method {
        Method::Masquerading => 0,
        Method::Tunnel(_) => 2,
        Method::DirectRouting => 3,
    };
    let mut attributes = vec![
        plain(of_server::ADDRESS, &address(at.ip())),
        plain(of_server::PORT, &at.port().to_be_bytes()),
        plain(of_server::METHOD, &number.to_ne_bytes()),
        plain(of_server::WEIGHT, &weight.to_ne_bytes()),
        plain(of_server::UPPER_THRESHOLD, &0_u32.to_ne_bytes()),
        plain(of_server::LOWER_THRESHOLD, &0_u32.to_ne_bytes()),
        plain(of_server::FAMILY, &family(at.ip()).to_ne_bytes()),
    ];
    if let Method::Tunnel(tunnel) = method {
        let (kind, port, flags): (u8, u16, u16) = match tunnel {
            Tunnel::Ipip => (0, 0, 0),
            Tunnel::Gue { port } => (1, port, 0),
            Tunnel::Gre { checksum } => (2, 0, u16::from(checksum)),
        };
        attributes.extend([
            plain(of_server::TUNNEL_TYPE, &[kind]),
            plain(of_server::TUNNEL_PORT, &port.to_be_bytes()),
            plain(of_server::TUNNEL_FLAGS, &flags.to_ne_bytes()),
        ]);
    }
    nested(of_command::SERVER, &attributes)
}

/// A real server as the kernel lists it. Its address family is the service's where it is not said.
fn read_server(server: &[u8], key: Key) -> Option<ListedServer> {
    let written = find(server, of_server::FAMILY).and_then(|it| it.try_into().ok());
    let family = written.map_or_else(|| family(key.destination.ip()), u16::from_ne_bytes);
    let ip = read_address(server, of_server::ADDRESS, family)?;
    let port = u16::from_be_bytes(find(server, of_server::PORT)?.try_into().ok()?);
    let weight = number(server, of_server::WEIGHT)?;
    let count = |kind| number(server, kind).map_or(0, u64::from);
    let open = count(of_server::ACTIVE) + count(of_server::INACTIVE);
    Some(ListedServer { address: SocketAddr::new(ip, port), weight, open })
}

fn read_address(attributes: &[u8], kind: u16, family: u16) -> Option<IpAddr> {
    let bytes = find(attributes, kind)?;
    Some(match i32::from(family) == libc::AF_INET {
        true => <[u8; 4]>::try_from(bytes.get(..4)?).ok()?.into(),
        false => <[u8; 16]>::try_from(bytes.get(..16)?).ok()?.into(),
    })
}

fn number(attributes: &[u8], kind: u16) -> Option<u32> {
    find(attributes, kind)?.try_into().ok().map(u32::from_ne_bytes)
}

fn family(ip: IpAddr) -> u16 {
    let number = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    number.try_into().unwrap_or_default()
}

/// `union nf_inet_addr`: 16 bytes, of which an IPv4 address takes the first four.
fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            for (byte, octet) in bytes.iter_mut().zip(ip.octets()) {
                *byte = octet;
            }
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute::encode;

    fn key(destination: &str) -> Key {
        Key { destination: destination.parse().unwrap(), protocol: 6 }
    }

    fn inside(attribute: DefaultNla, kind: u16) -> Vec<u8> {
        find(&encode(&[attribute]), kind).unwrap().to_vec()
    }

    #[test]
    fn a_service_has_its_scheduler_and_the_mask_of_its_clients() {
        let mut service = Service {
            key: key("172.16.4.99:49"),
            scheduler: "wrr",
            flags: 0x10,
            persistence: Some((180, 24)),
        };
        let bytes = inside(whole_service(&service), of_command::SERVICE);
        assert_eq!(find(&bytes, of_service::ADDRESS).unwrap()[..5], [172, 16, 4, 99, 0]);
        assert_eq!(find(&bytes, of_service::PORT), Some(&[0, 49][..]));
        assert_eq!(find(&bytes, of_service::SCHEDULER), Some(&b"wrr\0"[..]));
        assert_eq!(number(&bytes, of_service::TIMEOUT), Some(180));
        assert_eq!(find(&bytes, of_service::NETMASK), Some(&[255, 255, 255, 0][..]));
        assert_eq!(find(&bytes, of_service::FLAGS).unwrap()[..4], 0x11_u32.to_ne_bytes());
        (service.key, service.persistence) = (key("[2001:db8::99]:49"), None);
        let bytes = inside(whole_service(&service), of_command::SERVICE);
        assert_eq!(number(&bytes, of_service::NETMASK), Some(128));
        assert_eq!(find(&bytes, of_service::FAMILY), Some(&10_u16.to_ne_bytes()[..]));
    }

    #[test]
    fn a_server_of_a_tunnel_has_its_kind_and_what_is_listed_is_read_again() {
        let at = "10.1.1.51:49".parse().unwrap();
        let method = Method::Tunnel(Tunnel::Gue { port: 6080 });
        let server = Server { address: at, method, weight: 3 };
        let mut bytes = inside(whole_server(&server), of_command::SERVER);
        assert_eq!(find(&bytes, of_server::TUNNEL_TYPE), Some(&[1][..]));
        assert_eq!(find(&bytes, of_server::TUNNEL_PORT), Some(&[0x17, 0xc0][..]));
        bytes.extend(encode(&[plain(of_server::ACTIVE, &2_u32.to_ne_bytes())]));
        let service = key("[2001:db8::99]:49");
        let listed = ListedServer { address: at, weight: 3, open: 2 };
        assert_eq!(read_server(&bytes, service), Some(listed));
        for cut in 0..40 {
            let _ = read_server(&bytes[..cut], service);
        }
    }
}
