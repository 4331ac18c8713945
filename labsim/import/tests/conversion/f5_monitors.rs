//! Monitors of F5: which a lab has, with their times, and what is listed of the others.

use crate::common::{imported, lb, load, places, with_load_balancers};
use labsim_import::{Imported, export, f5};
use labsim_scenario::model::{ActionOnDown, Monitor, MonitorKind, Pool};
use std::time::Duration;

/// A pool with these lines and virtual servers of these ports and protocols, beside stanzas.
fn with_pool(pool: &str, virtuals: &[(u16, &str)], stanzas: &str) -> Imported {
    let port = virtuals[0].0;
    let virtuals = virtuals.iter().map(|(port, protocol)| {
        format!(
            "ltm virtual v{port}{protocol} {{ destination 172.16.4.99:{port}\nip-protocol {protocol}\n\
             pool p\ntranslate-address disabled }}\n"
        )
    });
    let text = format!(
        "ltm pool p {{\n{pool}\nmembers {{ 10.1.1.51:{port} {{ address 10.1.1.51 }} }}\nprofiles {{ \
         ipip }}\n}}\n{}{stanzas}",
        virtuals.collect::<String>()
    );
    imported(f5::import, "lb.conf", &text)
}

fn pool(imported: &Imported) -> Pool {
    lb(&load(imported)).pools["p"].clone()
}

fn times(monitor: &Monitor) -> (u64, u64, u16) {
    (monitor.interval.as_secs(), monitor.timeout.as_secs(), monitor.fall)
}

#[test]
fn a_monitor_has_the_times_of_its_stanza_and_of_what_it_inherits() {
    for (monitor, stanza, kind, expected) in [
        ("tcp", "", MonitorKind::Tcp, (5, 1, 3)),
        ("/Common/gateway_icmp", "", MonitorKind::Icmp, (5, 1, 3)),
        ("icmp", "", MonitorKind::Icmp, (5, 1, 3)),
        ("m", "ltm monitor tcp m { interval 10\n timeout 31 }", MonitorKind::Tcp, (10, 1, 3)),
        ("m", "ltm monitor tcp m { interval 5\n timeout 15 }", MonitorKind::Tcp, (5, 5, 2)),
        ("m", "ltm monitor tcp m { interval 5\n timeout 3 }", MonitorKind::Tcp, (5, 1, 1)),
        (
            "n",
            "ltm monitor gateway-icmp m { timeout 9 }\nltm monitor gateway-icmp n { defaults-from m\n\
             interval 2 }",
            MonitorKind::Icmp,
            (2, 1, 4),
        ),
    ] {
        let imported = with_pool(&format!("monitor {monitor}"), &[(49, "tcp")], stanza);
        let found = pool(&imported).monitor.unwrap();
        assert_eq!((found.kind, times(&found)), (kind, expected), "{monitor} {stanza}");
        assert_eq!(places(&imported.not_imported), [""; 0], "{monitor}");
    }
}

#[test]
fn of_several_monitors_one_is_used_and_the_others_are_listed() {
    for (monitor, kind, listed, warned) in [
        ("gateway_icmp and tcp", MonitorKind::Tcp, "monitor gateway_icmp", 0),
        ("min 1 of { gateway_icmp http }", MonitorKind::Icmp, "monitor http", 1),
        ("min 2 of { tcp icmp }", MonitorKind::Tcp, "monitor icmp", 0),
        ("radius and tcp", MonitorKind::Tcp, "monitor radius", 0),
        ("tcp_half_open and icmp", MonitorKind::Tcp, "monitor icmp", 1),
    ] {
        let imported = with_pool(&format!("monitor {monitor}"), &[(49, "tcp")], "");
        assert_eq!(pool(&imported).monitor.unwrap().kind, kind, "{monitor}");
        assert_eq!(places(&imported.not_imported), [format!("2: ltm pool p: {listed}")]);
        assert_eq!(imported.warnings.len(), warned, "{monitor}: {:?}", imported.warnings);
    }
    let imported = with_pool("monitor https", &[(49, "tcp")], "");
    assert_eq!(pool(&imported).monitor, None);
    assert_eq!(places(&imported.not_imported), ["2: ltm pool p: monitor https"]);
}

#[test]
fn a_transparent_monitor_goes_through_the_tunnel_and_its_answers_are_no_replies() {
    let stanza = "ltm monitor tcp m { destination 172.16.4.99:49\n transparent enabled }";
    let imported = with_pool("monitor m", &[(49, "tcp")], stanza);
    assert!(pool(&imported).monitor.unwrap().transparent);
    let matched = "{direction: in, source: 172.16.4.99, destination: 192.168.11.201}";
    assert!(imported.scenario.contains(matched), "{}", imported.scenario);
    assert_eq!(places(&imported.not_imported), [""; 0]);
}

#[test]
fn a_monitor_that_nothing_in_the_lab_answers_is_listed() {
    let stanza = "ltm monitor tcp m { destination *:8081 }";
    for (monitor, virtuals, why) in [
        ("tcp", [(1812, "udp")].as_slice(), "TCP port 1812"),
        ("m", &[(80, "tcp")], "TCP port 8081"),
    ] {
        let imported = with_pool(&format!("monitor {monitor}"), virtuals, stanza);
        assert_eq!(pool(&imported).monitor, None);
        let note = imported.not_imported.iter().find(|one| one.what == "ltm pool p: monitor");
        assert!(note.unwrap().why.contains(why), "{:?}", imported.not_imported);
    }
    // ICMP is answered whatever the service.
    assert!(pool(&with_pool("monitor icmp", &[(1812, "udp")], "")).monitor.is_some());
}

#[test]
fn a_radius_monitor_asks_the_labs_servers_which_know_the_load_balancer() {
    let stanza = "ltm monitor radius m { username u\n password hunter2\n secret hunter2 }\n\
                  net self s { address 172.16.0.10/24 }";
    for (port, monitor) in [(1812, "m"), (1813, "radius_accounting")] {
        let imported = with_pool(&format!("monitor {monitor}"), &[(port, "udp")], stanza);
        let found = pool(&imported).monitor.unwrap();
        assert_eq!((found.kind, times(&found)), (MonitorKind::Radius, (10, 1, 3)), "{monitor}");
        let clients = "clients: [192.168.11.201, 172.16.0.10]";
        assert!(imported.scenario.contains(clients), "{}", imported.scenario);
        assert_eq!(imported.warnings.len(), 1, "{:?}", imported.warnings);
        let all = imported.not_imported.iter().chain(&imported.warnings);
        assert!(all.into_iter().all(|it| !it.to_string().contains("hunter2")));
    }
    let listed = with_pool("monitor m", &[(1812, "udp")], stanza).not_imported;
    let of_monitor =
        ["username", "password", "secret"].map(|it| format!("ltm monitor radius m: {it}"));
    assert_eq!(listed.iter().map(|it| it.what.clone()).collect::<Vec<_>>(), of_monitor);
    // TACACS+ servers do not answer it.
    let imported = with_pool("monitor m", &[(49, "tcp")], stanza);
    assert_eq!(pool(&imported).monitor, None);
    let note = imported.not_imported.iter().find(|one| one.what == "ltm pool p: monitor");
    assert!(note.unwrap().why.contains("are no RADIUS servers at port 49"));
}

#[test]
fn what_happens_to_flows_of_a_member_that_is_down_is_carried_over() {
    for (word, action, listed) in [
        ("reset", ActionOnDown::Reset, 0),
        ("reselect", ActionOnDown::Reselect, 0),
        ("none", ActionOnDown::None, 0),
        ("drop", ActionOnDown::None, 1),
    ] {
        let lines = format!("service-down-action {word}\nmonitor tcp");
        let imported = with_pool(&lines, &[(49, "tcp")], "");
        assert_eq!(pool(&imported).action_on_down, action);
        assert_eq!(imported.not_imported.len(), listed, "{word}");
    }
    // Without a monitor no member is down.
    let imported = with_pool("service-down-action reset", &[(49, "tcp")], "");
    assert_eq!(places(&imported.not_imported), ["2: ltm pool p: service-down-action"]);
}

#[test]
fn other_properties_and_unused_monitors_are_listed() {
    let stanza = "ltm monitor tcp m { recv hunter2\n send none\n time-until-up 5\n adaptive disabled\n\
                  destination 10.9.9.9:80 }\nltm monitor icmp unused { }";
    let imported = with_pool("monitor m", &[(49, "tcp")], stanza);
    assert_eq!(
        places(&imported.not_imported),
        [
            "10: ltm monitor tcp m: recv",
            "12: ltm monitor tcp m: time-until-up",
            "14: ltm monitor tcp m: destination",
            "15: ltm monitor icmp unused",
        ]
    );
    assert!(imported.not_imported.iter().all(|note| !note.to_string().contains("hunter2")));
    for (stanza, expected) in [
        ("ltm monitor tcp m { interval x }", "`x` is not a time"),
        ("ltm monitor tcp m { destination *:nowhere }", "`*:nowhere` has no port that is known"),
    ] {
        let text = format!(
            "ltm pool p {{ monitor m\nmembers {{ 10.1.1.51:49 {{ address 10.1.1.51 }} }} }}\n\
             ltm virtual v {{ destination 172.16.4.99:49\nip-protocol tcp\npool p }}\n{stanza}"
        );
        let problem = crate::common::problem(f5::import, "lb.conf", &text);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn an_exported_monitor_comes_back() {
    for monitor in [
        "tcp",
        "icmp",
        "{tcp: {interval: 2s, timeout: 2s, fall: 4}}",
        "{icmp: {interval: 86400s, timeout: 1s, fall: 1}}",
    ] {
        let before = with_load_balancers(&format!(
            "  lb: {{virtual_servers: {{vs: {{destination: 172.16.4.99:49, pool: p}}}}, pools: {{p: \
             {{profile: ipip, monitor: {monitor}, action_on_down: reselect, members: [10.1.1.51:49]}}}}}}\n"
        ));
        let text = export::f5(&before);
        let imported = imported(f5::import, "lb.conf", &text);
        assert_eq!(imported.not_imported, [], "{text}");
        let (found, expected) = (pool(&imported), lb(&before).pools["p"].clone());
        if monitor.contains("86400") {
            // A day is the longest time.
            assert_eq!(found.monitor.unwrap().interval, Duration::from_secs(86_400));
            continue;
        }
        assert_eq!(found, expected, "{text}");
    }
}
