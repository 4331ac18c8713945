//! IPv6 in a node: switched on where the plan has addresses, and waited for.

use super::{NodeBuilder, enter};
use crate::error::BuildError;
use crate::netns::WorkerContext;
use crate::plan::{NodePlan, Sysctl};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// The kernel's worker takes microseconds; this bounds a machine that is badly overloaded.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_micros(200);

/// IPv6 as a configured host runs it: the addresses of the plan, a link-local one without
/// duplicate address detection, and no word to or from routers.
pub(super) fn switch_on(device: &str) -> [Sysctl; 3] {
    [("accept_ra", "0"), ("accept_dad", "0"), ("addr_gen_mode", "0")]
        .map(|(leaf, value)| Sysctl::new(format!("net.ipv6.conf.{device}.{leaf}"), value))
}

/// Returns when a node takes packets for each of its IPv6 addresses.
///
/// The kernel gives an address its local route by a worker, also where nothing is to be detected
/// (`addrconf_dad_work` of net/ipv6/addrconf.c), and drops what comes before: such as a neighbour's
/// answer, which is asked for again only after a second. It shows the address before it has
/// made the route, so the route itself is awaited.
pub(super) fn await_addresses(
    node: &NodePlan,
    builder: &NodeBuilder,
    context: &mut WorkerContext,
) -> Result<(), BuildError> {
    if !node.addresses.iter().any(|it| it.address.addr().is_ipv6()) {
        return Ok(());
    }
    enter(node.name.as_str(), builder, context)?;
    await_addresses_here(node)
}

/// The same, on a thread that is in the node.
pub(crate) fn await_addresses_here(node: &NodePlan) -> Result<(), BuildError> {
    // An address of a device that is down waits for it.
    let down = node.tunnels.iter().filter(|tunnel| !tunnel.up);
    let down: Vec<&str> = down.map(|tunnel| tunnel.name.as_str()).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        let looked = read("if_inet6").and_then(|addresses| Ok((addresses, read("ipv6_route")?)));
        let (addresses, routes) = looked.map_err(failed)?;
        match unrouted(&addresses, &routes, &down) {
            None => return Ok(()),
            Some(address) if Instant::now() > deadline => {
                let why = format!("{}: no local route to {address} in time", node.name);
                return Err(failed(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            Some(_) => std::thread::sleep(LOOK),
        }
    }
}

fn failed(source: io::Error) -> BuildError {
    BuildError::Process { what: "the IPv6 addresses of a node", source }
}

/// An address without a route to itself: of `/proc/net/if_inet6` and `/proc/net/ipv6_route`, where
/// addresses stand as 32 digits and a host's prefix length is 80. Those of devices that are down
/// are skipped.
fn unrouted<'a>(addresses: &'a str, routes: &str, down: &[&str]) -> Option<&'a str> {
    let mut own = addresses.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (address, device) = (words.next()?, words.next_back()?);
        (!down.contains(&device)).then_some(address)
    });
    own.find(|address| {
        let is_local = |route: &str| {
            let mut words = route.split_whitespace();
            let flags = words.nth_back(1).and_then(|flags| u32::from_str_radix(flags, 16).ok());
            route.starts_with(&format!("{address} 80 "))
                && flags.is_some_and(|flags| flags & LOCAL != 0)
        };
        !routes.lines().any(is_local)
    })
}

/// `RTF_LOCAL` (linux/ipv6_route.h).
const LOCAL: u32 = 0x8000_0000;

#[cfg(test)]
mod tests {
    use super::unrouted;

    #[test]
    fn an_address_is_awaited_until_it_has_a_local_route() {
        let one = "20010db8000100000000000000000051";
        let addresses = format!("{one} 6a 40 00 80     eth0\n");
        let none = "0".repeat(32);
        let route = |to: &str, length: &str, flags: &str| {
            format!("{to} {length} {none} 00 {none} 00000000 00000001 00000000 {flags}     eth0\n")
        };
        let subnet = route("20010db8000100000000000000000000", "40", "00000001");
        assert_eq!(unrouted(&addresses, &subnet, &[]), Some(one));
        // A route through another host is none.
        assert_eq!(unrouted(&addresses, &route(one, "80", "00000003"), &[]), Some(one));
        assert_eq!(unrouted(&addresses, &subnet, &["eth0"]), None);
        let routes = subnet + &route(one, "80", "80200001");
        assert_eq!(unrouted(&addresses, &routes, &[]), None);
        assert_eq!(unrouted("", "", &[]), None);
    }
}
