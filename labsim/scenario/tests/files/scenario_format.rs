//! What a valid scenario may leave to be inferred, and the ways to write it.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed};
use labsim_scenario::model::{
    Check, Count, Direction, ExchangeForm, FrameMatch, GreOptions, LoadBalancingMode, LoginMethod,
    Maglev, MaglevHash, NodeName, OuterSource, Persistence, PointNode, Profile, RadiusQuestion,
    RealServer, Scenario, SourceAddress, SourceTranslation, StepAction, TunnelKind,
};

fn scenario(changes: &[(&str, &str)]) -> Scenario {
    let files = Files::new(TOPOLOGY, &changed(SCENARIO, changes));
    files.load().unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn server<'a>(scenario: &'a Scenario, name: &str) -> &'a RealServer {
    &scenario.real_servers[&NodeName::new(name).unwrap()]
}

/// The exchange's direction and rows.
fn exchange(scenario: &Scenario) -> (Option<Direction>, Vec<FrameMatch>) {
    let exchange = |check: &Check| match check {
        Check::Exchange { direction, frames, .. } => Some((*direction, frames.clone())),
        _ => None,
    };
    scenario.expectations.iter().find_map(|one| exchange(&one.check)).unwrap()
}

#[test]
fn defaults_are_those_of_the_formats_description() {
    let lab = scenario(&[]);
    let (_, balancer) = lab.load_balancers.first_key_value().unwrap();
    assert_eq!(balancer.outer_source, OuterSource::Client);
    let server = balancer.virtual_servers.values().next().unwrap();
    assert!(!server.translate_address && server.translate_port);
    assert!(!server.fastl4.loose_initiation && !server.fastl4.loose_close);
    assert_eq!(server.fastl4.idle_timeout, 300);
    assert!(server.fastl4.reset_on_timeout);
    assert_eq!(balancer.pools.values().next().unwrap().profile, Profile::Ipip);
    let StepAction::Exchange(exchange) = &lab.steps[0].action else { panic!() };
    let ExchangeForm::TacacsLogin(login) = &exchange.form else { panic!() };
    assert_eq!(login.secret.expose_text(), "s");
    assert_eq!(lab.tacacs_servers.len(), 2);
    assert!(lab.tacacs_servers.values().all(|server| server.port == 49));
}

#[test]
fn flows_are_shared_in_turn_unless_it_is_said() {
    let pool = |text: &str| {
        let lab = scenario(&[("profile: ipip, members: [10.1.1.51:49, 10.1.1.52:49]", text)]);
        let (_, balancer) = lab.load_balancers.first_key_value().unwrap();
        let pool = balancer.pools.values().next().unwrap();
        (pool.load_balancing_mode, pool.members.iter().map(|one| one.ratio).collect::<Vec<_>>())
    };
    let maglev = |hash, table_size| LoadBalancingMode::Maglev(Maglev { hash, table_size });
    let usual = maglev(MaglevHash::FiveTuple, 65_537);
    for (mode, expected) in [
        ("", LoadBalancingMode::RoundRobin),
        ("load_balancing_mode: round_robin, ", LoadBalancingMode::RoundRobin),
        ("load_balancing_mode: ratio, ", LoadBalancingMode::Ratio),
        ("load_balancing_mode: least_connections, ", LoadBalancingMode::LeastConnections),
        (
            "load_balancing_mode: ratio_least_connections, ",
            LoadBalancingMode::RatioLeastConnections,
        ),
        ("load_balancing_mode: maglev, ", usual),
        ("load_balancing_mode: {maglev: {}}, ", usual),
        (
            "load_balancing_mode: {maglev: {hash: source_address, table_size: 251}}, ",
            maglev(MaglevHash::SourceAddress, 251),
        ),
    ] {
        let members = "members: [10.1.1.51:49, {address: 10.1.1.52:49, ratio: 0}]";
        assert_eq!(pool(&format!("{mode}{members}")), (expected, vec![1, 0]), "{mode}");
    }
}

#[test]
fn clients_persist_if_it_is_said() {
    let persistence = |text: &str| {
        let lab = scenario(&[("pool: p}", &format!("pool: p{text}}}"))]);
        let (_, balancer) = lab.load_balancers.first_key_value().unwrap();
        balancer.virtual_servers.values().next().unwrap().persistence
    };
    let source_address = |timeout, prefix_length| {
        Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
    };
    assert_eq!(persistence(""), Persistence::None);
    assert_eq!(persistence(", persistence: none"), Persistence::None);
    assert_eq!(persistence(", persistence: source_address"), source_address(180, None));
    let options = ", persistence: {source_address: {timeout: 7, prefix_length: 24}}";
    assert_eq!(persistence(options), source_address(7, Some(24)));
}

#[test]
fn a_tunnel_has_the_servers_own_address_unless_it_is_said() {
    let address = |tunnel: &str| {
        let lab = scenario(&[("tunnel: ipip", tunnel)]);
        let tunnel = server(&lab, "rs2").tunnels[0].clone();
        (tunnel.name.to_string(), tunnel.address.map(|address| address.to_string()))
    };
    let tunl0 = "tunl0".to_owned();
    assert_eq!(address("tunnel: ipip"), (tunl0.clone(), Some("10.1.1.52".to_owned())));
    assert_eq!(address("tunnel: {mode: ipip, address: none}"), (tunl0.clone(), None));
    assert_eq!(
        address("tunnel: {mode: ipip, address: 10.9.9.9}"),
        (tunl0, Some("10.9.9.9".to_owned()))
    );
}

#[test]
fn the_own_address_is_the_one_that_the_pool_knows() {
    let topology =
        changed(TOPOLOGY, &[("eth0: 10.1.1.52/24", "eth0: [10.1.1.152/24, 10.1.1.52/24]")]);
    let lab = Files::new(&topology, SCENARIO).load().unwrap();
    let tunnel = server(&lab, "rs2").tunnels[0].clone();
    assert_eq!(tunnel.address.unwrap().to_string(), "10.1.1.52");
}

#[test]
fn vips_are_labelled_in_turn() {
    let lab = scenario(&[(
        "    vip: 172.16.4.99",
        "    vip: [172.16.4.99, {address: 172.16.4.100, label: \"lo:vip\"}, \"2001:db8::99\", 172.16.4.101]",
    )]);
    let vips: Vec<String> = server(&lab, "rs1")
        .vips
        .iter()
        .map(|vip| {
            format!("{} {} {}", vip.address, vip.interface, vip.label.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        vips,
        [
            "172.16.4.99 lo lo:0",
            "172.16.4.100 lo lo:vip",
            "2001:db8::99 lo -",
            "172.16.4.101 lo lo:2"
        ]
    );
}

#[test]
fn the_direction_of_a_row_follows_from_who_sends_it_and_where() {
    let ways = |at: &str| {
        let (only, frames) = exchange(&scenario(&[("at: client:eth0", at)]));
        (only, frames.iter().map(|frame| frame.direction.unwrap()).collect::<Vec<_>>())
    };
    use Direction::{In, Out};
    assert_eq!(ways("at: client:eth0"), (None, vec![Out, In]));
    assert_eq!(ways("at: real_server:eth0"), (None, vec![In, Out]));
    assert_eq!(ways("at: rs1:eth0"), (None, vec![In, Out]));
    assert_eq!(ways("at: lb:eth0, direction: in, server: none"), (Some(In), vec![In]));
    assert_eq!(ways("at: router:lb, direction: out"), (Some(Out), vec![Out, Out]));
}

#[test]
fn what_is_said_of_a_side_is_said_of_each_of_its_rows_and_a_rows_own_word_wins() {
    let (_, frames) = exchange(&scenario(&[(
        "frames: talk",
        "frames: [client S length 52, client . ttl 9 length 40], \
         client: {ttl: 126, outer: {ttl: 255, overhead: 20}}",
    )]));
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| {
            let outer = frame.outer.clone().unwrap().unwrap();
            (frame.ttl, outer.ttl, outer.length)
        })
        .collect();
    assert_eq!(seen, [(Some(126), Some(255), Some(72)), (Some(9), Some(255), Some(60))]);
}

#[test]
fn a_row_may_say_how_it_passes_instead_of_who_sends_it() {
    let (_, frames) = exchange(&scenario(&[(
        "at: client:eth0, frames: talk",
        "at: router:lb, frames: [out ttl 126, in ttl 125]",
    )]));
    assert_eq!(frames[0].direction, Some(Direction::Out));
    assert_eq!((frames[1].direction, frames[1].ttl), (Some(Direction::In), Some(125)));
}

#[test]
fn frames_are_matched_by_any_header_field() {
    let lab = scenario(&[(
        "{answer: {result: pass}",
        "{frames: {at: real_server:tunl0, count: {at_least: 2}, match: {direction: in, protocol: 6, \
         source: [192.168.11.201, 10.0.0.0/8], destination_port: 49, flags: P., seq: 1, outer: none}}",
    )]);
    let Check::Frames { at, matching, count } = &lab.expectations[0].check else {
        panic!("{:?}", lab.expectations[0].check)
    };
    assert!(matches!(&at.node, PointNode::RealServerOf(step) if step.as_str() == "login"));
    assert_eq!(*count, Count::AtLeast(2));
    assert_eq!(matching.protocol, Some(6));
    assert!(matching.source.as_ref().unwrap().contains("10.2.3.4".parse().unwrap()));
    assert_eq!(matching.outer, Some(None));
}

#[test]
fn an_expectation_knows_its_line() {
    let lab = scenario(&[]);
    let lines: Vec<usize> = lab.expectations.iter().map(|one| one.place.line).collect();
    assert_eq!(lines, [20, 21]);
    assert!(lab.expectations[0].place.file.ends_with("case.yaml"));
}

#[test]
fn a_secret_is_not_shown() {
    let changes = [("secret: s", "secret: geheim"), ("users: {u: p}", "users: {u: geheim}")];
    let shown = format!("{:?}", scenario(&changes));
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn a_gre_tunnel_has_a_device_of_its_own_if_it_has_options() {
    let device = |tunnel: &str| {
        let lab = scenario(&[
            ("tunnel: ipip", tunnel),
            ("    sysctls: {net.ipv4.conf.tunl0.rp_filter: 0}\n", ""),
        ]);
        let tunnel = server(&lab, "rs1").tunnels[0].clone();
        (tunnel.name.to_string(), tunnel.kind)
    };
    let gre = |key, checksum| TunnelKind::Gre(GreOptions { key, checksum });
    assert_eq!(device("tunnel: gre"), ("gre0".to_owned(), gre(None, false)));
    assert_eq!(device("tunnel: {mode: gre, key: 7}"), ("gre1".to_owned(), gre(Some(7), false)));
    assert_eq!(
        device("tunnel: {mode: gre, checksum: true, device: t}"),
        ("t".to_owned(), gre(None, true))
    );
}

#[test]
fn a_pool_has_one_of_three_profiles() {
    let profile = |profile: &str| {
        let lab = scenario(&[("profile: ipip", profile)]);
        lab.load_balancers.first_key_value().unwrap().1.pools.values().next().unwrap().profile
    };
    let gre = |key, checksum| Profile::Gre(GreOptions { key, checksum });
    assert_eq!(profile("profile: none"), Profile::None);
    assert_eq!(profile("profile: ipip"), Profile::Ipip);
    assert_eq!(profile("profile: gre"), gre(None, false));
    assert_eq!(profile("profile: {gre: {key: 9, checksum: true}}"), gre(Some(9), true));
}

#[test]
fn sources_are_translated_in_three_ways() {
    let translation = |words: &str| {
        let lab = scenario(&[("pool: p}", &format!("pool: p, translate_address: true{words}}}"))]);
        let (_, balancer) = lab.load_balancers.first_key_value().unwrap();
        assert!(balancer.virtual_servers.values().next().unwrap().translate_address);
        balancer.virtual_servers.values().next().unwrap().source_address_translation.clone()
    };
    assert_eq!(translation(""), SourceTranslation::None);
    assert_eq!(translation(", source_address_translation: automap"), SourceTranslation::Automap);
    assert_eq!(
        translation(", source_address_translation: {snat: [172.16.0.99]}"),
        SourceTranslation::Snat(vec!["172.16.0.99".parse().unwrap()])
    );
}

#[test]
fn a_radius_server_and_its_requests_have_the_protocols_defaults() {
    let lab = scenario(&[
        (
            "steps:\n",
            "radius_servers:\n  - {nodes: rs1, secret: r, clients: [192.168.11.0/24], users: {u: p}}\n\
             steps:\n  ask: {radius_login: {from: client, to: 172.16.4.99:1812, user: u, password: p}}\n",
        ),
        ("{answer: {result", "{answer: {step: login, result"),
        ("frames: talk", "step: login, frames: talk"),
    ]);
    let (_, server) = lab.radius_servers.first_key_value().unwrap();
    assert_eq!((server.authentication_port, server.accounting_port), (1812, 1813));
    assert!(server.packet_info && !server.require_message_authenticator);
    let StepAction::Exchange(exchange) = &lab.steps[0].action else { panic!() };
    let ExchangeForm::Radius(request) = &exchange.form else { panic!() };
    assert_eq!((exchange.times, exchange.concurrency, exchange.source_port), (1, 1, None));
    assert_eq!(
        (exchange.timeout.as_secs(), request.max_transmissions, request.secret.expose_text()),
        (1, 3, "r".into())
    );
    assert!(matches!(
        request.question,
        RadiusQuestion::Login { method: LoginMethod::Pap, message_authenticator: true, .. }
    ));
}

#[test]
fn one_step_may_log_in_often_from_several_nodes() {
    let lab = scenario(&[
        ("from: client,", "from: [client, router], times: 50, concurrency: 10, timeout: 1.5,"),
        ("  seen: {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}\n", ""),
        ("{answer: {result: pass}", "{distribution: {nodes: [rs1, rs2], at_least: 50}"),
    ]);
    let StepAction::Exchange(login) = &lab.steps[0].action else { panic!() };
    assert_eq!((login.from.len(), login.times, login.concurrency), (2, 50, 10));
    assert_eq!((login.timeout.as_millis(), login.pause), (1500, false));
    let Check::Distribution { nodes, at_least, .. } = &lab.expectations[0].check else { panic!() };
    assert_eq!((nodes.len(), *at_least), (2, 50));
}
