//! Where probes come from: the addresses and ports that were given to them. A transparent probe's
//! packets are known by it again, and a lab tells them from everybody else's.

use labsim_dataplane::forwarder::MemberId;
use labsim_wire::{icmpv4, ipv4, protocol, tcp, udp};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;

/// Every origin of a probe so far. At most as many as there are ports and identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origins {
    /// The load balancer's own addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Ports of TCP.
    pub tcp: BTreeSet<u16>,
    /// Ports of UDP.
    pub udp: BTreeSet<u16>,
    /// Identifiers of ICMP echo.
    pub icmp: BTreeSet<u16>,
}

impl Origins {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.tcp.extend(other.tcp);
        self.udp.extend(other.udp);
        self.icmp.extend(other.icmp);
    }
}

/// Which member a port or identifier was last given for. Entries stay, because a kernel still sends
/// for a socket that was closed, until another probe gets the same.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    members: RefCell<HashMap<(u8, u16), Rc<MemberId>>>,
    addresses: RefCell<BTreeSet<IpAddr>>,
}

impl Registry {
    /// A probe of `member` has this origin.
    pub(crate) fn note(&self, protocol: u8, origin: SocketAddr, member: &Rc<MemberId>) {
        self.members.borrow_mut().insert((protocol, origin.port()), Rc::clone(member));
        self.addresses.borrow_mut().insert(origin.ip());
    }

    /// The member that a packet of a probe's is for.
    pub(crate) fn member_of(&self, packet: &[u8]) -> Option<Rc<MemberId>> {
        let packet = ipv4::View::new(packet).ok()?;
        let payload = packet.payload();
        let number = match packet.protocol() {
            protocol::TCP => tcp::View::new(payload).ok()?.source_port(),
            protocol::UDP => udp::View::new(payload).ok()?.source_port(),
            protocol::ICMP => {
                let [high, low, ..] = icmpv4::View::new(payload).ok()?.rest();
                u16::from_be_bytes([high, low])
            }
            _ => return None,
        };
        self.members.borrow().get(&(packet.protocol(), number)).cloned()
    }

    /// All of them.
    pub(crate) fn origins(&self) -> Origins {
        let members = self.members.borrow();
        let of = |wanted| {
            let own = members.keys().filter(move |(protocol, _)| *protocol == wanted);
            own.map(|(_, number)| *number).collect()
        };
        Origins {
            addresses: self.addresses.borrow().clone(),
            tcp: of(protocol::TCP),
            udp: of(protocol::UDP),
            icmp: of(protocol::ICMP),
        }
    }
}

/// The address that this namespace has towards another, as its kernel chooses it. Nothing is sent.
pub(crate) fn own_address(towards: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match towards {
        IpAddr::V4(_) => [0, 0, 0, 0].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // A port that is not 0.
    socket.connect((towards, 9))?;
    Ok(socket.local_addr()?.ip())
}
