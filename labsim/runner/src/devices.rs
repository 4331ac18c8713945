//! What tunnel devices counted, in the kernel tunnel's own terms whoever takes packets out of it.

use crate::fault::Fault;
use crate::tunnels::Tunnels;
use labsim_dataplane::decapsulate;
use labsim_lab::{Capture, Counters, InterfaceCounters, Lab};
use labsim_scenario::model::{InterfaceName, NodeName, Scenario};
use std::collections::BTreeMap;

/// An Ethernet header, which a tunnel device that is a veth end counts and a tunnel does not.
const LINK_HEADER: u64 = 14;

/// The counters of every tunnel device.
pub(crate) type Devices = BTreeMap<NodeName, BTreeMap<InterfaceName, Counters>>;

/// What every tunnel device has counted up to now. Decapsulators have to be drained before.
pub(crate) fn counted(
    lab: &Lab,
    scenario: &Scenario,
    tunnels: &Tunnels,
    capture: &Capture,
) -> Result<Devices, Fault> {
    let mut devices = Devices::new();
    for (name, server) in &scenario.real_servers {
        if server.tunnels.is_empty() {
            continue;
        }
        let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
        let what = format!("the counters of {name}");
        let all = node.interface_counters().map_err(Fault::broken(&what))?;
        for tunnel in &server.tunnels {
            let Some(device) = all.get(tunnel.name.as_str()) else { continue };
            let counters = match tunnels.refused(name, &tunnel.name) {
                Some((refused, veth)) => in_kernel_terms(*device, &refused, veth),
                None => *device,
            };
            // Every marker was given to the device to send, and no tunnel end has where to. The
            // modules for IPv6 outside count that twice, and so it is told once.
            let tx_errors = counters.tx_errors.saturating_sub(capture.markers());
            let tx_dropped = if tunnel.kind.outer_ipv4() { counters.tx_dropped } else { 0 };
            let counters = InterfaceCounters { tx_errors, tx_dropped, ..counters };
            let own = devices.entry(name.clone()).or_default();
            own.insert(tunnel.name.clone(), counters.by_name());
        }
    }
    Ok(devices)
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
        // A tunnel that is down is none: its packets are nobody's.
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
