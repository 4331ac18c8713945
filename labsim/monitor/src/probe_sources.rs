//! The source addresses, ports and identifiers of probes. They identify the packets of transparent
//! probes, and let a lab tell probes from other traffic.

use labsim_dataplane::forwarder::MemberId;
use labsim_model::ProbeSources;
use labsim_wire::{icmpv4, icmpv6, ipv4, ipv6, protocol, tcp, udp};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long packets may come for a probe that is over.
const LINGER: Duration = Duration::from_secs(30);

/// The member that a port or identifier was last used for. An entry stays until another probe gets
/// the same number, because the kernel still sends packets for a closed socket.
#[derive(Debug, Default)]
pub(crate) struct SourceRegistry {
    members: RefCell<HashMap<(u8, u16), Use>>,
    addresses: RefCell<BTreeSet<IpAddr>>,
    /// Sources that were last used before are none any more.
    since: Cell<Option<Instant>>,
}

/// The last use of a port or identifier.
#[derive(Debug)]
struct Use {
    member: Rc<MemberId>,
    at: Instant,
}

impl SourceRegistry {
    /// A probe of `member` uses this source.
    pub(crate) fn register(&self, protocol: u8, source: SocketAddr, member: &Rc<MemberId>) {
        let last = Use { member: Rc::clone(member), at: Instant::now() };
        self.members.borrow_mut().insert((protocol, source.port()), last);
        self.addresses.borrow_mut().insert(source.ip());
    }

    /// The member that a probe's packet is for.
    pub(crate) fn member_of(&self, packet: &[u8]) -> Option<Rc<MemberId>> {
        let (protocol, payload) = match ipv4::View::new(packet) {
            Ok(packet) => (packet.protocol(), packet.payload()),
            Err(_) => {
                let transport = ipv6::View::new(packet).ok()?.transport().ok()?;
                (transport.protocol, transport.bytes)
            }
        };
        let number = match protocol {
            protocol::TCP => tcp::View::new(payload).ok()?.source_port(),
            protocol::UDP => udp::View::new(payload).ok()?.source_port(),
            protocol::ICMP => {
                let [high, low, ..] = icmpv4::View::new(payload).ok()?.rest();
                u16::from_be_bytes([high, low])
            }
            protocol::ICMPV6 => {
                let [high, low, ..] = icmpv6::View::new(payload).ok()?.rest();
                u16::from_be_bytes([high, low])
            }
            _ => return None,
        };
        let members = self.members.borrow();
        members.get(&(protocol, number)).map(|last| Rc::clone(&last.member))
    }

    /// Forgets sources, but for those whose packets may still come.
    pub(crate) fn begin_anew(&self) {
        self.since.set(Instant::now().checked_sub(LINGER));
    }

    /// All sources so far, but for those that were forgotten.
    pub(crate) fn sources(&self) -> ProbeSources {
        let members = self.members.borrow();
        let counts = |last: &Use| self.since.get().is_none_or(|since| last.at >= since);
        let of = |wanted| -> BTreeSet<u16> {
            let own = members
                .iter()
                .filter(move |((protocol, _), last)| *protocol == wanted && counts(last));
            own.map(|((_, number), _)| *number).collect()
        };
        ProbeSources {
            addresses: self.addresses.borrow().clone(),
            tcp: of(protocol::TCP),
            udp: of(protocol::UDP),
            icmp: of(protocol::ICMP).union(&of(protocol::ICMPV6)).copied().collect(),
        }
    }
}

/// The source address that the kernel of this namespace chooses towards an address. Nothing is
/// sent.
pub(crate) fn own_address(towards: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match towards {
        IpAddr::V4(_) => [0, 0, 0, 0].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Any port but 0.
    socket.connect((towards, 9))?;
    Ok(socket.local_addr()?.ip())
}
