//! Relieves the kernel of the forwarder's namespace of packets to VIPs, once they come in a stream.
//!
//! A packet ring gets copies: the kernel goes on with every packet, looks for a route to a VIP that
//! is not its own, makes an entry for the answer "none" and drops the packet. On a veth that is the
//! sender's processor's work, and a fifth of all that a packet costs it. So a rule drops these
//! packets at the interface's ingress, which comes after the packet sockets
//! (`__netif_receive_skb_core`): ring and captures see them as before.
//!
//! The rule is nftables' (the netdev family's ingress hook) in a table that belongs to its socket
//! (`NFT_TABLE_F_OWNER`, Linux 5.12): it goes with the process, whatever ends it. CAP_NET_ADMIN in
//! the namespace is enough. Where the kernel has no nftables nothing is lost but speed.
//!
//! A lab's few packets do not bring it about: its making and its end take the kernel a while (RCU's
//! grace periods), and the kernel's own counters stay as they are (`IpInAddrErrors`).

mod nftables;

use crate::kernel::Arm;
use labsim_forwarder::Instant;
use nftables::Table;
use std::net::IpAddr;
use std::time::Duration;

/// So many frames in so much time are a stream: 10,000 a second.
const STREAM: usize = 1_000;
const WINDOW: Duration = Duration::from_millis(100);
/// VIPs are compared one after the other: with more, comparing costs what it saves.
const MOST_VIPS: usize = 16;

/// Waits for a stream, and then keeps the rule until it is dropped.
#[derive(Debug)]
pub(crate) struct Relief {
    interface: String,
    vips: Vec<IpAddr>,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Load),
    /// Made, or refused by the kernel.
    Tried {
        _table: Option<Table>,
    },
}

impl Relief {
    /// For those of the VIPs that no interface of the namespace has: the others are the kernel's too.
    pub(crate) fn of(arm: &Arm, vips: &[IpAddr]) -> Self {
        let others = vips.iter().filter(|vip| !arm.own.contains(vip));
        let vips: Vec<IpAddr> = others.copied().collect();
        let state = match vips.len() {
            1..=MOST_VIPS => State::Waiting(Load::default()),
            _ => State::Tried { _table: None },
        };
        Self { interface: arm.name.clone(), vips, state }
    }

    /// Takes note of frames that have come in.
    pub(crate) fn note(&mut self, now: Instant, frames: usize) {
        if let State::Waiting(load) = &mut self.state
            && load.is_stream(now, frames)
        {
            // A refusal leaves everything as it is without the rule.
            let table = Table::dropping(&self.interface, &self.vips).ok();
            self.state = State::Tried { _table: table };
        }
    }
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
    use super::{Load, MOST_VIPS, Relief, STREAM, State, WINDOW};
    use crate::kernel::Arm;
    use labsim_forwarder::{Instant, Port};
    use labsim_wire::ethernet::Mac;
    use std::net::{IpAddr, Ipv4Addr};

    fn relief(vips: impl Iterator<Item = u32>, own: &[u32]) -> Relief {
        let ip = |number| IpAddr::from(Ipv4Addr::from_bits(number));
        let port = Port { mac: Mac([2, 0, 0, 0, 0, 1]), mtu: 1500, addresses: Vec::new() };
        let own = own.iter().copied().map(ip).collect();
        let arm = Arm { name: "eth0".to_owned(), index: 1, port, routes: Vec::new(), own };
        Relief::of(&arm, &vips.map(ip).collect::<Vec<_>>())
    }

    #[test]
    fn a_vip_that_is_the_kernels_too_is_left_to_it() {
        assert_eq!(
            relief(1..=3, &[2]).vips,
            [1, 3].map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
        );
        assert!(matches!(relief(2..=2, &[2]).state, State::Tried { _table: None }));
    }

    #[test]
    fn more_vips_than_comparing_is_worth_are_left_to_the_kernel() {
        let most = MOST_VIPS as u32;
        assert!(matches!(relief(1..=most, &[]).state, State::Waiting(_)));
        assert!(matches!(relief(0..=most, &[]).state, State::Tried { _table: None }));
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
