//! What this machine can do, tried for real in a throw-away namespace.
//!
//! Nothing is loaded on purpose: a kernel loads the module of a device kind by itself when such a
//! device is asked for, and that is what a lab would do as well.

use crate::capture::try_packet_socket;
use crate::device;
use crate::enter::{Entrance, Entry};
use crate::netlink::{Batch, Netlink, Request, netem};
use crate::plan::Sysctl;
use crate::sysctl::SysctlError;
use crate::{counters, sockets};
use labsim_scenario::model::{Impairment, InterfaceName, Percent, TunnelKind};
use labsim_wire::{EmitError, ipv4, ipv6, protocol};
use netlink_packet_route::link::InfoKind;
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use std::{fmt, io};

/// A probing packet's length: a header of either family, and room for the beginning of one inside.
const PROBE: usize = 60;

/// Something that labs are made of, or could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Without them there is no lab.
    NetworkNamespaces,
    /// Links.
    Veth,
    /// Segments.
    Bridge,
    /// The userspace tunnel's device.
    Tun,
    /// Captures, and the forwarder.
    PacketSockets,
    /// A writable `/proc/sys`.
    Sysctls,
    /// The kernel's own tunnel.
    KernelIpip,
    /// The kernel's own tunnel for IPv6 in IPv4.
    KernelSit,
    /// The kernel's own tunnel in IPv6.
    KernelIp6tnl,
    /// The kernel's own GRE tunnel.
    KernelGre,
    /// The kernel's own GRE tunnel over IPv6.
    KernelIp6gre,
    /// Delay and loss by the kernel.
    Netem,
}

impl Feature {
    /// All of them, those that every lab needs first.
    pub const ALL: [Self; 12] = [
        Self::NetworkNamespaces,
        Self::Veth,
        Self::Bridge,
        Self::PacketSockets,
        Self::Sysctls,
        Self::Tun,
        Self::KernelIpip,
        Self::KernelSit,
        Self::KernelIp6tnl,
        Self::KernelGre,
        Self::KernelIp6gre,
        Self::Netem,
    ];
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NetworkNamespaces => "network namespaces",
            Self::Veth => "veth",
            Self::Bridge => "bridge",
            Self::Tun => "TUN",
            Self::PacketSockets => "packet sockets",
            Self::Sysctls => "sysctls",
            Self::KernelIpip => "kernel ipip",
            Self::KernelSit => "kernel sit",
            Self::KernelIp6tnl => "kernel ip6tnl",
            Self::KernelGre => "kernel gre",
            Self::KernelIp6gre => "kernel ip6gre",
            Self::Netem => "netem",
        })
    }
}

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
    Feature::ALL.into_iter().map(|feature| (feature, probe(feature))).collect()
}

/// Tries the kernel's own tunnel of a kind.
///
/// # Errors
/// Why it is not to be had.
pub fn kernel_tunnel(kind: TunnelKind) -> Result<(), Missing> {
    probe(match kind {
        TunnelKind::Ipip => Feature::KernelIpip,
        TunnelKind::Sit => Feature::KernelSit,
        TunnelKind::Ip6tnl => Feature::KernelIp6tnl,
        TunnelKind::Gre(_) => Feature::KernelGre,
        TunnelKind::Ip6gre(_) => Feature::KernelIp6gre,
    })
}

/// Tries netem, and reads back what it was told.
///
/// # Errors
/// Why it is not to be had.
pub fn kernel_netem() -> Result<(), Missing> {
    probe(Feature::Netem)
}

/// Tries whether a decapsulator in user space would be alone in taking packets of a tunnel's
/// kind. Where the kernel's modules are loaded they have a handler in every namespace, which
/// refuses by ICMP what labsim's decapsulator takes.
///
/// # Errors
/// What takes them besides.
pub fn alone_with(kind: TunnelKind) -> Result<(), Missing> {
    let (number, modules) = match kind {
        TunnelKind::Ipip => (protocol::IPIP, "ipip sit tunnel4"),
        TunnelKind::Sit => (protocol::IPV6, "sit tunnel4"),
        // One module takes both protocols.
        TunnelKind::Ip6tnl => (protocol::IPV6, "ip6_gre ip6_tunnel tunnel6"),
        TunnelKind::Gre(_) => (protocol::GRE, "ip_gre gre"),
        TunnelKind::Ip6gre(_) => (protocol::GRE, "ip6_gre"),
    };
    let counted = in_a_namespace(|| unknown_to_the_kernel(kind.outer_ipv4(), number))?;
    match counted {
        Ok(true) => Ok(()),
        Ok(false) => Err(Missing {
            reason: "the kernel's own tunnel modules are loaded, and refuse the packets that \
                     labsim's decapsulator takes"
                .to_owned(),
            remedy: format!(
                "let the kernel take them (`--tunnel kernel`), or unload what there is of these: \
                 `modprobe -r {modules}`"
            ),
        }),
        Err(error) => Err(Missing {
            reason: format!("whether the kernel has tunnels of its own cannot be told ({error})"),
            remedy: "report it".to_owned(),
        }),
    }
}

/// Whether nobody takes a protocol's packets: the kernel says so of one that a namespace sends to
/// itself.
fn unknown_to_the_kernel(ipv4: bool, number: u8) -> io::Result<bool> {
    const LOOPBACK: u32 = 1;
    request(Request::set_up(LOOPBACK, None))?;
    let mut packet = [0; PROBE];
    let (to, counter): (IpAddr, _) = match ipv4 {
        true => (Ipv4Addr::LOCALHOST.into(), "IpInUnknownProtos"),
        false => (Ipv6Addr::LOCALHOST.into(), "Ip6InUnknownProtos"),
    };
    emit_probe(to, number, &mut packet).map_err(io::Error::other)?;
    sockets::send_here(&packet, to)?;
    // Loopback delivers before it returns.
    let counters = counters::of_this_namespace()?;
    Ok(counters.get(counter).is_some_and(|count| *count > 0))
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

/// Tries a TUN device. Without one a lab can do with [`TunnelMode::UserspaceVeth`].
///
/// # Errors
/// Why it is not to be had.
///
/// [`TunnelMode::UserspaceVeth`]: crate::TunnelMode::UserspaceVeth
pub fn tun_device() -> Result<(), Missing> {
    probe(Feature::Tun)
}

/// Tries one feature.
///
/// # Errors
/// Why it is not to be had.
pub fn probe(feature: Feature) -> Result<(), Missing> {
    in_a_namespace(|| inside(feature))?
}

/// Does something in a namespace of its own.
fn in_a_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Missing> {
    let inside = |entrance: &mut Entrance| {
        let _namespace = entrance.create().map_err(|error| Missing {
            reason: format!("no network namespace can be made ({error})"),
            remedy: "run as root, or allow user namespaces".into(),
        })?;
        Ok(work())
    };
    Entry::start().and_then(|entry| entry.run(inside)).map_err(|error| Missing {
        reason: format!("the probe cannot start ({error})"),
        remedy: "see the limits of this process (`ulimit -a`)".into(),
    })?
}

fn inside(feature: Feature) -> Result<(), Missing> {
    match feature {
        Feature::NetworkNamespaces => Ok(()),
        Feature::Veth => device(InfoKind::Veth),
        Feature::Bridge => device(InfoKind::Bridge),
        Feature::KernelIpip => device(InfoKind::IpIp),
        Feature::KernelSit => device(InfoKind::SitTun),
        Feature::KernelIp6tnl => device(InfoKind::Ip6Tnl),
        Feature::KernelGre => device(InfoKind::GreTun),
        Feature::KernelIp6gre => device(InfoKind::GreTun6),
        Feature::Netem => netem(),
        Feature::Tun => tun(),
        Feature::PacketSockets => try_packet_socket().map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
            missing("packet sockets", "af_packet", errno)
        }),
        Feature::Sysctls => sysctls(),
    }
}

fn device(kind: InfoKind) -> Result<(), Missing> {
    let (what, module) = match &kind {
        InfoKind::GreTun => ("gre tunnels", "ip_gre".to_owned()),
        InfoKind::IpIp => ("ipip tunnels", "ipip".to_owned()),
        InfoKind::SitTun => ("sit tunnels", "sit".to_owned()),
        InfoKind::Ip6Tnl => ("ip6tnl tunnels", "ip6_tunnel".to_owned()),
        InfoKind::GreTun6 => ("ip6gre tunnels", "ip6_gre".to_owned()),
        other => ("such devices", other.to_string()),
    };
    request(Request::device(kind, "probe", 0)).or_else(|errno| match errno {
        // The module has put a device of its own into the namespace: it is there.
        Errno::EEXIST => Ok(()),
        _ => Err(missing(what, &module, errno)),
    })
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
    request(Request::netem(LOOPBACK, &impairment)).map_err(refused)?;
    let differences = Netlink::open()
        .and_then(|mut netlink| netem::differences(&mut netlink, LOOPBACK, &impairment))
        .map_err(refused)?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Missing {
            reason: format!("netem does not do what it is told ({})", differences.join("; ")),
            remedy: "use another kernel".into(),
        }),
    }
}

fn request(request: Request) -> Result<(), Errno> {
    let mut batch = Batch::default();
    batch.push(request, ());
    batch.send(&mut Netlink::open()?).map_err(|refusal| refusal.errno)
}

fn tun() -> Result<(), Missing> {
    let name = InterfaceName::new("probe")
        .map_err(|reason| Missing { reason, remedy: "report it".into() })?;
    // Numbers from 2 on are the tunnel modules' own devices'.
    device::open_tun(&name, 1000)
        .map(drop)
        .map_err(|error| Missing { reason: error.reason(), remedy: error.remedy() })
}

fn sysctls() -> Result<(), Missing> {
    let sysctl = Sysctl { key: "net.ipv4.conf.all.rp_filter".into(), value: "2".into() };
    sysctl.set().map_err(|error| match &error {
        SysctlError::ReadOnly { .. } => {
            Missing { reason: "/proc/sys is read-only".into(), remedy: error.remedy() }
        }
        SysctlError::AppArmor { profile, .. } => Missing {
            reason: format!("AppArmor's profile {profile} forbids to set them"),
            remedy: error.remedy(),
        },
        _ => Missing { reason: error.to_string(), remedy: error.remedy() },
    })
}

fn missing(what: &str, module: &str, errno: Errno) -> Missing {
    match errno {
        Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => Missing {
            reason: format!("this kernel has no {what}"),
            remedy: format!("load the module with `modprobe {module}`"),
        },
        Errno::EPERM | Errno::EACCES => Missing {
            reason: format!("this process may not make {what} ({})", errno.desc()),
            remedy: "run as root, or grant CAP_NET_ADMIN and CAP_NET_RAW".into(),
        },
        _ => Missing {
            reason: format!("{what} are refused ({})", errno.desc()),
            remedy: "see the kernel's log (`dmesg`)".into(),
        },
    }
}
