//! Keeps the kernel of the forwarder's namespace from answering translated packets.
//!
//! With `automap` members answer to the interface's own address, where the kernel knows no socket
//! and would say so: a TCP reset, or ICMP port unreachable. A drop filter at the interface's
//! ingress takes these packets from the kernel; the packet ring sees them before. A forwarder that is
//! killed leaves it, where no answer is right for a dead load balancer; the next one replaces it.

use crate::Error;
use crate::ingress_filter::{IngressFilter, Place};
use crate::kernel::Interface;
use crate::packet::filter;
use labsim_forwarder::{RxFilter, SnatPorts};
use labsim_sys::filter::Instruction;
use labsim_wire::ethernet::ethertype;
use tracing::debug;

const PORTS_SETTING: &str = "net.ipv4.ip_local_port_range";
const PORTS_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const FILTER_HANDLE: u32 = 1;

/// Filters that are in place, one for each address family that has translated packets; dropping it takes
/// them away.
#[derive(Debug)]
pub(crate) struct KernelRstFilter(Vec<(u16, IngressFilter)>);

impl KernelRstFilter {
    /// Drops the kernel's copies of translated packets on this interface; `None` if there are none.
    pub(crate) fn install(
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<Option<Self>, Error> {
        let programs = programs(rx_filter);
        if programs.is_empty() {
            return Ok(None);
        }
        refuse_collision(rx_filter.ports)?;
        let mut filters = Vec::new();
        for (ethertype, program) in programs {
            let place = Place {
                interface: interface.index,
                ethertype,
                handle: FILTER_HANDLE,
                is_shared: false,
                purpose: "source address translation",
            };
            filters.push((ethertype, IngressFilter::install(place, &program)?));
        }
        debug!(interface = %interface.name, "filter of translated packets installed");
        Ok(Some(Self(filters)))
    }

    /// Changes which packets the kernel does not answer: filters may be made or go.
    pub(crate) fn change(
        current: &mut Option<Self>,
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<(), Error> {
        let programs = programs(rx_filter);
        let wanted = programs.iter().map(|(ethertype, _)| *ethertype);
        let present =
            current.iter().flat_map(|filters| &filters.0).map(|(ethertype, _)| *ethertype);
        if !wanted.eq(present) {
            // The first one's qdisc goes with it, and so would the other.
            *current = None;
            *current = Self::install(interface, rx_filter)?;
            return Ok(());
        }
        let filters = current.iter_mut().flat_map(|filters| &mut filters.0);
        for ((_, filter), (_, program)) in filters.zip(programs) {
            filter.set(&program)?;
        }
        Ok(())
    }
}

/// What is dropped, by protocol.
fn programs(rx_filter: &RxFilter) -> Vec<(u16, Vec<Instruction>)> {
    let of = |ethertype| Some((ethertype, filter::drop_translated(ethertype, rx_filter)?));
    [ethertype::IPV4, ethertype::IPV6].into_iter().filter_map(of).collect()
}

/// The same check where something else keeps the kernel from translated packets.
pub(crate) fn refuse_collision_with(rx_filter: &RxFilter) -> Result<(), Error> {
    if programs(rx_filter).is_empty() { Ok(()) } else { refuse_collision(rx_filter.ports) }
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
