//! From one configuration of IPVS's table to another, by the fewest changes: connections of what stays go
//! on.

use labsim_lab::{Ipvs, IpvsStatistics};
use labsim_model::GueOptions;
use labsim_model::Profile;
use labsim_model::ipvs::{Director, Forwarding, Server, Service};
use labsim_sys::Errno;
use labsim_sys::netlink::ipvs::{self as sys, Key, Method, Table, Tunnel};
use std::collections::BTreeMap;
use std::{fmt, io};

/// Something that the kernel refused.
#[derive(Debug)]
pub(super) struct Refusal {
    what: String,
    errno: Errno,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel refuses {}: {}", self.what, self.errno.desc())
    }
}

/// For `map_err`.
fn refused(what: impl Into<String>) -> impl FnOnce(Errno) -> Refusal {
    let what = what.into();
    |errno| Refusal { what, errno }
}

/// Has the table, which is that of `was` or empty, be that of `is`.
pub(super) fn change(
    table: &Table,
    was: Option<&Director<'_>>,
    is: &Director<'_>,
) -> Result<(), Refusal> {
    if was.is_none_or(|was| was.timeouts != is.timeouts) {
        let (tcp, udp) = (is.timeouts.tcp, is.timeouts.udp);
        table.set_timeouts(tcp, udp).map_err(refused("timeouts"))?;
    }
    let before = was.map(|was| was.services.as_slice()).unwrap_or_default();
    for service in before.iter().filter(|it| same(&is.services, it).is_none()) {
        let what = format!("the removal of the service {}", service.destination);
        table.remove_service(key(service)).map_err(refused(what))?;
    }
    for service in &is.services {
        let servers = match same(before, service) {
            Some(before) => before.servers.as_slice(),
            None => {
                let what = format!(
                    "a service {} with the scheduler {}",
                    service.destination, service.scheduler.name
                );
                table.add_service(&whole(service)).map_err(refused(what))?;
                &[]
            }
        };
        change_servers(table, key(service), servers, &service.servers)?;
    }
    Ok(())
}

fn change_servers(
    table: &Table,
    key: Key,
    before: &[Server],
    servers: &[Server],
) -> Result<(), Refusal> {
    let at =
        |all: &[Server], one: &Server| all.iter().find(|it| it.address == one.address).copied();
    for server in before.iter().filter(|server| at(servers, server).is_none()) {
        let what = format!("the removal of the server {}", server.address);
        table.remove_server(key, &real_server(server)).map_err(refused(what))?;
    }
    // IPVS puts a new server before the others (`__ip_vs_update_dest`), and schedulers begin with the first.
    for server in servers.iter().rev() {
        let what = format!("a server {} of the service {}", server.address, key.destination);
        let done = match at(before, server) {
            None => table.add_server(key, &real_server(server)),
            Some(before) if before != *server => table.set_server(key, &real_server(server)),
            Some(_) => Ok(()),
        };
        done.map_err(refused(what))?;
    }
    Ok(())
}

/// The service of the same name and settings.
fn same<'s, 'b>(all: &'s [Service<'b>], one: &Service<'_>) -> Option<&'s Service<'b>> {
    all.iter().find(|it| whole(it) == whole(one))
}

fn key(service: &Service<'_>) -> Key {
    Key { destination: service.destination, protocol: service.protocol.number() }
}

fn whole(service: &Service<'_>) -> sys::Service<'static> {
    let all = if service.destination.is_ipv4() { 32 } else { 128 };
    let persistence =
        service.persistence.map(|rule| (rule.timeout, rule.prefix_length.unwrap_or(all)));
    let one_packet = if service.one_packet { sys::ONE_PACKET } else { 0 };
    let (scheduler, flags) = (service.scheduler.name, service.scheduler.bits | one_packet);
    sys::Service { key: key(service), scheduler, flags, persistence }
}

fn real_server(server: &Server) -> sys::Server {
    let method = match server.forwarding {
        Forwarding::DirectRouting => Method::DirectRouting,
        Forwarding::Masquerading => Method::Masquerading,
        Forwarding::Tunnel(Profile::Gre(options)) => {
            Method::Tunnel(Tunnel::Gre { checksum: options.checksum })
        }
        Forwarding::Tunnel(Profile::Gue(GueOptions { port, .. })) => {
            Method::Tunnel(Tunnel::Gue { port })
        }
        Forwarding::Tunnel(Profile::Ipip | Profile::None) => Method::Tunnel(Tunnel::Ipip),
    };
    sys::Server { address: server.address, method, weight: server.weight.into() }
}

/// What IPVS has counted, under the names of [`labsim_model::ipvs::COUNTERS`].
pub(super) fn counters(ipvs: &Ipvs, director: &Director<'_>) -> io::Result<BTreeMap<String, u64>> {
    let IpvsStatistics { connections, packets_in, packets_out } = ipvs.statistics()?;
    let mut open = 0;
    for service in &director.services {
        let servers = ipvs.table.servers(key(service))?;
        open += servers.iter().map(|server| server.open).sum::<u64>();
    }
    let counted =
        labsim_model::ipvs::COUNTERS.iter().zip([packets_in, packets_out, connections, open]);
    Ok(counted.map(|(name, count)| ((*name).to_owned(), count)).collect())
}
