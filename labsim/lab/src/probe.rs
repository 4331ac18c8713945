//! What this machine can do, tried in a temporary namespace.
//!
//! Nothing is loaded on purpose: a kernel loads the module of a device kind by itself when such a
//! device is asked for, and that is what a lab would do as well.

mod feature;
mod memory;

pub use feature::Feature;

use crate::capture::try_packet_socket;
use crate::device::{create_lasting_tun, tun_reason, tun_remedy};
use crate::error::descriptors_hint;
use crate::kernel_module::how_to_load;
use crate::netlink::{netem, request, tunnel};
use crate::netns::{NetnsWorker, WorkerContext};
use crate::plan::Sysctl;
use crate::sysctl::SysctlError;
use crate::{counters, filter, ipvs, sockets, sysctl};
use labsim_scenario::model::{Impairment, Percent, TunnelKind};
use labsim_sys::Errno;
use labsim_sys::netlink::{Request, Socket, fou};
use labsim_wire::{EmitError, ipv4, ipv6};
use memory::{Memory, Question};
use netlink_packet_route::link::InfoKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};
use std::{fmt, io};
use tracing::{debug, info};

static MEMORY: Memory = Memory::new();
/// IPVS's schedulers that labs can ask for.
const SCHEDULERS: [&str; 5] = ["rr", "wrr", "lc", "wlc", "mh"];
/// A probing packet's length: a header of either family, and room for the beginning of one inside.
const PROBE: usize = 60;
/// How long a packet over loopback may take on a machine that is badly overloaded.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a feature is not to be had, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Such as `this kernel has no ipip`.
    pub reason: String,
    /// Such as `load it with modprobe ipip`.
    pub remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.remedy)
    }
}

/// Tries every feature, each in a namespace of its own.
#[must_use]
pub fn all() -> Vec<(Feature, Result<(), Missing>)> {
    Feature::all().map(|feature| (feature, probe(feature))).collect()
}

/// Whether the kernel has a tunnel of its own of a kind; tried once in a process's life.
///
/// # Errors
/// Why it is not to be had.
pub fn kernel_tunnel(kind: TunnelKind) -> Result<(), Missing> {
    remembered(Feature::KernelTunnel(kind))
}

/// Whether the kernel has netem, and applies what is set; tried once in a process's life.
///
/// # Errors
/// Why it is not to be had.
pub fn kernel_netem() -> Result<(), Missing> {
    remembered(Feature::Netem)
}

/// Tries IPVS with these schedulers.
///
/// # Errors
/// Why it is not to be had.
pub fn ipvs(schedulers: &[&str]) -> Result<(), Missing> {
    in_a_namespace(|| ipvs::try_here(schedulers).map_err(missing_ipvs)).and_then(|inside| inside)
}

/// Whether the kernel runs IPv6.
///
/// # Errors
/// Why it does not.
pub fn ipv6() -> Result<(), Missing> {
    sysctl::has_ipv6().then_some(()).ok_or_else(|| Missing {
        reason: "the kernel runs no IPv6".into(),
        remedy: sysctl::ipv6_remedy(),
    })
}

/// Whether a decapsulator in user space would be alone in taking packets of a tunnel's kind; tried
/// once in a process's life. Where the kernel's modules are loaded they have a handler in every namespace, which
/// refuses by ICMP what labsim's decapsulator takes.
///
/// # Errors
/// What takes them besides.
pub fn alone_with(kind: TunnelKind) -> Result<(), Missing> {
    if kind.gue().is_some() {
        // A port has one socket.
        return Ok(());
    }
    let Some(&number) = kind.ip_protocols().last() else { return Ok(()) };
    let receiver = |counted: io::Result<bool>| match counted {
        Ok(true) => Ok(Ok(())),
        Ok(false) => Ok(Err(Missing {
            reason: "the kernel's tunnel modules are loaded, and reject the packets that labsim's \
                     decapsulator takes"
                .to_owned(),
            remedy: format!(
                "let the kernel take them (`--tunnel kernel`), or unload what there is of these: \
                 `modprobe -r {}`",
                kind.handlers()
            ),
        })),
        Err(error) => Err(Missing {
            reason: format!("cannot find out whether the kernel has its own tunnels ({error})"),
            remedy: "report it".to_owned(),
        }),
    };
    MEMORY.answer(Question::AloneWith(kind), || {
        in_a_namespace(|| unknown_to_the_kernel(kind.outer_ipv4(), number)).and_then(receiver)
    })
}

/// Whether a protocol's packets have no handler: the kernel counts one that a namespace sends to
/// itself.
fn unknown_to_the_kernel(ipv4: bool, number: u8) -> io::Result<bool> {
    const LOOPBACK: u32 = 1;
    execute(request::set_up(LOOPBACK, None))?;
    let mut packet = [0; PROBE];
    let (to, unknown, delivered): (IpAddr, _, _) = match ipv4 {
        true => (Ipv4Addr::LOCALHOST.into(), "IpInUnknownProtos", "IpInDelivers"),
        false => (Ipv6Addr::LOCALHOST.into(), "Ip6InUnknownProtos", "Ip6InDelivers"),
    };
    emit_probe(to, number, &mut packet).map_err(io::Error::other)?;
    sockets::send_here(&packet, to)?;
    // Loopback mostly delivers before the call returns; on a busy machine ksoftirqd does it later.
    let deadline = Instant::now() + DELIVERY_TIMEOUT;
    while Instant::now() < deadline {
        let counters = counters::of_this_namespace()?;
        let has_risen = |counter| counters.get(counter).is_some_and(|count| *count > 0);
        if has_risen(unknown) || has_risen(delivered) {
            return Ok(has_risen(unknown));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Err(io::Error::from(io::ErrorKind::TimedOut))
}

/// A packet to itself.
fn emit_probe(to: IpAddr, protocol: u8, packet: &mut [u8; PROBE]) -> Result<(), EmitError> {
    match to {
        IpAddr::V4(to) => ipv4::Header {
            source: to,
            destination: to,
            protocol,
            ttl: 1,
            tos: 0,
            id: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: PROBE - ipv4::MIN_HEADER_LEN,
        }
        .emit(packet),
        IpAddr::V6(to) => ipv6::Header {
            source: to,
            destination: to,
            next_header: protocol,
            hop_limit: 1,
            traffic_class: 0,
            flow_label: 0,
            payload_length: PROBE - ipv6::HEADER_LEN,
        }
        .emit(packet),
    }
}

/// Whether there are TUN devices; tried once in a process's life. Without one a lab can do with [`TunnelMode::UserspaceVeth`].
///
/// # Errors
/// Why it is not to be had.
///
/// [`TunnelMode::UserspaceVeth`]: crate::TunnelMode::UserspaceVeth
pub fn tun_device() -> Result<(), Missing> {
    remembered(Feature::Tun)
}

/// Tries one feature.
///
/// # Errors
/// Why it is not to be had.
pub(crate) fn probe(feature: Feature) -> Result<(), Missing> {
    try_feature(feature).and_then(|inside| inside)
}

fn remembered(feature: Feature) -> Result<(), Missing> {
    MEMORY.answer(Question::Has(feature), || try_feature(feature))
}

/// Tries one feature, if there is a namespace to try it in.
fn try_feature(feature: Feature) -> Result<Result<(), Missing>, Missing> {
    let result = in_a_namespace(|| inside(feature));
    match &result {
        Ok(Ok(())) => debug!(%feature, "available"),
        Ok(Err(missing)) | Err(missing) => info!(%feature, %missing, "not available"),
    }
    result
}

/// Does something in a namespace of its own.
fn in_a_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Missing> {
    let inside = |context: &mut WorkerContext| {
        let _namespace = context.create().map_err(|error| Missing {
            remedy: match descriptors_hint(&error).trim_start_matches("; ") {
                "" => "run as root, or allow user namespaces".into(),
                hint => hint.into(),
            },
            reason: format!("cannot create a network namespace ({error})"),
        })?;
        Ok(work())
    };
    NetnsWorker::start().and_then(|entry| entry.run(inside)).map_err(|error| Missing {
        reason: format!("the probe cannot start ({error})"),
        remedy: "see the limits of this process (`ulimit -a`)".into(),
    })?
}

fn inside(feature: Feature) -> Result<(), Missing> {
    match feature {
        Feature::NetworkNamespaces => Ok(()),
        Feature::Veth => device(InfoKind::Veth),
        Feature::Bridge => device(InfoKind::Bridge),
        Feature::KernelTunnel(kind) => kernel_device(kind),
        Feature::Netem => netem(),
        Feature::Nftables => filter::try_here().map_err(|errno| match errno {
            // A chain or an expression of an unknown kind; a socket of an unknown protocol.
            Errno::ENOENT | Errno::EPROTONOSUPPORT => missing_filter(Errno::EOPNOTSUPP),
            _ => missing_filter(errno),
        }),
        Feature::Tun => tun(),
        Feature::PacketSockets => try_packet_socket().map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
            missing("packet sockets", "af_packet", errno)
        }),
        Feature::Sysctls => sysctls(),
        Feature::Ipvs => ipvs::try_here(&SCHEDULERS).map_err(missing_ipvs),
        Feature::Ipv6 => ipv6(),
    }
}

fn device(kind: InfoKind) -> Result<(), Missing> {
    let module = kind.to_string();
    execute(request::device(kind, "probe", 0))
        .map_err(|errno| missing("such devices", &module, errno))
}

fn kernel_device(kind: TunnelKind) -> Result<(), Missing> {
    execute(request::device(tunnel::device_kind(kind), "probe", 0)).or_else(
        |errno| match errno {
            // The module has put a device of its own into the namespace: it is there.
            Errno::EEXIST => Ok(()),
            _ => Err(missing(&format!("{} tunnels", kind.link_type()), kind.module(), errno)),
        },
    )?;
    let Some(gue) = kind.gue() else { return Ok(()) };
    fou::add_gue(kind.outer_ipv4(), gue.port)
        .map_err(|errno| missing("GUE ports (foo over UDP)", "fou", errno))
}

fn netem() -> Result<(), Missing> {
    const LOOPBACK: u32 = 1;
    // Every setting, so that one that this kernel does not know is found here.
    let tenth = Percent::of_millionths(100_000).unwrap_or_default();
    let impairment = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        loss: tenth,
        duplicate: tenth,
        reorder: tenth,
        rate: Some(1_000_000),
        queue: 100,
        seed: 0,
    };
    let refused = |errno| match errno {
        // A queueing discipline of an unknown kind.
        Errno::ENOENT => missing("netem", "sch_netem", Errno::EOPNOTSUPP),
        _ => missing("netem", "sch_netem", errno),
    };
    execute(netem::request(LOOPBACK, &impairment)).map_err(refused)?;
    let differences = Socket::open()
        .and_then(|mut netlink| netem::differences(&mut netlink, LOOPBACK, &impairment))
        .map_err(refused)?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Missing {
            reason: format!("netem does not apply its settings ({})", differences.join("; ")),
            remedy: "use another kernel".into(),
        }),
    }
}

fn execute(request: Request) -> Result<(), Errno> {
    Socket::open()?.execute(request).map_err(|refusal| refusal.errno)
}

fn tun() -> Result<(), Missing> {
    // Numbers from 2 on are the tunnel modules' own devices'.
    create_lasting_tun("probe", 1000)
        .map(drop)
        .map_err(|error| Missing { reason: tun_reason(&error), remedy: tun_remedy(&error) })
}

fn sysctls() -> Result<(), Missing> {
    let sysctl = Sysctl::new("net.ipv4.conf.all.rp_filter", "2");
    sysctl.set().map_err(|error| match &error {
        SysctlError::ReadOnly { .. } => {
            Missing { reason: "/proc/sys is read-only".into(), remedy: error.remedy() }
        }
        SysctlError::AppArmor { profile, .. } => Missing {
            reason: format!("AppArmor's profile {profile} denies writing them"),
            remedy: error.remedy(),
        },
        _ => Missing { reason: error.to_string(), remedy: error.remedy() },
    })
}

/// What of IPVS is missing, by its module.
fn missing_ipvs((module, errno): (String, Errno)) -> Missing {
    match (errno, module.strip_prefix("ip_vs_")) {
        // A scheduler that the kernel does not find.
        (Errno::ENOENT, Some(scheduler)) => {
            let what = format!("scheduler `{scheduler}` of IPVS's");
            missing(&what, &module, Errno::EOPNOTSUPP)
        }
        _ => missing("IPVS (Linux Virtual Server)", &module, errno),
    }
}

fn missing_filter(errno: Errno) -> Missing {
    missing("nftables", "-a nf_tables nft_ct nft_reject_inet", errno)
}

fn missing(what: &str, module: &str, errno: Errno) -> Missing {
    match errno {
        Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => {
            Missing { reason: format!("the kernel has no {what}"), remedy: how_to_load(module) }
        }
        Errno::EPERM | Errno::EACCES => Missing {
            reason: format!("this process may not create {what} ({})", errno.desc()),
            remedy: "run as root, or grant CAP_NET_ADMIN and CAP_NET_RAW".into(),
        },
        _ => Missing {
            reason: format!("{what} are refused ({})", errno.desc()),
            remedy: "see the kernel's log (`dmesg`)".into(),
        },
    }
}
