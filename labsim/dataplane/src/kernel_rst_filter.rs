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
use labsim_wire::ethernet::ethertype;
use tracing::debug;

const PORTS_SETTING: &str = "net.ipv4.ip_local_port_range";
const PORTS_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const FILTER_HANDLE: u32 = 1;

/// A filter that is in place; dropping it takes it away.
#[derive(Debug)]
pub(crate) struct KernelRstFilter(IngressFilter);

impl KernelRstFilter {
    /// Drops the kernel's copies of translated packets on this interface; `None` if there are none.
    pub(crate) fn install(
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<Option<Self>, Error> {
        let Some(program) = filter::drop_translated(rx_filter) else { return Ok(None) };
        refuse_collision(rx_filter.ports)?;
        let place = Place {
            interface: interface.index,
            ethertype: ethertype::IPV4,
            handle: FILTER_HANDLE,
            is_shared: false,
            purpose: "source address translation",
        };
        let filter = IngressFilter::install(place, &program)?;
        debug!(interface = %interface.name, "filter of translated packets installed");
        Ok(Some(Self(filter)))
    }

    /// Changes which packets the kernel does not answer: a filter may be made or go.
    pub(crate) fn change(
        current: &mut Option<Self>,
        interface: &Interface,
        rx_filter: &RxFilter,
    ) -> Result<(), Error> {
        match (&mut *current, filter::drop_translated(rx_filter)) {
            (Some(Self(filter)), Some(program)) => filter.set(&program)?,
            _ => *current = Self::install(interface, rx_filter)?,
        }
        Ok(())
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
