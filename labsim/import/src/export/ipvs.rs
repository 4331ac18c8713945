//! A load balancer as rules of ipvsadm(8), in the form that `ipvsadm-save -n` writes.

use super::{Exported, NotExported};
use crate::text::printable;
use labsim_model::ipvs::{Director, Forwarding, Server, Service, Timeouts, mask};
use labsim_scenario::model::{GueOptions, IpProtocol, LoadBalancer, Profile};
use std::fmt::Write;

/// Rules for `ipvsadm -R`. They have no comments, which it takes for options.
#[must_use]
pub fn ipvs(balancer: &LoadBalancer) -> Exported {
    let Director { services, timeouts, differences, .. } = Director::new(balancer);
    let mut not_exported = NotExported::of_ipvs(&differences);
    let mut text = String::new();
    // Writing to a string cannot fail.
    if timeouts != Timeouts::default() {
        // 0 leaves the time after a FIN as it is.
        let _ = writeln!(text, "--set {} 0 {}", timeouts.tcp, timeouts.udp);
    }
    for service in &services {
        let named = named(service);
        let _ = write!(text, "-A {named} -s {}", service.scheduler.name);
        if let Some(rule) = service.persistence {
            let _ = write!(text, " -p {}", rule.timeout);
            if let Some(mask) = mask(rule, service.destination) {
                let _ = write!(text, " -M {mask}");
            }
        }
        if let Some(flag) = service.scheduler.flag {
            let _ = write!(text, " -b {flag}");
        }
        if service.one_packet {
            text.push_str(" --ops");
        }
        text.push('\n');
        for Server { address, forwarding, weight, .. } in &service.servers {
            let _ = write!(text, "-a {named} -r {address} ");
            match forwarding {
                Forwarding::Masquerading => text.push_str("-m"),
                Forwarding::DirectRouting => text.push_str("-g"),
                Forwarding::Tunnel(_) => text.push_str("-i"),
            }
            let _ = writeln!(text, " -w {weight}{}", tunnel(*forwarding));
        }
        let (name, pool) = service.pool;
        if let Some(monitor) = &pool.monitor {
            let what = format!("pool {}: monitor {}", printable(name), monitor.kind.word());
            let why = "IPVS monitors no server; keepalived does";
            NotExported::new(what, why).add_to(&mut not_exported);
        }
    }
    Exported { text, not_exported }
}

/// `-t 172.16.4.99:49`
fn named(service: &Service<'_>) -> String {
    let option = match service.protocol {
        IpProtocol::Tcp => "-t",
        IpProtocol::Udp => "-u",
    };
    format!("{option} {}", service.destination)
}

/// The options of a tunnel that is not `ipip`.
fn tunnel(forwarding: Forwarding) -> String {
    match forwarding {
        Forwarding::Tunnel(Profile::Gre(options)) => {
            let checksum = if options.checksum { "--tun-csum" } else { "--tun-nocsum" };
            format!(" --tun-type gre {checksum}")
        }
        Forwarding::Tunnel(Profile::Gue(GueOptions { port, .. })) => {
            format!(" --tun-type gue --tun-port {port} --tun-nocsum")
        }
        _ => String::new(),
    }
}
