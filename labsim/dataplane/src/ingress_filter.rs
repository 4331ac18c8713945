//! A program at an interface's ingress that drops packets before the kernel itself takes them
//! (tc-bpf(8)); packet sockets for every protocol see them before (`__netif_receive_skb_core`). The program
//! is classic BPF, so that neither a compiler nor bpf(2) is needed, and CAP_NET_ADMIN in the namespace is
//! enough.
//!
//! The kernel needs `sch_ingress` and `cls_bpf` (both modules of a plain Debian kernel, loaded when
//! asked for). A process that is killed leaves the filter in its namespace; the next one replaces it.

use crate::Error;
use labsim_sys::Errno;
use labsim_sys::filter::Instruction;
use labsim_sys::netlink::attribute::{nested, plain};
use labsim_sys::netlink::{Request, Socket};
use labsim_wire::ethernet::ethertype;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};

/// `TC_H_INGRESS`, the qdisc's handle, and its ingress side (linux/pkt_sched.h).
const INGRESS_PARENT: u32 = 0xffff_fff1;
const INGRESS_HANDLE: u32 = 0xffff_0000;
const INGRESS_SIDE: u32 = 0xffff_fff2;
/// Our filters' places: before any filter with a higher number, one for each protocol.
const PRIORITY: u32 = 0x6c;
/// `TCA_OPTIONS` (linux/rtnetlink.h) and cls_bpf's attributes (linux/pkt_cls.h).
const OPTIONS: u16 = 2;
const BPF_OPS_LEN: u16 = 4;
const BPF_OPS: u16 = 5;
const BPF_FLAGS: u16 = 8;
/// The program's result is the packet's fate.
const ACT_DIRECT: u32 = 1;

/// Where a filter is, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The interface's number.
    pub(crate) interface: u32,
    /// The protocol of the packets that the program sees.
    pub(crate) ethertype: u16,
    /// What several filters of one interface and protocol differ by.
    pub(crate) handle: u32,
    /// Whether the interface is other programs' too, so that its qdisc stays.
    pub(crate) is_shared: bool,
    /// What needs it, for errors: `source address translation`.
    pub(crate) purpose: &'static str,
}

/// A filter that is in place; dropping it takes it away.
#[derive(Debug)]
pub(crate) struct IngressFilter {
    socket: Socket,
    place: Place,
    /// The qdisc was made here, and goes with the filter.
    made_qdisc: bool,
}

impl IngressFilter {
    /// Puts a program in place.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub(crate) fn install(place: Place, program: &[Instruction]) -> Result<Self, Error> {
        let socket = crate::kernel::routing_socket()?;
        let mut filter = Self { socket, place, made_qdisc: false };
        let qdisc = RouteNetlinkMessage::NewQueueDiscipline(filter.qdisc());
        match filter.socket.execute(Request::create(qdisc)).map_err(|refusal| refusal.errno) {
            Ok(()) => filter.made_qdisc = !place.is_shared,
            // An earlier forwarder's, or the user's own.
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(filter.refused(errno, "a queueing discipline", "sch_ingress"));
            }
        }
        filter.set(program)?;
        Ok(filter)
    }

    /// Puts a program in the place of the one before.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub(crate) fn set(&mut self, program: &[Instruction]) -> Result<(), Error> {
        let filter = RouteNetlinkMessage::NewTrafficFilter(self.filter(Some(program)));
        let set = self.socket.execute(Request::add(filter));
        set.map_err(|refusal| self.refused(refusal.errno, "a BPF filter", "cls_bpf"))
    }

    /// ENOENT says that the kernel knows no such kind (`qdisc_create`, `tc_new_tfilter`).
    fn refused(&self, errno: Errno, what: &'static str, module: &'static str) -> Error {
        let (purpose, source) = (self.place.purpose, errno.into());
        match errno {
            Errno::ENOENT => Error::IngressFilterUnsupported { purpose, what, module, source },
            _ => Error::system(format!(
                "{what} at an interface's ingress for {purpose}, which needs CAP_NET_ADMIN in this network \
                 namespace"
            ))(source),
        }
    }

    fn qdisc(&self) -> TcMessage {
        let mut message = self.message(INGRESS_HANDLE, INGRESS_PARENT);
        message.attributes.push(TcAttribute::Kind("ingress".to_owned()));
        message
    }

    fn filter(&self, program: Option<&[Instruction]>) -> TcMessage {
        let Place { ethertype, handle, .. } = self.place;
        let mut message = self.message(handle, INGRESS_SIDE);
        // Filters of one priority have one protocol.
        let priority = if ethertype == ethertype::IPV4 { PRIORITY } else { PRIORITY + 1 };
        message.header.info = priority << 16 | u32::from(ethertype.to_be());
        message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
        if let Some(program) = program {
            let bytes: Vec<u8> = program.iter().flat_map(|it| it.to_bytes()).collect();
            let options = [
                plain(BPF_OPS_LEN, &(program.len() as u16).to_ne_bytes()),
                plain(BPF_OPS, &bytes),
                plain(BPF_FLAGS, &ACT_DIRECT.to_ne_bytes()),
            ];
            message.attributes.push(TcAttribute::Other(nested(OPTIONS, &options)));
        }
        message
    }

    fn message(&self, handle: u32, parent: u32) -> TcMessage {
        let mut message = TcMessage::default();
        message.header.index = self.place.interface.cast_signed();
        message.header.handle = handle.into();
        message.header.parent = parent.into();
        message
    }
}

impl Drop for IngressFilter {
    fn drop(&mut self) {
        let remove = if self.made_qdisc {
            RouteNetlinkMessage::DelQueueDiscipline(self.qdisc())
        } else {
            RouteNetlinkMessage::DelTrafficFilter(self.filter(None))
        };
        // The interface may be gone, and the filter with it.
        let _ = self.socket.execute(Request::new(remove));
    }
}
