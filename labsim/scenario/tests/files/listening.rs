//! Where servers listen, and where a VIP is valid.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{NodeName, Scope};

fn listening(listen: &str) -> Files {
    let to = format!("users: {{u: p}}, listen: {listen}}}");
    Files::new(TOPOLOGY, &changed(SCENARIO, &[("users: {u: p}}", &to)]))
}

#[test]
fn a_server_listens_at_every_address_at_its_own_or_at_the_vip() {
    for (listen, expected) in [("any", &[][..]), ("own", &["10.1.1.52"]), ("vip", &["172.16.4.99"])]
    {
        let scenario = listening(listen).load().unwrap_or_else(|error| panic!("{error}"));
        let server = &scenario.tacacs_servers[&NodeName::new("rs2").unwrap()];
        let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, expected, "{listen}");
    }
}

#[test]
fn a_server_cannot_listen_at_a_vip_that_its_node_lacks() {
    let text = changed(
        SCENARIO,
        &[("users: {u: p}}", "users: {u: p}, listen: vip}"), ("    vip: 172.16.4.99\n", "")],
    );
    let found = shown(&Files::new(TOPOLOGY, &text).load().unwrap_err());
    let missing = |node: &str| {
        format!("case.yaml:13:87: `{node}` holds no VIP; give it one in `real_servers`")
    };
    assert!(is_as_expected(&found, &[&missing("rs1"), &missing("rs2")]), "{found:#?}");
}

#[test]
fn a_vip_has_scope_host_unless_the_file_says_otherwise() {
    for (vip, expected) in [
        ("172.16.4.99", Scope::Host),
        ("{address: 172.16.4.99, scope: link}", Scope::Link),
        ("{address: 172.16.4.99, scope: global}", Scope::Global),
    ] {
        let to = format!("    vip: {vip}\n");
        let text = changed(SCENARIO, &[("    vip: 172.16.4.99\n", &to)]);
        let scenario = Files::new(TOPOLOGY, &text).load().unwrap_or_else(|error| panic!("{error}"));
        let server = &scenario.real_servers[&NodeName::new("rs1").unwrap()];
        assert_eq!(server.vips[0].scope, expected, "{vip}");
    }
}
