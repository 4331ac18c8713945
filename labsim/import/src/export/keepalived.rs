//! A load balancer as `keepalived.conf`(5).

use super::{Exported, NotExported};
use crate::text::printable;
use labsim_model::ipvs::{Director, Forwarding, Server, Service, Timeouts, mask};
use labsim_scenario::model::{
    ActionOnDown, GueOptions, LoadBalancer, Monitor, MonitorKind, Profile, Scenario,
};
use std::fmt::Write;
use std::time::Duration;

/// The virtual servers of a load balancer of a scenario. It holds no VRRP instance: which interface
/// has the VIPs is the host's matter.
#[must_use]
pub fn keepalived(scenario: &Scenario, balancer: &LoadBalancer) -> Exported {
    let Director { services, timeouts, differences, .. } = Director::new(balancer);
    let mut not_exported = NotExported::of_ipvs(&differences);
    let mut body = String::new();
    let own = Timeouts::default();
    if timeouts != own {
        body.push_str("\nglobal_defs {\n    lvs_timeouts");
        for (word, time, own) in [("tcp", timeouts.tcp, own.tcp), ("udp", timeouts.udp, own.udp)] {
            if time != own {
                // Writing to a string cannot fail.
                let _ = write!(body, " {word} {time}");
            }
        }
        body.push_str("\n}\n");
    }
    for service in &services {
        let monitor = monitor(service, &mut not_exported);
        virtual_server(&mut body, service, monitor);
    }
    let mut text = format!("! A load balancer of the labsim scenario {}\n", scenario.name);
    for one in &not_exported {
        let _ = writeln!(text, "! not exported: {one}");
    }
    text.push_str(&body);
    Exported { text, not_exported }
}

fn virtual_server(out: &mut String, service: &Service<'_>, monitor: Option<&Monitor>) {
    let Service {
        name,
        destination,
        protocol,
        scheduler,
        persistence,
        one_packet,
        pool: _,
        servers,
    } = service;
    let mut line = |depth: usize, text: &str| {
        let _ = writeln!(out, "{}{text}", "    ".repeat(depth));
    };
    line(0, "");
    line(0, &format!("! {}", printable(name)));
    line(0, &format!("virtual_server {} {} {{", destination.ip(), destination.port()));
    line(1, &format!("lvs_sched {}", scheduler.name));
    if let Some(flag) = scheduler.flag {
        line(1, flag);
    }
    if *one_packet {
        line(1, "ops");
    }
    if let Some(rule) = persistence {
        line(1, &format!("persistence_timeout {}", rule.timeout));
        if let Some(mask) = mask(*rule, *destination) {
            line(1, &format!("persistence_granularity {mask}"));
        }
    }
    line(1, &format!("protocol {}", protocol.word().to_ascii_uppercase()));
    if let Some(Monitor { interval, timeout, fall, .. }) = monitor {
        let interval = seconds(*interval);
        line(1, &format!("delay_loop {interval}"));
        line(1, &format!("delay_before_retry {interval}"));
        line(1, &format!("connect_timeout {}", seconds(*timeout)));
        line(1, &format!("retry {}", fall.saturating_sub(1)));
        // Flows of a member that is down stay with it.
        line(1, "inhibit_on_failure");
    }
    for server in servers {
        let Server { address, forwarding, weight, member: _ } = server;
        line(1, &format!("real_server {} {} {{", address.ip(), address.port()));
        line(2, &format!("weight {weight}"));
        line(2, &format!("lvs_method {}", method(*forwarding)));
        match monitor.map(|monitor| (monitor.kind, monitor.port)) {
            Some((MonitorKind::Icmp, _)) => {
                line(2, "PING_CHECK {");
                line(2, "}");
            }
            Some((_, port)) => {
                line(2, "TCP_CHECK {");
                let port = port.unwrap_or(server.member_port());
                if port != address.port() {
                    line(3, &format!("connect_port {port}"));
                }
                line(2, "}");
            }
            None => {}
        }
        line(1, "}");
    }
    line(0, "}");
}

/// The pool's monitor, if keepalived has such a one.
fn monitor<'b>(service: &Service<'b>, list: &mut Vec<NotExported>) -> Option<&'b Monitor> {
    let (name, pool) = service.pool;
    let monitor = pool.monitor.as_ref()?;
    let Monitor { kind, interval: _, timeout: _, rise, fall: _, transparent, port: _, secret: _ } =
        monitor;
    let pool_name = printable(name);
    let what = format!("pool {pool_name}: monitor {}", kind.word());
    let mut note = |what: String, why: &str| NotExported::new(what, why).add_to(list);
    if matches!(kind, MonitorKind::Tacacs | MonitorKind::Radius) {
        note(what, "keepalived has no such checker; write a MISC_CHECK with a script");
        return None;
    }
    if *transparent {
        let why = "keepalived's checkers do not go through the tunnel; this one would watch something \
                   else, and is not written";
        note(format!("{what}: transparent"), why);
        return None;
    }
    if *rise != 1 {
        let why = "keepalived takes a server back with its first answer";
        note(format!("{what}: rise {rise}"), why);
    }
    if pool.action_on_down != ActionOnDown::None {
        let why = "`inhibit_on_failure` is written, with which the flows of a failed server stay; \
                   without it IPVS drops their packets";
        note(format!("pool {pool_name}: action_on_down"), why);
    }
    Some(monitor)
}

/// `DR`, `NAT`, `TUN` with its options.
fn method(forwarding: Forwarding) -> String {
    match forwarding {
        Forwarding::DirectRouting => "DR".to_owned(),
        Forwarding::Masquerading => "NAT".to_owned(),
        Forwarding::Tunnel(Profile::Gre(options)) => {
            let checksum = if options.checksum { "csum" } else { "nocsum" };
            format!("TUN type gre {checksum}")
        }
        Forwarding::Tunnel(Profile::Gue(GueOptions { port, .. })) => {
            format!("TUN type gue port {port} nocsum")
        }
        Forwarding::Tunnel(_) => "TUN".to_owned(),
    }
}

/// A time in seconds, with decimals where it needs some.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
