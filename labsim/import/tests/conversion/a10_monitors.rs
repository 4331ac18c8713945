//! ACOS's health monitors, and where they are named.

use crate::common::{imported, lb, load, places, problem};
use labsim_import::{Imported, a10};
use labsim_scenario::model::{Monitor, MonitorKind};
use std::time::Duration;

/// A service group of two servers, with these lines in it, in the first server and in its port.
fn text(monitors: &str, [group, server, port]: [&str; 3]) -> String {
    format!(
        "{monitors}slb server a 10.1.1.51\n{server}  port 49 tcp\n{port}slb server b 10.1.1.52\n  port 49 tcp\n\
         slb service-group g tcp\n{group}  member a 49\n  member b 49\n\
         slb virtual-server v 172.16.4.99\n  port 49 tcp\n    service-group g\n    no-dest-nat\n    ipinip\n"
    )
}

fn monitor(imported: &Imported) -> Option<Monitor> {
    lb(&load(imported)).pools.values().next().unwrap().monitor.clone()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn a_service_groups_monitor_is_the_pools() {
    for (written, kind, times, port) in [
        ("health monitor m\n  method tcp\n", MonitorKind::Tcp, (5, 5, 1, 3), None),
        (
            "health monitor m\n  interval 10 timeout 2\n  retry 4\n  up-retry 2\n  method tcp port 49\n",
            MonitorKind::Tcp,
            (10, 2, 2, 4),
            Some(49),
        ),
        // As ACOS 2.7 writes it, and without indentation.
        (
            "health monitor m interval 3 retry 2 timeout 9\nmethod icmp\n",
            MonitorKind::Icmp,
            (3, 3, 1, 2),
            None,
        ),
    ] {
        let imported =
            imported(a10::import, "x.txt", &text(written, ["  health-check m\n", "", ""]));
        assert_eq!(imported.not_imported, [], "{written}");
        let found = monitor(&imported).unwrap();
        let (interval, timeout, rise, fall) = times;
        assert_eq!((found.kind, found.rise, found.fall), (kind, rise, fall), "{written}");
        assert_eq!((found.interval, found.timeout), (seconds(interval), seconds(timeout)));
        assert_eq!(found.port, port, "{written}");
    }
}

#[test]
fn a_monitor_of_tacacs_asks_the_labs_servers_and_its_secret_is_not_printed() {
    let written =
        "health monitor m\n  method tacplus username u password hunter2 secret hunter2 port 49\n";
    let imported = imported(a10::import, "x.txt", &text(written, ["  health-check m\n", "", ""]));
    assert_eq!(imported.not_imported, []);
    assert_eq!(places(&imported.warnings), ["1: health monitor m: method tacplus"]);
    let found = monitor(&imported).unwrap();
    assert_eq!((found.kind, found.port), (MonitorKind::Tacacs, Some(49)));
    assert!(!imported.scenario.contains("hunter2"), "{}", imported.scenario);
    // The client and the load balancer.
    let clients = imported.scenario.lines().find(|line| line.contains("clients: [")).unwrap();
    assert_eq!(clients.matches(',').count(), 1, "{clients}");
}

#[test]
fn a_servers_or_a_ports_monitor_is_the_pools_where_the_group_has_none() {
    let monitors = "health monitor m\n  method tcp\nhealth monitor n\n  method icmp\n";
    let of_port = ["", "", "    health-check m\n"];
    let of_port = imported(a10::import, "x.txt", &text(monitors, of_port));
    assert_eq!(monitor(&of_port).unwrap().kind, MonitorKind::Tcp);
    assert_eq!(places(&of_port.not_imported), ["3: health monitor n"]);
    assert_eq!(places(&of_port.warnings), ["7: slb service-group g: health-check"]);
    let of_server = imported(a10::import, "x.txt", &text(monitors, ["", "  health-check n\n", ""]));
    assert_eq!(monitor(&of_server).unwrap().kind, MonitorKind::Icmp);
    // The port's goes before the server's, which no member then has.
    let both = ["", "  health-check n\n", "    health-check m\n"];
    let both = imported(a10::import, "x.txt", &text(monitors, both));
    assert_eq!(monitor(&both).unwrap().kind, MonitorKind::Tcp);
    assert_eq!(
        places(&both.not_imported),
        ["3: health monitor n", "6: slb server a: health-check n"]
    );
}

#[test]
fn what_labsims_monitors_cannot_do_is_listed() {
    for (written, what, why) in [
        (
            "health monitor m\n  method http url GET /\n",
            "health monitor m: method http",
            "are tcp, radius, tacplus and icmp",
        ),
        (
            "health monitor m\n  method radius username u secret s\n",
            "slb service-group g: monitor",
            "are no RADIUS servers at port 49",
        ),
        ("health monitor m\n  retry 2\n", "health monitor m", "no `method`"),
        ("", "slb service-group g: health-check m", "in none of the imported files"),
        (
            "health monitor m\n  method tcp\n  override-ipv4 10.0.0.1\n",
            "health monitor m: override-ipv4",
            "no such option",
        ),
        (
            "health monitor m\n  method tcp port 49 send x\n",
            "health monitor m: method tcp send",
            "makes a connection",
        ),
    ] {
        let imported =
            imported(a10::import, "x.txt", &text(written, ["  health-check m\n", "", ""]));
        let [note] = imported.not_imported.as_slice() else {
            panic!("{:?}", imported.not_imported)
        };
        assert_eq!(note.what, what, "{written}");
        assert!(note.why.contains(why), "{note}");
    }
    let wrong =
        text("health monitor m\n  interval soon\n  method tcp\n", ["  health-check m\n", "", ""]);
    let problem = problem(a10::import, "x.txt", &wrong);
    assert!(problem.starts_with("x.txt:2:3: `soon` is not a number for interval"), "{problem}");
}
