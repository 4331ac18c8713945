//! What configurations and hosts say as facts, each with its line.

use labsim_import::balancer::Virtual;
use labsim_import::{Source, a10, f5, ipvs, linux};

/// Whether an address is translated, and the line that says so.
fn translations(one: &Virtual) -> [(bool, usize); 2] {
    [&one.destination_translation, &one.source_translation].map(|(is, line)| (*is, line.number))
}

#[test]
fn an_f5s_settings_have_their_lines_and_defaults_that_of_the_virtual_server() {
    let text = "ltm pool p {\n    members { 10.1.1.51:4949 { address 10.1.1.51 } }\n    profiles { ipip }\n}\n\
                ltm virtual vs {\n    destination 172.16.4.99:49\n    ip-protocol tcp\n    pool p\n    \
                source-address-translation { type automap }\n}\n";
    let balancer = f5::read(&[Source::new("bigip.conf", text)]).unwrap();
    let [one] = balancer.virtuals.as_slice() else { panic!("{balancer:#?}") };
    assert_eq!(one.line.to_string(), "bigip.conf:5");
    assert_eq!(translations(one), [(true, 5), (true, 9)]);
    let [member] = one.members.as_slice() else { panic!("{one:#?}") };
    assert_eq!((member.port, member.line.number), (Some(4949), 2));
    assert_eq!((member.tunnel.unwrap().name(), member.tunnel_line.number), ("ipip", 3));
}

#[test]
fn an_a10s_settings_have_their_lines() {
    let text = "slb server rs-a 10.1.1.51\n  port 49 tcp\n!\nslb service-group sg tcp\n  member rs-a 49\n!\n\
                slb virtual-server vs 172.16.4.99\n  port 49 tcp\n    no-dest-nat\n    service-group sg\n    ipinip\n!\n";
    let balancer = a10::read(&[Source::new("adc.txt", text)]).unwrap();
    let [one] = balancer.virtuals.as_slice() else { panic!("{balancer:#?}") };
    assert_eq!(translations(one), [(false, 9), (false, 8)]);
    assert_eq!(
        (one.members[0].tunnel.unwrap().name(), one.members[0].tunnel_line.number),
        ("ipip", 11)
    );
}

#[test]
fn ipvs_translates_no_source_though_a_lab_of_it_does() {
    let text = "-A -t 172.16.4.99:49 -s rr\n-a -t 172.16.4.99:49 -r 10.1.1.51:49 -m -w 1\n";
    let balancer = ipvs::read(&[Source::new("ipvs.txt", text)]).unwrap();
    assert_eq!(translations(&balancer.virtuals[0]).map(|(is, _)| is), [true, false]);
    assert_eq!(balancer.virtuals[0].members[0].tunnel, None);
}

#[test]
fn a_configuration_without_a_virtual_server_is_an_error() {
    let error = f5::read(&[Source::new("bigip.conf", "ltm pool p { }\n")]).unwrap_err();
    assert!(error.to_string().contains("no virtual server"), "{error}");
}

#[test]
fn what_no_text_lists_of_a_host_is_not_known() {
    let read = |text: &str| linux::read(&[Source::new("host.txt", text)]).unwrap();
    let state = read("net.ipv4.conf.tunl0.rp_filter = 2\nnet.ipv4.ip_forward = 1\n");
    assert_eq!((state.addresses, state.tcp, state.udp), (None, None, None));
    assert_eq!(
        (state.forwards, state.settings[0].value, state.settings[0].line.number),
        (Some(true), 2, 1)
    );
    let state = read(
        "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\ntcp LISTEN 0 128 10.1.1.51:49 0.0.0.0:*\n",
    );
    assert_eq!(state.tcp.unwrap()[0].address, "10.1.1.51".parse().ok());
    assert_eq!(state.udp, None);
}

#[test]
fn counters_are_read_in_both_forms_and_the_later_value_counts() {
    let text = "#kernel\nIpInAddrErrors                  3                  0.0\n\
                TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 7\nIpInAddrErrors                  5                  0.0\n";
    let state = linux::read(&[Source::new("nstat.txt", text)]).unwrap();
    let counter = |name: &str| {
        let found = state.counters.iter().find(|it| it.name == name).unwrap();
        (found.value, found.line.number)
    };
    assert_eq!(counter("IpInAddrErrors"), (5, 5));
    assert_eq!(counter("TcpExtIPReversePathFilter"), (7, 4));
}
