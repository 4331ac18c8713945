//! The largest packet of each interface.

use super::Report;
use super::topology::{Lab, Port};
use labsim_codes::file;

/// Ethernet's.
pub(super) const USUAL: u32 = 1500;
/// The least that an IPv4 host must take (RFC 791), and the largest that IPv4 can say.
const IPV4: std::ops::RangeInclusive<u32> = 576..=65535;
/// The least that a link must carry for IPv6 (RFC 8200, section 5).
const IPV6: u32 = 1280;

/// An interface's MTU: its own word, or its wire's.
pub(super) fn of(lab: &Lab<'_>, port: Port) -> u32 {
    let interface = lab.port(port);
    let wire = interface.plugged.and_then(|plugged| lab.domains[plugged.value].mtu);
    interface.mtu.or(wire).map_or(USUAL, |mtu| mtu.value)
}

/// Finds MTUs that no interface can have.
pub(super) fn check(lab: &Lab<'_>, report: &mut Report<'_>) {
    let of_wires = lab.domains.iter().filter_map(|domain| domain.mtu);
    let interfaces = lab.nodes.iter().flat_map(|draft| &draft.interfaces);
    for mtu in of_wires.chain(interfaces.clone().filter_map(|interface| interface.mtu)) {
        if !IPV4.contains(&mtu.value) {
            report.at(
                mtu.span,
                file::OUT_OF_RANGE,
                format!("an MTU of {} bytes; write 576 to 65535", mtu.value),
            );
        }
    }
    for interface in interfaces {
        let wire = interface.plugged.and_then(|plugged| lab.domains[plugged.value].mtu);
        let Some(mtu) = interface.mtu.or(wire) else { continue };
        let ipv6 = interface.addresses.iter().any(|net| net.addr().is_ipv6());
        if ipv6 && IPV4.contains(&mtu.value) && mtu.value < IPV6 {
            report.at(
                mtu.span,
                file::MTU_TOO_SMALL,
                format!("an MTU of {} bytes is too small for IPv6; write at least 1280", mtu.value),
            );
        }
    }
}
