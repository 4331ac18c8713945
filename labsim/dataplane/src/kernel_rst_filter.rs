//! Keeps the kernel of the forwarder's namespace from answering translated packets.
//!
//! With `automap` members answer to the interface's own address, where the kernel knows no socket
//! and would say so: a TCP reset, or ICMP port unreachable. A drop filter at the interface's
//! ingress (tc-bpf(8)) takes these packets from the kernel; the packet ring sees them before,
//! because packet sockets are served first (`__netif_receive_skb_core`). The program is classic
//! BPF, so that neither a compiler nor bpf(2) is needed, and CAP_NET_ADMIN in the namespace is
//! enough.
//!
//! The kernel needs `sch_ingress` and `cls_bpf` (both modules of a plain Debian kernel, loaded when
//! asked for). A forwarder that is killed leaves the filter in its namespace, where no
//! answer is right for a dead load balancer; the next one replaces it.

use crate::Error;
use crate::kernel::Interface;
use crate::packet::filter;
use labsim_forwarder::{RxFilter, SnatPorts};
use labsim_sys::Errno;
use labsim_sys::filter::Instruction;
use labsim_sys::netlink::attribute::{nested, plain};
use labsim_sys::netlink::{Request, Socket};
use labsim_wire::ethernet::ethertype;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};
use tracing::debug;

const PORTS_SETTING: &str = "net.ipv4.ip_local_port_range";
const PORTS_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// `TC_H_INGRESS`, the qdisc's handle, and its ingress side (linux/pkt_sched.h).
const INGRESS_PARENT: u32 = 0xffff_fff1;
const INGRESS_HANDLE: u32 = 0xffff_0000;
const INGRESS_SIDE: u32 = 0xffff_fff2;
/// Our filter's place: before any filter with a higher number, and its own handle there.
const PRIORITY: u32 = 0x6c;
const FILTER_HANDLE: u32 = 1;

/// `TCA_OPTIONS` (linux/rtnetlink.h) and cls_bpf's attributes (linux/pkt_cls.h).
const OPTIONS: u16 = 2;
const BPF_OPS_LEN: u16 = 4;
const BPF_OPS: u16 = 5;
const BPF_FLAGS: u16 = 8;
/// The program's result is the packet's fate.
const ACT_DIRECT: u32 = 1;

/// A filter that is in place; dropping it takes it away.
#[derive(Debug)]
pub(crate) struct KernelRstFilter {
    socket: Socket,
    interface: u32,
    interface_name: String,
    /// The qdisc was made here, and goes with the filter.
    made_qdisc: bool,
}

impl KernelRstFilter {
    /// Drops the kernel's copies of translated packets on this interface; `None` if there are none.
    pub(crate) fn install(
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<Option<Self>, Error> {
        let Some(program) = filter::drop_translated(rx_filter) else { return Ok(None) };
        refuse_collision(rx_filter.ports)?;
        let socket = crate::kernel::routing_socket()?;
        let (index, name) = (interface.index, interface.name.clone());
        let mut filter = Self { socket, interface: index, interface_name: name, made_qdisc: false };
        let qdisc = RouteNetlinkMessage::NewQueueDiscipline(filter.qdisc());
        match filter.socket.execute(Request::create(qdisc)).map_err(|refusal| refusal.errno) {
            Ok(()) => filter.made_qdisc = true,
            // An earlier forwarder's, or the user's own.
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(filter.refused(errno, "a queueing discipline", "sch_ingress"));
            }
        }
        filter.set(&program)?;
        debug!(interface = %interface.name, "filter of translated packets installed");
        Ok(Some(filter))
    }

    /// Changes which packets the kernel does not answer: a filter may be made or go.
    pub(crate) fn change(
        current: &mut Option<Self>,
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<(), Error> {
        match (&mut *current, filter::drop_translated(rx_filter)) {
            (Some(filter), Some(program)) => filter.set(&program)?,
            _ => *current = Self::install(interface, rx_filter)?,
        }
        Ok(())
    }

    /// Puts a program in the place of the one before.
    fn set(&mut self, program: &[Instruction]) -> Result<(), Error> {
        let filter = RouteNetlinkMessage::NewTrafficFilter(self.filter(Some(program)));
        let set = self.socket.execute(Request::add(filter));
        set.map_err(|refusal| self.refused(refusal.errno, "a BPF filter", "cls_bpf"))
    }

    /// ENOENT says that the kernel knows no such kind (`qdisc_create`, `tc_new_tfilter`).
    fn refused(&self, errno: Errno, what: &'static str, module: &'static str) -> Error {
        let (interface, source) = (self.interface_name.clone(), errno.into());
        match errno {
            Errno::ENOENT => Error::IngressFilterUnsupported { what, interface, module, source },
            _ => Error::system(format!(
                "{what} at the ingress of `{interface}` for source address translation, which needs \
                 CAP_NET_ADMIN in this network namespace"
            ))(source),
        }
    }

    fn qdisc(&self) -> TcMessage {
        let mut message = self.message(INGRESS_HANDLE, INGRESS_PARENT);
        message.attributes.push(TcAttribute::Kind("ingress".to_owned()));
        message
    }

    fn filter(&self, program: Option<&[Instruction]>) -> TcMessage {
        let mut message = self.message(FILTER_HANDLE, INGRESS_SIDE);
        message.header.info = PRIORITY << 16 | u32::from(ethertype::IPV4.to_be());
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
        message.header.index = self.interface.cast_signed();
        message.header.handle = handle.into();
        message.header.parent = parent.into();
        message
    }
}

impl Drop for KernelRstFilter {
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

/// A socket of the namespace's own on a translated port would hear nothing any more.
fn refuse_collision(ports: SnatPorts) -> Result<(), Error> {
    let text = std::fs::read_to_string(PORTS_FILE)
        .map_err(Error::system(format!("{PORTS_FILE}, the ports of the kernel's own sockets")))?;
    let mut numbers = text.split_whitespace().map(str::parse);
    let (Some(Ok(kernel_first)), Some(Ok(kernel_last))) = (numbers.next(), numbers.next()) else {
        return Ok(());
    };
    let SnatPorts { first, last } = ports;
    if first <= kernel_last && kernel_first <= last {
        let setting = PORTS_SETTING;
        return Err(Error::PortsCollide { first, last, setting, kernel_first, kernel_last });
    }
    Ok(())
}
