//! `ltm profile tcp` and `udp`: idle timeouts, and what labsim's flows do not have.

use crate::common::{imported, lb, load, places, problem, with};
use labsim_import::{Imported, f5};
use labsim_scenario::model::PvaAcceleration;

/// What becomes of a virtual server of UDP with these profiles.
fn of_udp(stanzas: &str, profiles: &str) -> Imported {
    let text = with(&format!("    profiles {{\n        {profiles}\n    }}\n"))
        .replace(":49", ":1812")
        .replace("protocol tcp", "protocol udp");
    imported(f5::import, "x.conf", &format!("{text}{stanzas}"))
}

fn idle_timeout(imported: &Imported) -> u32 {
    lb(&load(imported)).virtual_servers.values().next().unwrap().fastl4.idle_timeout
}

#[test]
fn idle_timeouts_of_udp_and_tcp_profiles_are_the_flows() {
    let own = "ltm profile udp u { defaults-from v }\nltm profile udp v { defaults-from udp idle-timeout 7 }\n";
    for (stanzas, profiles, seconds) in
        [(own, "u { }", 7), ("", "udp { }", 60), ("", "tcp { }", 300), ("", "fastL4 { }", 300)]
    {
        let imported = of_udp(stanzas, profiles);
        assert_eq!(imported.not_imported, [], "{profiles}");
        assert_eq!(idle_timeout(&imported), seconds, "{profiles}");
    }
    let tcp = "ltm profile tcp t { idle-timeout 9 reset-on-timeout disabled nagle enabled }\n";
    let imported = imported(
        f5::import,
        "x.conf",
        &format!("{}{tcp}", with("    profiles {\n        t { context all }\n    }\n")),
    );
    let fastl4 = lb(&load(&imported)).virtual_servers.values().next().unwrap().fastl4;
    assert_eq!((fastl4.idle_timeout, fastl4.reset_on_timeout), (9, false));
    let [note] = imported.not_imported.as_slice() else { panic!("{:?}", imported.not_imported) };
    assert_eq!(note.what, "ltm profile tcp t: nagle");
    assert!(note.why.contains("end no TCP connection"), "{note}");
}

#[test]
fn the_acceleration_of_a_fastl4_profile_is_taken_over_as_it_is_written() {
    let acceleration = |setting: &str| {
        let profile = format!("ltm profile fastl4 p {{ defaults-from fastL4 {setting} }}\n");
        let text = format!("{}{profile}", with("    profiles { p { } }\n"));
        let imported = imported(f5::import, "x.conf", &text);
        let fastl4 = lb(&load(&imported)).virtual_servers.values().next().unwrap().fastl4;
        (fastl4.pva_acceleration, imported.not_imported.len())
    };
    for (setting, expected, notes) in [
        ("", PvaAcceleration::None, 0),
        ("pva-acceleration none", PvaAcceleration::None, 0),
        ("pva-acceleration partial", PvaAcceleration::Partial, 0),
        ("pva-acceleration full", PvaAcceleration::Full, 0),
        ("pva-acceleration guaranteed", PvaAcceleration::Full, 1),
        ("pva-acceleration dedicated", PvaAcceleration::Full, 1),
    ] {
        assert_eq!(acceleration(setting), (expected, notes), "{setting}");
    }
}

#[test]
fn balancing_of_datagrams_is_the_virtual_servers_where_it_keeps_no_flow() {
    let profile = "ltm profile udp u {\n    datagram-load-balancing enabled\n}\n";
    let off = profile.replace("enabled", "disabled");
    let is_on = |imported: &Imported| {
        lb(&load(imported)).virtual_servers.values().next().unwrap().datagram_load_balancing
    };
    for (profile, expected) in [(profile, true), (&off, false)] {
        let imported = of_udp(profile, "u { }");
        assert_eq!((imported.not_imported.len(), is_on(&imported)), (0, expected), "{profile}");
    }
    let tcp = format!("{}{profile}", with("    profiles { u { } }\n"));
    let snat = format!(
        "{}{profile}",
        with("    profiles { u { } }\n    source-address-translation { type automap }\n")
            .replace("translate-address disabled", "translate-address enabled")
            .replace(":49", ":1812")
            .replace("protocol tcp", "protocol udp")
    );
    for (text, why) in [(tcp, "it is for UDP"), (snat, "needs a flow")] {
        let imported = imported(f5::import, "x.conf", &text);
        assert!(!is_on(&imported));
        let note = imported.not_imported.iter().find(|it| it.what.contains("datagram"));
        assert!(note.is_some_and(|note| note.why.contains(why)), "{:?}", imported.not_imported);
    }
}

#[test]
fn mirroring_of_connections_is_the_virtual_servers() {
    let imported = imported(f5::import, "x.conf", &with("    mirror enabled\n"));
    assert_eq!(imported.not_imported, []);
    assert!(lb(&load(&imported)).virtual_servers.values().all(|server| server.mirror));
}

#[test]
fn a_second_profile_is_listed_or_refused() {
    let two = of_udp(
        "ltm profile udp a { idle-timeout 5 }\nltm profile udp b { idle-timeout 6 }\n",
        "a { } b { }",
    );
    assert_eq!(idle_timeout(&two), 5);
    assert!(places(&two.not_imported)[0].ends_with("ltm virtual vs: profiles b"));
    let unused = of_udp("ltm profile udp a { idle-timeout 5 }\n", "udp { }");
    assert!(places(&unused.not_imported)[0].ends_with("ltm profile udp a"));
    let mixed = with("    profiles {\n        fastL4 { } tcp { }\n    }\n");
    let problem = problem(f5::import, "x.conf", &mixed);
    assert!(problem.contains("a virtual server has one fastL4 profile"), "{problem}");
}
