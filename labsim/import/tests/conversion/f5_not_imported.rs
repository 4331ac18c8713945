//! What is not imported is listed with its place and why; nothing is dropped in silence.

use crate::common::{load, places};
use labsim_import::{Imported, Source, f5};

/// A lab, to which each case adds something.
const BASE: &str = "\
ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { ipip } }
ltm virtual vs {
    destination 172.16.4.99:49
    ip-protocol tcp
    pool p
    translate-address disabled
}
";

fn imported(text: &str) -> Imported {
    let imported = f5::import(&[Source::new("x.conf", text)]);
    imported.unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"))
}

#[test]
fn the_base_leaves_nothing_out() {
    assert_eq!(imported(BASE).not_imported, []);
}

#[test]
fn whole_stanzas_are_listed() {
    for (stanza, what, why) in [
        ("ltm rule /Common/r {\n}", "ltm rule r", "iRules"),
        ("ltm monitor http m { interval 5 }", "ltm monitor http m", "monitors"),
        ("ltm profile tcp t { }", "ltm profile tcp t", "no virtual server"),
        ("ltm snat s { automap }", "ltm snat s", "virtual servers only"),
        ("net vlan v { interfaces { 1.1 { } } }", "net vlan v", "no VLANs"),
        ("sys global-settings { hostname x }", "sys global-settings", "configures the device"),
        ("cm trust-domain Root { }", "cm trust-domain Root", "configures the device"),
        (
            "security firewall rule-list /P/x { }",
            "security firewall rule-list /P/x",
            "not support this module",
        ),
        ("frobnicate y { }", "frobnicate y", "unknown stanza"),
        ("ltm pool other { members none }", "ltm pool other", "no virtual server"),
        ("ltm node n { address 10.3.3.3 }", "ltm node n", "no virtual server"),
        (
            "ltm snat-translation t { address 10.9.9.9 }",
            "ltm snat-translation t",
            "no virtual server",
        ),
        (
            "ltm virtual-address 10.9.9.9 { address 10.9.9.9 }",
            "ltm virtual-address 10.9.9.9",
            "no virtual server",
        ),
        ("net tunnels ipip t { defaults-from ipip }", "net tunnels ipip t", "no virtual server"),
        ("ltm snatpool s { members { 10.9.9.9 } }", "ltm snatpool s", "no virtual server"),
        ("ltm profile fastl4 f { }", "ltm profile fastl4 f", "no virtual server"),
        ("net route r { gw 10.0.0.1 network 10.9.0.0/16 }", "net route r", "one router"),
        ("net self s { address fe80::2/64 }", "net self s", "link-local"),
        (
            "net self s { address 2001:db8::2/64 }",
            "own address 2001:db8::2/64",
            "nothing else in the lab is of its address family",
        ),
        (
            "ltm virtual six { destination fe80::99.49 ip-protocol tcp pool p }",
            "ltm virtual six",
            "link-local",
        ),
        (
            "ltm virtual wild { destination any:any ip-protocol tcp pool p }",
            "ltm virtual wild",
            "every address",
        ),
        (
            "ltm virtual net { destination 172.16.5.0:49 mask 255.255.255.0 ip-protocol tcp pool p }",
            "ltm virtual net",
            "for a network",
        ),
        (
            "ltm virtual off { disabled destination 172.16.4.98:49 ip-protocol tcp pool p }",
            "ltm virtual off",
            "is disabled",
        ),
        (
            "ltm virtual sctp { destination 172.16.4.98:49 ip-protocol sctp pool p }",
            "ltm virtual sctp",
            "TCP or UDP",
        ),
        (
            "ltm virtual none { destination 172.16.4.98:49 ip-protocol tcp }",
            "ltm virtual none",
            "no pool",
        ),
        (
            "ltm virtual gone { destination 172.16.4.98:49 ip-protocol tcp pool gone }",
            "ltm virtual gone",
            "`gone` is in none",
        ),
        (
            "ltm virtual snat { destination 172.16.4.98:49 ip-protocol tcp pool p snatpool gone }",
            "ltm virtual snat",
            "SNAT pool `gone` is in none",
        ),
        (
            "ltm virtual same { destination 172.16.4.99:49 ip-protocol tcp pool p }",
            "ltm virtual same",
            "has the same destination (x.conf:2)",
        ),
        (
            "ltm virtual self { destination 10.1.1.51:49 ip-protocol tcp pool p }",
            "ltm virtual self",
            "member of its own pool",
        ),
    ] {
        let imported = imported(&format!("{BASE}{stanza}\n"));
        let [note] = imported.not_imported.as_slice() else {
            panic!("{stanza}: {:?}", imported.not_imported)
        };
        assert_eq!((note.file.as_str(), note.line, note.what.as_str()), ("x.conf", 8, what));
        assert!(note.why.contains(why), "{stanza}: {}", note.why);
        assert_eq!(imported.scenario, self::imported(BASE).scenario, "{stanza}");
    }
}

#[test]
fn properties_are_listed_one_by_one() {
    for (line, what) in [
        ("rules { /Common/r }", "ltm virtual vs: rules"),
        ("persist { cookie { default yes } }", "ltm virtual vs: persist cookie"),
        ("vlans { /Common/v }", "ltm virtual vs: vlans"),
        ("vlans-enabled", "ltm virtual vs: vlans-enabled"),
        ("source 10.0.0.0/8", "ltm virtual vs: source"),
        ("description \"two words\"", "ltm virtual vs: description"),
        ("vs-index 3", "ltm virtual vs: vs-index"),
        ("profiles { tcp { context clientside } }", "ltm virtual vs: profiles tcp: context"),
        ("never-heard-of 1", "ltm virtual vs: never-heard-of"),
        (
            "security-log-profiles { \"/Common/Log all requests\" }",
            "ltm virtual vs: security-log-profiles",
        ),
    ] {
        let text = BASE.replace("    pool p\n", &format!("    pool p\n    {line}\n"));
        let imported = imported(&text);
        assert_eq!(places(&imported.not_imported)[0], format!("6: {what}"), "{line}");
    }
}

#[test]
fn what_says_that_there_is_nothing_is_not_listed() {
    let nothing = "    pool p\n    app-service none\n    rules none\n    persist none\n    source 0.0.0.0/0\n    \
                   mask 255.255.255.255\n    enabled\n    vlans { }\n    profiles { fastL4 { context all } }\n";
    assert_eq!(imported(&BASE.replace("    pool p\n", nothing)).not_imported, []);
}

#[test]
fn members_that_are_not_imported_are_listed() {
    for (member, why) in [
        ("aaa.example:49 { }", "no DNS"),
        ("aaa.example:49 { address any6 }", "no DNS"),
        ("fe80::52.49 { address fe80::52 }", "link-local"),
        ("10.1.1.52:49 { address 10.1.1.51 }", "duplicate member (x.conf:1)"),
    ] {
        let imported = imported(
            &BASE.replace("} profiles", &format!("{member} }} profiles")).replace("} }  }", "} }"),
        );
        let note = &imported.not_imported[0];
        assert!(note.what.starts_with("ltm pool p: member "), "{note}");
        assert!(note.why.contains(why), "{note}");
        assert!(!imported.scenario.contains("10.1.1.52"));
        load(&imported);
    }
}

#[test]
fn route_domains_are_removed_and_reported() {
    let text = BASE
        .replace("10.1.1.51:49 { address 10.1.1.51 }", "10.1.1.51%2:49 { address 10.1.1.51%2 }")
        .replace("172.16.4.99:49", "172.16.4.99%2:49");
    let imported = imported(&text);
    assert_eq!(
        places(&imported.not_imported),
        ["1: ltm pool p: member 10.1.1.51%2:49: route domain", "3: ltm virtual vs: route domain"]
    );
    load(&imported);
}

#[test]
fn values_which_may_be_secrets_are_never_shown() {
    let monitor = "ltm monitor radius m {\n    password hunter2\n    secret hunter2\n}\n";
    let text = format!(
        "{}{monitor}",
        BASE.replace("pool p\n", "pool p\n    metadata { token { value hunter2 } }\n")
    );
    let imported = imported(&text);
    let output = format!("{:?}{}{}", imported.not_imported, imported.scenario, imported.topology);
    assert!(!output.contains("hunter2"), "{output}");
    assert_eq!(imported.not_imported.len(), 2);
}

#[test]
fn without_a_virtual_server_that_can_be_imported_the_reasons_are_reported() {
    let text = "ltm pool p { members { 10.1.1.51:80 { address 10.1.1.51 } } }\n\
                ltm virtual web { destination 172.16.4.99:http ip-protocol sctp pool p }\n";
    let expected = f5::import(&[Source::new("x.conf", text)]).unwrap_err().to_string();
    assert!(expected.contains("x.conf: no virtual server can be imported"), "{expected}");
    assert!(
        expected.starts_with(
            "x.conf:2:60: ltm virtual web: labsim's virtual servers accept TCP or UDP"
        ),
        "{expected}"
    );
    for text in ["", "\n\n# nothing\n"] {
        assert!(f5::import(&[Source::new("x.conf", text)]).is_err());
    }
    assert!(f5::import(&[]).is_err());
}

/// Others' findings: such a one beside a good one must neither stop the import nor be an ordinary one.
#[test]
fn virtual_servers_of_other_types_are_left_out_and_the_good_one_is_imported() {
    for (lines, why) in [
        ("destination 172.16.4.98:49 ip-protocol tcp reject", "of the type `reject`"),
        ("destination 172.16.4.98:49 ip-protocol tcp ip-forward", "of the type `ip-forward`"),
        ("destination 172.16.4.98:49 ip-protocol tcp internal", "of the type `internal`"),
    ] {
        let text = format!("{BASE}ltm virtual b {{ {lines} pool p translate-address disabled }}\n");
        let imported = imported(&text);
        let load_balancer = load(&imported).load_balancers.into_values().next().unwrap();
        assert_eq!(load_balancer.virtual_servers.keys().collect::<Vec<_>>(), ["vs"], "{lines}");
        let [note] = imported.not_imported.as_slice() else {
            panic!("{:?}", imported.not_imported)
        };
        assert!(note.what == "ltm virtual b" && note.why.contains(why), "{note}");
    }
}
