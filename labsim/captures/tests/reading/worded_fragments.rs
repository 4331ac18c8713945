//! First fragments by tcpdump's words: their ports, and whether the words show that others follow.

use labsim_captures::{Known, Message, Number, Packet, TextReader, Transport};

/// The packet of one line, or of several.
fn packet(text: &str) -> Packet {
    let text = format!("10:00:00.000000 {text}\n");
    let mut reader = TextReader::new(text.as_bytes());
    let frame = reader.next_frame().unwrap();
    assert_eq!(reader.notices().unread, 0, "{text}");
    let Some(Known::Ip(packet)) = frame.map(|it| it.known) else { panic!("not read: {text}") };
    packet
}

const ENDS: &str = "IP6 2001:db8::1 > 2001:db8::99:";

#[test]
fn a_first_fragment_of_ipv6_has_the_ports_that_stand_behind_it() {
    for start in ["frag (0|1448)", "frag (0x00001234:0|1448)"] {
        let udp = packet(&format!("{ENDS} {start} 5001 > 7: UDP, length 2000"));
        let ports = (Some(5001), Some(7));
        let expected = Transport::Udp { ports, payload: Some(2000), datagram: None };
        assert_eq!(udp.transport, expected);
        // The datagram is longer than the fragment.
        assert_eq!(udp.outermost.fragment, Some((0, true)));
        let tcp = packet(&format!(
            "{ENDS} {start} 49152 > tacacs: Flags [P.], seq 1000:2428, ack 2000, win 502, length 1428"
        ));
        let found = tcp.tcp().unwrap();
        assert_eq!((found.ports, found.payload), ((Some(49152), Some(49)), Some(1428)));
        assert_eq!(found.sequence, Some(Number::Relative(1000)));
        // The words do not say whether the segment goes on.
        assert_eq!(tcp.outermost.fragment, None);
    }
    let verbose = "(hlim 64, next-header Fragment (44) payload length: 1456) 2001:db8::1 > 2001:db8::99: \
                   frag (0x00001234:0|1448) 5001 > 7: UDP, length 2000";
    let verbose = packet(&format!("IP6 {verbose}"));
    assert_eq!((verbose.outermost.length, verbose.outermost.protocol), (Some(1496), None));
    assert_eq!(verbose.outermost.fragment, Some((0, true)));
}

#[test]
fn a_whole_datagram_behind_a_fragment_header_is_no_fragment() {
    let atomic = packet(&format!("{ENDS} frag (0|18) 5001 > 7: UDP, length 10"));
    assert_eq!(atomic.outermost.fragment, None);
    assert!(matches!(atomic.transport, Transport::Udp { payload: Some(10), .. }));
}

#[test]
fn later_fragments_and_ports_that_are_none_have_no_ports() {
    for words in ["frag (1448|560)", "frag (0x00001234:1448|560)"] {
        assert_eq!(packet(&format!("{ENDS} {words}")).transport, Transport::Other);
    }
    let echo =
        packet(&format!("{ENDS} frag (0|1448) ICMP6, echo request, id 1, seq 1, length 1448"));
    assert!(matches!(echo.transport, Transport::Icmp(_)));
    let verbose =
        packet(&format!("{ENDS} frag (0x00001234:0|1448) ICMP6, echo request, id 1, seq 1"));
    assert_eq!(verbose.transport, Transport::Other);
}

#[test]
fn the_length_of_a_message_in_a_fragment_is_not_taken_for_the_datagrams() {
    let request = "RADIUS, Access-Request (1), id: 0x17 length: 1440";
    let v6 = packet(&format!("{ENDS} frag (0|1448) 5000 > 1812: {request}"));
    let v4 = packet(
        "IP (tos 0x0, ttl 64, id 7, offset 0, flags [+], proto UDP (17), length 1500)\n    \
         192.0.2.1.5000 > 192.0.2.99.1812: RADIUS, length: 1472\n\t\
         Access-Request (1), id: 0x17, Authenticator: 000102030405060708090a0b0c0d0e0f",
    );
    assert_eq!(v4.outermost.fragment, Some((0, true)));
    for packet in [v6, v4] {
        let Transport::Udp { ports, payload, datagram } = packet.transport else { panic!() };
        assert_eq!((ports, payload), ((Some(5000), Some(1812)), None));
        let datagram = datagram.unwrap();
        assert_eq!(datagram.message, Some(Message { is_reply: false, identifier: 23 }));
        assert_eq!(datagram.fingerprint, None);
    }
}

#[test]
fn a_packet_that_is_longer_than_the_first_fragment_of_its_tunnel_shows_that_others_follow() {
    let segment = "Flags [P.], seq 0:1440, ack 1, win 502, length 1440";
    let inner = format!("2001:db8::1.49152 > 2001:db8::99.49: {segment}");
    let outer = "2001:db8:1::1 > 2001:db8:1::99: frag (0|1448)";
    // With `-e` the word for the family is left out, and of IPv6 the blank.
    for (link, family) in [
        ("IP6 ", "IP6 "),
        ("02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv6 (0x86dd), length 1510: ", ""),
    ] {
        for blank in ["", " "] {
            let text =
                format!("{link}{outer} {family}truncated-ip6 - 52 bytes missing!{blank}{inner}");
            let found = packet(&text);
            assert_eq!(found.inner.len(), 1, "{text}");
            assert_eq!(found.outermost.fragment, Some((0, true)), "{text}");
            assert_eq!(found.tcp().unwrap().ports, (Some(49152), Some(49)));
        }
    }
    let whole = packet(&format!("IP6 {outer} IP6 {inner}"));
    assert_eq!((whole.inner.len(), whole.outermost.fragment), (1, None));
}
