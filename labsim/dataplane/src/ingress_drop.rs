//! Drops the kernel's own copies of the forwarder's packets at the interface's ingress.
//!
//! A packet ring gets copies, and the kernel goes on with every packet. What that means depends on the
//! host:
//!
//! - It has the VIP on an interface: its kernel answers too (a reset from a closed port). What the
//!   virtual servers take is dropped from the start: their protocols and ports at that VIP, and fragments
//!   of these protocols that have no ports. Everything else to the VIP stays the kernel's.
//! - It forwards: the kernel would send each packet to a VIP on, beside the forwarder. All packets to
//!   VIPs are dropped from the start.
//! - Neither: the kernel looks for a route to a VIP that is not its own, makes an entry for the answer
//!   "none" and drops the packet. On a veth that is the sender's processor's work, and a fifth of all that
//!   a packet costs it. Dropping spares that, once packets come in a stream: a lab's few do not bring it
//!   about, as the rule's making and its end take the kernel a while (RCU's grace periods), and the
//!   kernel's own counters stay as they are (`IpInAddrErrors`). A kernel that refuses it costs only speed.
//!
//! The interface's ingress comes after the packet sockets (`__netif_receive_skb_core`): ring and captures
//! see the packets as before. The rules are nftables' (the netdev family's ingress hook) in a table that
//! belongs to its socket (`NFT_TABLE_F_OWNER`, Linux 5.12): it goes with the process, whatever ends it.
//! CAP_NET_ADMIN in the namespace is enough.

mod nftables;

use crate::Error;
use crate::forwarder::IngressDrop;
use crate::kernel::kernel_forwarding;
use labsim_forwarder::{Instant, Kept};
use labsim_sys::Errno;
use labsim_sys::netlink::Refusal;
use nftables::Table;
use std::time::Duration;
use tracing::{info, warn};

/// So many frames in so much time are a stream: 10,000 a second.
const STREAM: usize = 1_000;
const WINDOW: Duration = Duration::from_millis(100);
/// VIPs are compared one after the other: with more, comparing costs what it saves.
const MOST_VIPS: usize = 16;

/// The rules, or the wait for a stream; the rules stay until it is dropped.
#[derive(Debug)]
pub(crate) struct VipIngressDrop {
    interface: String,
    kept: Vec<Kept>,
    /// How many tables there were before: the next one is made while the last is still in force.
    generation: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    NotNeeded,
    Waiting(Load),
    Active { _table: Table },
    Refused(Errno),
}

impl VipIngressDrop {
    /// For packets that the kernel must not handle.
    ///
    /// # Errors
    /// [`Error::IngressDropUnsupported`] or [`Error::IngressDropRefused`] where the kernel would answer or
    /// forward them.
    pub(crate) fn new(interface: &str, kept: &[Kept]) -> Result<Self, Error> {
        let (interface, state) = (interface.to_owned(), State::NotNeeded);
        let mut drop = Self { interface, kept: Vec::new(), generation: 0, state };
        drop.change(kept)?;
        Ok(drop)
    }

    /// For other packets from here on.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn change(&mut self, kept: &[Kept]) -> Result<(), Error> {
        let ipv6 = kept.iter().any(|kept| kept.address.is_ipv6());
        let forwards = kernel_forwarding(&self.interface, ipv6)?;
        self.set(kept, reason(kept, forwards.as_deref()))
    }

    /// Drops these packets, at once `because` of what the kernel would do with them.
    fn set(&mut self, kept: &[Kept], because: Option<String>) -> Result<(), Error> {
        self.kept = kept.to_vec();
        self.generation += 1;
        self.state = match because {
            Some(because) => {
                let table = self.table().map_err(|refusal| {
                    let interface = self.interface.clone();
                    if nftables::is_unsupported(&refusal) {
                        let source = refusal.errno.into();
                        Error::IngressDropUnsupported { because, interface, source }
                    } else {
                        let reason = format!("{:?}: {refusal}", refusal.errno);
                        Error::IngressDropRefused { because, interface, reason }
                    }
                })?;
                State::Active { _table: table }
            }
            None if (1..=MOST_VIPS).contains(&kept.len()) => State::Waiting(Load::default()),
            None => State::NotNeeded,
        };
        Ok(())
    }

    /// Counts frames that have come in, and makes the rules when they are a stream.
    pub(crate) fn observe(&mut self, now: Instant, frames: usize) {
        if let State::Waiting(load) = &mut self.state
            && load.is_stream(now, frames)
        {
            self.activate();
        }
    }

    #[cold]
    fn activate(&mut self) {
        let interface = &self.interface;
        self.state = match self.table() {
            Ok(table) => {
                info!(interface, vips = self.kept.len(), "ingress drop rule active");
                State::Active { _table: table }
            }
            Err(Refusal { errno, .. }) => {
                warn!(
                    interface,
                    error = errno.desc(),
                    "the kernel refuses the ingress drop rule; forwarding goes on, at more cost a \
                     packet: load nf_tables, or grant CAP_NET_ADMIN"
                );
                State::Refused(errno)
            }
        };
    }

    fn table(&self) -> Result<Table, Refusal<usize>> {
        Table::dropping(&self.interface, self.generation, &self.kept)
    }

    /// For the forwarder's status.
    pub(crate) fn status(&self) -> IngressDrop {
        match &self.state {
            State::NotNeeded => IngressDrop::NotNeeded,
            State::Waiting(_) => IngressDrop::Waiting,
            State::Active { .. } => IngressDrop::Active,
            State::Refused(errno) => IngressDrop::Refused { error: errno.desc().to_owned() },
        }
    }
}

/// Why the kernel must not get these packets, as a clause; `None` if it would only drop them.
fn reason(kept: &[Kept], forwards: Option<&str>) -> Option<String> {
    let has = |kept: &&Kept| kept.service.is_some();
    if let Some(Kept { address, .. }) = kept.iter().find(has) {
        return Some(format!("this host has the VIP {address} itself"));
    }
    let setting = forwards.filter(|_| !kept.is_empty())?;
    Some(format!("this host forwards packets itself ({setting} is 1)"))
}

/// Frames since the beginning of a window.
#[derive(Debug, Default)]
struct Load {
    began: Instant,
    frames: usize,
}

impl Load {
    /// Counts frames in; whether that is a stream.
    fn is_stream(&mut self, now: Instant, frames: usize) -> bool {
        if now.since(self.began) >= WINDOW {
            *self = Self { began: now, frames: 0 };
        }
        self.frames += frames;
        self.frames >= STREAM
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Errno, IngressDrop, Load, MOST_VIPS, STREAM, State, VipIngressDrop, WINDOW, reason,
    };
    use labsim_forwarder::{Instant, Kept, Service};
    use std::net::Ipv4Addr;

    fn every(number: u32) -> Kept {
        Kept { address: Ipv4Addr::from_bits(number).into(), service: None }
    }

    fn ingress_drop(vips: u32) -> VipIngressDrop {
        let interface = "eth0".to_owned();
        let kept = Vec::new();
        let mut drop = VipIngressDrop { interface, kept, generation: 0, state: State::NotNeeded };
        drop.set(&(1..=vips).map(every).collect::<Vec<_>>(), None).unwrap();
        drop
    }

    #[test]
    fn the_kernel_must_not_get_what_it_would_answer_or_forward() {
        let service = Some(Service { protocol: 6, ports: Some(49.into()) });
        let own = Kept { service, ..every(0x0a00_0001) };
        assert_eq!(reason(&[every(1)], None), None);
        assert_eq!(reason(&[], Some("net.ipv4.ip_forward")), None);
        let answers = "this host has the VIP 10.0.0.1 itself";
        assert_eq!(reason(&[every(1), own], None).as_deref(), Some(answers));
        let forwards = "this host forwards packets itself (net.ipv4.ip_forward is 1)";
        assert_eq!(reason(&[every(1)], Some("net.ipv4.ip_forward")).as_deref(), Some(forwards));
    }

    #[test]
    fn the_status_says_whether_the_rule_is_in_force_and_why_not() {
        let mut rule = ingress_drop(1);
        assert_eq!(rule.status(), IngressDrop::Waiting);
        rule.state = State::Refused(Errno::EPERM);
        let error = "Operation not permitted".to_owned();
        assert_eq!(rule.status(), IngressDrop::Refused { error });
        assert_eq!(ingress_drop(0).status(), IngressDrop::NotNeeded);
    }

    #[test]
    fn more_vips_than_comparing_is_worth_are_left_to_the_kernel() {
        let most = MOST_VIPS as u32;
        assert!(matches!(ingress_drop(most).state, State::Waiting(_)));
        assert!(matches!(ingress_drop(most + 1).state, State::NotNeeded));
    }

    #[test]
    fn only_many_frames_in_one_window_are_a_stream() {
        let (mut load, mut now) = (Load::default(), Instant::ZERO);
        for _ in 0..100 {
            now = now.after(WINDOW);
            assert!(!load.is_stream(now, STREAM / 2));
            assert!(!load.is_stream(now.after(WINDOW / 2), STREAM / 2 - 1));
        }
        assert!(load.is_stream(now.after(WINDOW / 2), 1));
    }
}
