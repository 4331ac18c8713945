//! tmsh configuration text: what becomes of source and destination addresses.

use crate::common::{load, places, with};
use labsim_import::{Imported, Source, f5};

fn import(text: &str) -> Result<Imported, String> {
    f5::import(&[Source::new("x.conf", text)]).map_err(|diagnostics| diagnostics.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"))
}

/// A SNAT pool with these addresses, a pool with these members, and a virtual server.
fn snat(addresses: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|one| format!("{one}:49 {{ }} ")).collect();
    format!(
        "ltm snatpool s {{ members {{ {addresses} }} }}\nltm pool p {{ members {{ {members}}} }}\n\
         ltm virtual vs {{ destination 172.16.4.99:49 ip-protocol tcp pool p snatpool s }}\n"
    )
}

#[test]
fn source_address_translation_is_imported() {
    let pools = "ltm snatpool s { members { /Common/10.9.9.1 named } }\n\
                 ltm snat-translation named { address 10.9.9.2 inherited-traffic-group true }\n";
    for (lines, expected) in [
        ("    source-address-translation {\n        type automap\n    }\n", "automap"),
        ("    source-address-translation { type automap }\n", "automap"),
        ("    snat automap\n", "automap"),
        (
            "    source-address-translation {\n        pool s\n        type snat\n    }\n",
            "{snat: [10.9.9.1, 10.9.9.2]}",
        ),
        ("    snatpool s\n", "{snat: [10.9.9.1, 10.9.9.2]}"),
    ] {
        let text = format!("{pools}{}", with(lines).replace("profiles {\n        ipip\n    }", ""))
            .replace("translate-address disabled", "translate-address enabled");
        let imported = imported(&text);
        load(&imported);
        let expected = format!("        source_address_translation: {expected}\n");
        assert!(imported.scenario.contains(&expected), "{lines}: {}", imported.scenario);
        assert!(imported.scenario.contains("translate_address: true"));
        assert!(imported.scenario.contains("result: pass, source: 172.16.4.99"));
        assert_eq!(imported.warnings, [], "{lines}");
    }
    for lines in ["", "    source-address-translation { type none }\n", "    snat none\n"] {
        assert!(!imported(&with(lines)).scenario.contains("source_address_translation"), "{lines}");
    }
}

#[test]
fn a_snat_address_among_the_servers_brings_the_load_balancer_there() {
    let near = imported(&snat("10.1.1.9", &["10.1.1.51"]));
    load(&near);
    assert!(near.topology.contains("\"router:servers\", \"lb:eth0\", \"rs1:eth0\""));
    assert_eq!(near.warnings, []);
    // It has one interface, so one of two segments has to do without it.
    let both = imported(&snat("10.1.1.9 10.2.2.9", &["10.1.1.51", "10.2.2.51"]));
    load(&both);
    let [warning] = both.warnings.as_slice() else { panic!("{:?}", both.warnings) };
    assert!(warning.line == 3 && warning.why.contains("resolve its SNAT address"), "{warning}");
    let far = imported(&snat("10.9.9.9", &["10.1.1.51"]));
    load(&far);
    assert!(far.topology.contains("\"lb:eth0\", \"router:lb\""), "{}", far.topology);
    assert_eq!(far.warnings, []);
}

#[test]
fn a_virtual_server_s_own_address_is_none_of_its_snat_addresses() {
    let some = imported(&snat("172.16.4.99 10.9.9.9", &["10.1.1.51"]));
    load(&some);
    assert!(some.scenario.contains("{snat: [10.9.9.9]}"), "{}", some.scenario);
    assert_eq!(places(&some.not_imported), ["3: ltm virtual vs: SNAT address 172.16.4.99"]);
    let none = import(&snat("172.16.4.99", &["10.1.1.51"])).unwrap_err();
    assert!(none.contains("none of its SNAT addresses is imported"), "{none}");
}

#[test]
fn destination_translation_alone_is_expected_to_fail() {
    let text = with("")
        .replace("profiles {\n        ipip\n    }", "")
        .replace("address disabled", "address enabled");
    let imported = imported(&text);
    load(&imported);
    assert!(imported.scenario.contains("answer: {result: timeout}"));
    assert!(imported.scenario.contains("password: indigo, timeout: 1}"));
    assert!(!imported.scenario.contains("real_servers:"));
    assert!(imported.warnings[0].why.contains("the source is not"));
}

#[test]
fn servers_know_the_address_that_the_client_is_translated_to() {
    let imported = imported(&with("    snat automap\n"));
    assert!(imported.scenario.contains("clients: [172.16.0.10]\n"));
    let plain = with("    snat automap\n")
        .replace("profiles {\n        ipip\n    }", "")
        .replace("address disabled", "address enabled");
    assert!(self::imported(&plain).scenario.contains("clients: [172.16.0.10]\n"));
}
