//! Addresses of both families, wherever they are: what comes of them is valid.

use labsim_import::{f5, ipvs};
use proptest::prelude::*;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses of a few subnets, so that some are the same.
fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = prop_oneof![0x0a01_0000_u32..0x0a01_0300, 0xac10_0000_u32..0xac10_0200];
    let v6 = (0_u16..3, 0_u16..6);
    prop_oneof![
        v4.prop_map(|bits| Ipv4Addr::from(bits).into()),
        v6.prop_map(|(net, host)| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host).into()),
    ]
}

/// As tmsh writes it.
fn end(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("{address}.{port}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f5_text_of_both_families_makes_a_valid_lab(
        members in prop::collection::vec((address(), prop::sample::select(vec!["", "profiles none", "profiles { gre }"])), 1..8),
        vips in prop::collection::vec(
            (address(), prop::sample::select(vec![49_u16, 80, 1812, 1813, 53]), any::<bool>(),
             prop::sample::select(vec!["", "snat automap", "snatpool s"])),
            1..5,
        ),
        own in prop::collection::vec((address(), 8_u8..=127), 0..4),
        snats in prop::collection::vec(address(), 1..4),
        profile in prop::sample::select(vec!["", "profiles { ipip }", "profiles { gre }"]),
    ) {
        let mut text = String::new();
        for (at, (one, length)) in own.iter().enumerate() {
            let length = if one.is_ipv4() { length % 32 } else { *length };
            let _ = writeln!(text, "net self s{at} {{ address {one}/{length} }}");
        }
        let members: String = members
            .iter()
            .map(|(one, own)| format!("{} {{ address {one} {own} }} ", end(*one, 49)))
            .collect();
        let snats: String = snats.iter().map(|one| format!("{one} ")).collect();
        let _ = writeln!(text, "ltm snatpool s {{ members {{ {snats}}} }}");
        let _ = writeln!(text, "ltm pool p {{ members {{ {members}}} {profile} }}");
        for (at, (vip, port, translates, snat)) in vips.iter().enumerate() {
            let protocol = if [1812, 1813, 53].contains(port) { "udp" } else { "tcp" };
            let translates = if *translates { "enabled" } else { "disabled" };
            let _ = writeln!(
                text,
                "ltm virtual v{at} {{ destination {} ip-protocol {protocol} pool p translate-address \
                 {translates} {snat} }}",
                end(*vip, *port)
            );
        }
        crate::common::check_valid(f5::import, &text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn ipvsadm_text_of_both_families_makes_a_valid_lab(
        services in prop::collection::vec(
            (address(), prop::collection::vec(
                (address(), prop::sample::select(vec![
                    "-i", "-g", "-m", "-i --tun-type gre --tun-csum",
                    "-i --tun-type gue --tun-port 6080 --tun-nocsum",
                ])),
                1..4,
            )),
            1..5,
        ),
    ) {
        let mut text = String::new();
        for (vip, servers) in &services {
            let vip = SocketAddr::new(*vip, 80);
            let _ = writeln!(text, "-A -t {vip} -s rr");
            for (server, way) in servers {
                let _ = writeln!(text, "-a -t {vip} -r {} {way}", SocketAddr::new(*server, 80));
            }
        }
        crate::common::check_valid(ipvs::import, &text).map_err(TestCaseError::fail)?;
    }
}
