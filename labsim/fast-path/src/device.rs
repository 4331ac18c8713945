//! The device through which the engine gets its packets: a veth pair of the fast path's own.
//!
//! The program redirects to the ingress of one end (`BPF_F_INGRESS` of bpf_redirect in
//! bpf-helpers(7)), where the engine's packet ring listens; the other end only gives it a carrier.

use crate::Error;
use labsim_model::FAST_PATH_DEVICE;
use labsim_sys::Errno;
use labsim_sys::netlink::attribute::{nested, plain};
use labsim_sys::netlink::{Request, Socket};
use labsim_wire::ethernet::Mac;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

/// A veth device's greatest (`ETH_MAX_MTU`, linux/if_ether.h): super-frames and any MTU pass.
const MTU: u32 = 65_535;
/// `IFLA_AF_SPEC`, `AF_INET6` in it, and `IFLA_INET6_ADDR_GEN_MODE` (linux/if_link.h).
const AF_SPEC: u16 = 26;
const AF_INET6: u16 = 10;
const ADDR_GEN_MODE: u16 = 8;
/// `IN6_ADDR_GEN_MODE_NONE`: no link-local address, and so no packet of the kernel's own.
const NO_ADDRESS: u8 = 1;

/// The pair; it goes when this is dropped, and with its namespace.
#[derive(Debug)]
pub(crate) struct EngineDevice {
    socket: Socket,
    /// The end where the engine listens.
    pub(crate) name: String,
    pub(crate) index: u32,
}

impl EngineDevice {
    /// Makes the pair for the interface of that number, down. A pair that a killed process left is
    /// replaced.
    pub(crate) fn create(interface: u32, mac: Mac) -> Result<Self, Error> {
        let mut socket = Socket::open()
            .map_err(|errno| Error::errno("a routing socket (rtnetlink(7))", errno))?;
        let name = format!("{FAST_PATH_DEVICE}{interface}");
        let peer = format!("{name}p");
        let pair = pair(&name, &peer, mac);
        let mut made = socket.execute(Request::create(pair.clone()));
        if made.as_ref().is_err_and(|refusal| refusal.errno == Errno::EEXIST) {
            if let Ok(index) = index_of(&socket, &name) {
                let _ = socket.execute(Request::new(delete(index)));
            }
            made = socket.execute(Request::create(pair));
        }
        made.map_err(|refusal| {
            refused(
                "a veth pair for the engine's packets, which needs CAP_NET_ADMIN in this network \
                     namespace and a kernel with veth",
                refusal.errno,
            )
        })?;
        let index = index_of(&socket, &name)?;
        let device = Self { socket, name, index };
        device.without_addresses(&peer)?;
        Ok(device)
    }

    /// Keeps IPv6 from giving the ends addresses; a kernel without IPv6 gives none.
    fn without_addresses(&self, peer: &str) -> Result<(), Error> {
        let mut socket = Socket::open()
            .map_err(|errno| Error::errno("a routing socket (rtnetlink(7))", errno))?;
        for index in [self.index, index_of(&self.socket, peer)?] {
            let mut link = LinkMessage::default();
            link.header.index = index;
            let family = nested(AF_INET6, &[plain(ADDR_GEN_MODE, &[NO_ADDRESS])]);
            link.attributes.push(LinkAttribute::Other(nested(AF_SPEC, &[family])));
            match socket.execute(Request::new(RouteNetlinkMessage::SetLink(link))) {
                Err(refusal) if refusal.errno != Errno::EAFNOSUPPORT => {
                    return Err(refused("a device without IPv6 addresses", refusal.errno));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets both ends up, with what is to happen at the engine's end in place.
    pub(crate) fn up(&mut self) -> Result<(), Error> {
        for name in [format!("{}p", self.name), self.name.clone()] {
            let mut link = LinkMessage::default();
            link.header.index = index_of(&self.socket, &name)?;
            (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
            let up = Request::new(RouteNetlinkMessage::SetLink(link));
            self.socket
                .execute(up)
                .map_err(|refusal| refused("setting a device up", refusal.errno))?;
        }
        Ok(())
    }
}

impl Drop for EngineDevice {
    fn drop(&mut self) {
        // It may be gone already, with the other end.
        let _ = self.socket.execute(Request::new(delete(self.index)));
    }
}

/// The number of a device of the socket's namespace.
pub(crate) fn index_of(socket: &Socket, name: &str) -> Result<u32, Error> {
    let index = labsim_sys::device::index_of(socket, name);
    index.map_err(|errno| refused(&format!("the interface `{name}`"), errno))
}

/// Netlink's refusals are not bpf(2)'s.
fn refused(what: &str, errno: Errno) -> Error {
    Error::System { what: what.to_owned(), source: errno.into() }
}

fn pair(name: &str, peer: &str, mac: Mac) -> RouteNetlinkMessage {
    let end = |name: &str| vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::Mtu(MTU)];
    let mut other = LinkMessage::default();
    other.attributes = end(peer);
    let mut link = LinkMessage::default();
    link.attributes = end(name);
    // The interface's own, so that frames to it are to this host here too (`eth_type_trans`).
    link.attributes.push(LinkAttribute::Address(mac.0.to_vec()));
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
    ]));
    RouteNetlinkMessage::NewLink(link)
}

fn delete(index: u32) -> RouteNetlinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    RouteNetlinkMessage::DelLink(link)
}
