//! Keeps the kernel of the forwarder's namespace quiet about translated packets.
//!
//! With `automap` members answer to the interface's own address, where the kernel knows no socket
//! and would say so: a TCP reset, or ICMP port unreachable. A drop filter at the interface's ingress
//! (tc-bpf(8)) takes these packets from the kernel; the packet ring sees them before, because
//! packet sockets are served first (`__netif_receive_skb_core`). The program is classic BPF, so
//! that neither a compiler nor bpf(2) is needed, and CAP_NET_ADMIN in the namespace is enough.
//!
//! The kernel needs `sch_ingress` and `cls_bpf` (both modules of a plain Debian kernel, loaded when
//! asked for). A forwarder that is killed leaves the filter in its namespace, where silence is what
//! a dead load balancer owes; the next one replaces it.

use crate::Error;
use crate::kernel::Arm;
use crate::netlink::{Messages, Requests};
use crate::packet::filter::{self, Instruction};
use labsim_forwarder::{SnatPorts, Takes};
use nix::errno::Errno;

const PORTS_SETTING: &str = "net.ipv4.ip_local_port_range";
const PORTS_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// `TC_H_INGRESS`, the qdisc's handle, and its ingress side (linux/pkt_sched.h).
const INGRESS_PARENT: u32 = 0xffff_fff1;
const INGRESS_HANDLE: u32 = 0xffff_0000;
const INGRESS_SIDE: u32 = 0xffff_fff2;
/// Our filter's place: before any filter with a higher number, and its own handle there.
const PRIORITY: u32 = 0x6c;
const FILTER_HANDLE: u32 = 1;
const ETH_P_IP: u16 = 0x0800;

/// `TCA_KIND`, `TCA_OPTIONS` (linux/rtnetlink.h) and cls_bpf's attributes (linux/pkt_cls.h).
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const BPF_OPS_LEN: u16 = 4;
const BPF_OPS: u16 = 5;
const BPF_FLAGS: u16 = 8;
/// The program's result is the packet's fate.
const ACT_DIRECT: u32 = 1;

/// A filter that is in place; dropping it takes it away.
#[derive(Debug)]
pub(crate) struct Silence {
    kernel: Requests,
    interface: u32,
    /// The qdisc was made here, and goes with the filter.
    made_qdisc: bool,
}

impl Silence {
    /// Takes the kernel's translated packets on this interface from it; `None` if there are none.
    pub(crate) fn over(arm: &Arm, takes: &Takes) -> Result<Option<Self>, Error> {
        let Some(program) = filter::drop_translated(takes) else { return Ok(None) };
        refuse_collision(takes.ports)?;
        let failed = |what: &'static str| move |errno: Errno| Error::system(what)(errno.into());
        let kernel = Requests::open()?;
        let mut silence = Self { kernel, interface: arm.index, made_qdisc: false };
        match silence.kernel.send(&silence.qdisc(libc::RTM_NEWQDISC)) {
            Ok(()) => silence.made_qdisc = true,
            // A former forwarder's, or the user's own.
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(failed(
                    "an ingress qdisc for source address translation, which needs CAP_NET_ADMIN \
                     in this network namespace and the kernel's sch_ingress",
                )(errno));
            }
        }
        silence.set(&program)?;
        Ok(Some(silence))
    }

    /// Keeps the kernel quiet about other packets than before: `silence` may be made or go.
    pub(crate) fn change(
        silence: &mut Option<Self>,
        arm: &Arm,
        takes: &Takes,
    ) -> Result<(), Error> {
        match (&silence, filter::drop_translated(takes)) {
            (Some(present), Some(program)) => present.set(&program)?,
            _ => *silence = Self::over(arm, takes)?,
        }
        Ok(())
    }

    /// Puts a program in the place of the one before.
    fn set(&self, program: &[Instruction]) -> Result<(), Error> {
        self.kernel.send(&self.filter(libc::RTM_NEWTFILTER, Some(program))).map_err(|errno| {
            Error::system(
                "a filter at the interface's ingress for source address translation, which needs \
                 the kernel's cls_bpf",
            )(errno.into())
        })
    }

    fn qdisc(&self, kind: u16) -> Messages {
        request(kind, [self.interface, INGRESS_HANDLE, INGRESS_PARENT, 0], |message| {
            message.attribute(KIND, b"ingress\0");
        })
    }

    fn filter(&self, kind: u16, program: Option<&[Instruction]>) -> Messages {
        let info = PRIORITY << 16 | u32::from(ETH_P_IP.to_be());
        request(kind, [self.interface, FILTER_HANDLE, INGRESS_SIDE, info], |message| {
            message.attribute(KIND, b"bpf\0");
            if let Some(program) = program {
                let bytes: Vec<u8> = program.iter().flat_map(bytes_of).collect();
                message.nested(OPTIONS, |options| {
                    options.attribute(BPF_OPS_LEN, &(program.len() as u16).to_ne_bytes());
                    options.attribute(BPF_OPS, &bytes);
                    options.attribute(BPF_FLAGS, &ACT_DIRECT.to_ne_bytes());
                });
            }
        })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // The interface may be gone, and the filter with it.
        let _ = if self.made_qdisc {
            self.kernel.send(&self.qdisc(libc::RTM_DELQDISC))
        } else {
            self.kernel.send(&self.filter(libc::RTM_DELTFILTER, None))
        };
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

/// As `struct sock_filter` has them.
fn bytes_of(instruction: &Instruction) -> [u8; 8] {
    let Instruction { code, jump_true, jump_false, value } = *instruction;
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&code.to_ne_bytes());
    bytes[2] = jump_true;
    bytes[3] = jump_false;
    bytes[4..].copy_from_slice(&value.to_ne_bytes());
    bytes
}

/// A traffic control request: `struct tcmsg`, and the attributes that `fill` adds.
fn request(
    kind: u16,
    [interface, handle, parent, info]: [u32; 4],
    fill: impl FnOnce(&mut Messages),
) -> Messages {
    let make = match kind {
        libc::RTM_NEWQDISC => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
        libc::RTM_NEWTFILTER => libc::NLM_F_CREATE,
        _ => 0,
    };
    let mut messages = Messages::default();
    messages.message(kind, libc::NLM_F_REQUEST | libc::NLM_F_ACK | make, |it| {
        // The family and padding.
        it.raw(&[0; 4]);
        for word in [interface, handle, parent, info] {
            it.raw(&word.to_ne_bytes());
        }
        fill(it);
    });
    messages
}
