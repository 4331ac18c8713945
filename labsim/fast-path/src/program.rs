//! Loads the programs and attaches them to the ingress of interfaces: as TCX links (Linux 6.6), which go
//! with the process; on older kernels as filters of `clsact` (tc-bpf(8)), which a killed process leaves
//! to the next one.

use crate::error::os_error;
use crate::{Capacity, Error};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfLoader};
use labsim_sys::Errno;
use labsim_sys::netlink::attribute::{nested, plain};
use labsim_sys::netlink::{Request, Socket};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};
use std::os::fd::{AsFd, AsRawFd};

/// The object, where aya can read it without copying.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../bpf/fast_path.o");

/// What `bpf/fast_path.c` calls its programs.
pub(crate) const FORWARD: &str = "fast_path";
pub(crate) const DROP: &str = "drop_seen";

/// `TC_H_CLSACT`, the qdisc's handle, and its ingress side (linux/pkt_sched.h).
const INGRESS_PARENT: u32 = 0xffff_fff1;
const INGRESS_HANDLE: u32 = 0xffff_0000;
const INGRESS_SIDE: u32 = 0xffff_fff2;
/// The filter's place: before any with a higher number.
const PRIORITY: u32 = 0x6b;
const FILTER_HANDLE: u32 = 1;
/// `ETH_P_ALL`, in network byte order in a filter's header.
const EVERY_PROTOCOL: u16 = 3;
/// `TCA_OPTIONS` (linux/rtnetlink.h) and cls_bpf's attributes (linux/pkt_cls.h).
const OPTIONS: u16 = 2;
const BPF_FD: u16 = 6;
const BPF_NAME: u16 = 7;
const BPF_FLAGS: u16 = 8;
/// The program's result is the packet's fate.
const ACT_DIRECT: u32 = 1;

/// As much of the verifier's report as an error shows: its end says what is wrong.
const LOG_BYTES: usize = 400;

/// Makes the maps and loads both programs.
pub(crate) fn load(capacity: Capacity) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for (name, size) in [
        ("flows4", capacity.ipv4_flows),
        ("flows6", capacity.ipv6_flows),
        ("paths", capacity.paths),
        ("owned_addresses", capacity.addresses),
        ("servers", capacity.servers),
        ("members", capacity.members),
    ] {
        loader.map_max_entries(name, size.max(1));
    }
    let mut ebpf =
        loader.load(OBJECT).map_err(|error| Error::call("the fast path's maps", error))?;
    for name in [FORWARD, DROP] {
        classifier(&mut ebpf, name)?.load().map_err(refused)?;
    }
    Ok(ebpf)
}

/// One of the programs.
pub(crate) fn classifier<'a>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<&'a mut SchedClassifier, Error> {
    let program = ebpf.program_mut(name);
    let program = program.ok_or_else(|| Error::Object(format!("there is no program `{name}`")))?;
    program.try_into().map_err(|error| Error::call(name, error))
}

fn refused(error: ProgramError) -> Error {
    match (os_error(&error), error) {
        (Some(errno @ (Errno::EPERM | Errno::ENOSYS)), _) => {
            Error::errno("loading the fast path's program", errno)
        }
        (_, ProgramError::LoadError { io_error, verifier_log }) => {
            let log = verifier_log.to_string();
            let start = log.len().saturating_sub(LOG_BYTES);
            let start = (start..log.len()).find(|at| log.is_char_boundary(*at));
            let log = log.get(start.unwrap_or_default()..).unwrap_or_default().trim().to_owned();
            Error::Rejected { source: io_error, log }
        }
        (_, error) => Error::call("loading the fast path's program", error),
    }
}

/// A program that is in place; dropping it takes it away.
#[derive(Debug)]
pub(crate) enum Attached {
    Link { _link: SchedClassifierLink },
    Filter { _filter: Filter },
}

/// Attaches a program to the ingress of an interface of the calling thread's namespace.
pub(crate) fn attach(
    ebpf: &mut Ebpf,
    program: &str,
    interface: (&str, u32),
) -> Result<Attached, Error> {
    let (name, index) = interface;
    let classifier = classifier(ebpf, program)?;
    let how = TcAttachOptions::TcxOrder(LinkOrder::first());
    match classifier.attach_with_options(name, TcAttachType::Ingress, how) {
        Ok(link) => {
            let link = classifier.take_link(link);
            let link = link.map_err(|error| Error::call("the program's link", error))?;
            Ok(Attached::Link { _link: link })
        }
        // Before 6.6 the kernel does not know what it is asked for (`link_create`).
        Err(error) if os_error(&error) == Some(Errno::EINVAL) => {
            let program_fd = classifier.fd().map_err(refused)?.as_fd().as_raw_fd();
            Filter::install(index, program, program_fd)
                .map(|filter| Attached::Filter { _filter: filter })
        }
        Err(error) => Err(Error::call(&format!("a program at the ingress of `{name}`"), error)),
    }
}

/// A filter of `clsact`.
#[derive(Debug)]
pub(crate) struct Filter {
    socket: Socket,
    interface: u32,
}

impl Filter {
    fn install(interface: u32, name: &str, program: i32) -> Result<Self, Error> {
        let socket = Socket::open()
            .map_err(|errno| Error::errno("a routing socket (rtnetlink(7))", errno))?;
        let mut filter = Self { socket, interface };
        let qdisc = RouteNetlinkMessage::NewQueueDiscipline(filter.qdisc());
        match filter.socket.execute(Request::create(qdisc)).map_err(|refusal| refusal.errno) {
            // Somebody else's is as good.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(refused_filter("a queueing discipline `clsact`", errno)),
        }
        let options = [
            plain(BPF_FD, &program.to_ne_bytes()),
            plain(BPF_NAME, format!("{name}\0").as_bytes()),
            plain(BPF_FLAGS, &ACT_DIRECT.to_ne_bytes()),
        ];
        let mut message = filter.filter();
        message.attributes.push(TcAttribute::Other(nested(OPTIONS, &options)));
        let add = Request::add(RouteNetlinkMessage::NewTrafficFilter(message));
        filter
            .socket
            .execute(add)
            .map_err(|refusal| refused_filter("a BPF filter (cls_bpf)", refusal.errno))?;
        Ok(filter)
    }

    fn qdisc(&self) -> TcMessage {
        let mut message = self.message(INGRESS_HANDLE, INGRESS_PARENT);
        message.attributes.push(TcAttribute::Kind("clsact".to_owned()));
        message
    }

    fn filter(&self) -> TcMessage {
        let mut message = self.message(FILTER_HANDLE, INGRESS_SIDE);
        message.header.info = PRIORITY << 16 | u32::from(EVERY_PROTOCOL.to_be());
        message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
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

impl Drop for Filter {
    fn drop(&mut self) {
        // The interface may be gone, and the filter with it. The qdisc may be in others' use, and does
        // nothing by itself.
        let remove = RouteNetlinkMessage::DelTrafficFilter(self.filter());
        let _ = self.socket.execute(Request::new(remove));
    }
}

fn refused_filter(what: &str, errno: Errno) -> Error {
    let what = format!(
        "{what} at an interface's ingress, which needs CAP_NET_ADMIN and the kernel's \
                        module for it"
    );
    Error::System { what, source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::{FORWARD, classifier, load};
    use crate::{Capacity, Error};

    /// What each start takes: half a microsecond an instruction, and more on a loaded machine.
    const MOST_VERIFIED: u32 = 30_000;

    #[test]
    fn the_verifier_is_done_soon() {
        let mut ebpf = match load(Capacity::default()) {
            Ok(ebpf) => ebpf,
            Err(Error::NotPermitted { .. } | Error::Unsupported { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        let began = classifier(&mut ebpf, FORWARD).unwrap().info().unwrap();
        // A kernel before 5.16 does not tell.
        let verified = began.verified_instruction_count().unwrap_or_default();
        assert!(verified <= MOST_VERIFIED, "{verified} instructions");
    }
}
