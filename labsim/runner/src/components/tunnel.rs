//! A tunnel device of a real server: the kernel's own, or one that a userspace decapsulator feeds.
//! Its counters are in the kernel tunnel's terms whichever engine decapsulates.

use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::observations::Snapshot;
use crate::plan::TunnelPart;
use labsim_codes::run;
use labsim_dataplane::decapsulate::{self, Decapsulator, InnerEnd};
use labsim_event::Event;
use labsim_lab::{InterfaceCounters, Lab, Node, TunnelEnd};
use std::time::Instant;

/// An Ethernet header, which a tunnel device that is a veth end counts and a tunnel does not.
const LINK_HEADER: u64 = 14;

/// A tunnel device.
pub(super) struct TunnelDevice {
    part: TunnelPart,
    /// The far side of the device, until a decapsulator has it; `None` of the kernel's own.
    end: Option<TunnelEnd>,
    decapsulator: Option<Decapsulator>,
    /// Whether a veth end is used in place of a TUN device.
    is_veth: bool,
}

impl TunnelDevice {
    pub(super) fn new(part: TunnelPart, lab: &mut Lab) -> Self {
        let end = lab.take_tunnel(&part.node, &part.device);
        let is_veth = matches!(end, Some(TunnelEnd::Veth { .. }));
        Self { part, end, decapsulator: None, is_veth }
    }

    fn node<'a>(&self, lab: &'a Lab) -> Result<&'a Node, RunError> {
        lab.node(&self.part.node).ok_or_else(|| RunError::unknown_node(&self.part.node))
    }

    /// Adds them to a snapshot that has the node's kernel already.
    fn counters(&self, into: &mut Snapshot) {
        let TunnelPart { node, device, kind } = &self.part;
        let own = into.kernels.get(node).and_then(|text| {
            text.interfaces().find(|(name, _)| *name == device.as_str()).map(|(_, own)| own)
        });
        let Some(own) = own else { return };
        let counters = match &self.decapsulator {
            Some(decapsulator) => in_kernel_terms(own, &decapsulator.counters(), self.is_veth),
            None => own,
        };
        // Every marker was given to the device to send, and no tunnel end has where to. The
        // modules for IPv6 outside count that twice, and here it is counted once.
        let tx_errors = counters.tx_errors.saturating_sub(into.markers);
        let tx_dropped = if kind.outer_ipv4() { counters.tx_dropped } else { 0 };
        let counters = InterfaceCounters { tx_errors, tx_dropped, ..counters };
        let devices = into.devices.entry(node.clone()).or_default();
        devices.insert(device.clone(), counters.by_name());
    }
}

impl Component<Lab> for TunnelDevice {
    fn name(&self) -> String {
        format!("the tunnel device {}:{}", self.part.node, self.part.device)
    }

    fn start(&mut self, lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let Some(end) = self.end.take() else { return Ok(()) };
        let context = format!("the decapsulator on {}", self.part.node);
        let failed = || RunError::from_source(run::DECAPSULATOR_FAILED, &context);
        let node = self.node(lab)?;
        let kind = self.part.kind;
        let outer = node.tunnel_sockets(kind).map_err(failed())?;
        let answers = node.ip_socket(kind.outer_ipv4()).map_err(failed())?;
        let inner = match end {
            TunnelEnd::Tun(device) => InnerEnd::Tun(device),
            TunnelEnd::Veth { socket, mac } => InnerEnd::VethPeer { socket, tunnel: mac },
        };
        let started = Decapsulator::start(kind, outer, answers, inner);
        self.decapsulator =
            Some(started.map_err(RunError::from_source(run::DECAPSULATOR_FAILED, &context))?);
        Ok(())
    }

    fn flush(&mut self, deadline: Instant) -> Pending<'_> {
        let left = deadline.saturating_duration_since(Instant::now());
        let flushed = self.decapsulator.as_ref().map_or(Ok(()), |running| running.drain(left));
        let context = format!("the decapsulator on {}", self.part.node);
        done(flushed.map_err(RunError::from_source(run::DECAPSULATOR_FAILED, context)))
    }

    fn observe<'a>(&'a mut self, _lab: &'a Lab, into: &'a mut Snapshot) -> Pending<'a> {
        self.counters(into);
        done(Ok(()))
    }

    /// Ends its thread, which does not wait for anything: while forwarders end.
    fn request_stop(&mut self) {
        drop(self.decapsulator.take());
    }

    fn stop<'a>(&'a mut self, _how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        self.request_stop();
        done(Ok(()))
    }
}

/// A TUN's or veth end's counters, and what its decapsulator refused or dropped, as
/// `ip_tunnel_rcv` and `ip_tunnel_xmit` count (net/ipv4/ip_tunnel.c).
fn in_kernel_terms(
    device: InterfaceCounters,
    refused: &decapsulate::Counters,
    veth: bool,
) -> InterfaceCounters {
    let errors = refused.rx_ecn_dropped + refused.rx_checksum_unwanted;
    let headers = if veth { LINK_HEADER * device.rx_packets } else { 0 };
    InterfaceCounters {
        rx_bytes: device.rx_bytes.saturating_sub(headers),
        rx_errors: device.rx_errors + errors,
        rx_frame: device.rx_frame + errors,
        // A tunnel that is down receives nothing: its packets are not the device's.
        rx_dropped: device.rx_dropped.saturating_sub(refused.rx_device_down),
        tx_packets: 0,
        tx_bytes: 0,
        tx_errors: device.tx_errors + refused.tx_dropped,
        ..device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decapsulator_refused_is_the_devices_error_where_the_kernels_tunnel_counts_it() {
        let device = InterfaceCounters {
            rx_bytes: 380,
            rx_packets: 10,
            rx_dropped: 5,
            tx_packets: 7,
            tx_bytes: 70,
            ..InterfaceCounters::default()
        };
        let refused = decapsulate::Counters {
            rx_ecn_dropped: 1,
            rx_checksum_unwanted: 2,
            rx_checksum: 100,
            rx_key_mismatch: 100,
            rx_device_down: 4,
            tx_dropped: 7,
            ..decapsulate::Counters::default()
        };
        let expected = InterfaceCounters {
            rx_bytes: 380,
            rx_packets: 10,
            rx_errors: 3,
            rx_frame: 3,
            rx_dropped: 1,
            tx_errors: 7,
            ..InterfaceCounters::default()
        };
        assert_eq!(in_kernel_terms(device, &refused, false), expected);
        assert_eq!(in_kernel_terms(device, &refused, true).rx_bytes, 240);
    }
}
