//! Messages of RADIUS and DNS by tcpdump's words for them, without their bytes.

use labsim_captures::{Datagram, Known, Message, TextReader, Transport};

/// Length of the payload, and what is known of it.
fn datagram(ends: &str, words: &str) -> (Option<u32>, Option<Datagram>) {
    let text = format!("10:00:00.000000 IP {ends}: {words}\n");
    let frame = TextReader::new(text.as_bytes()).next_frame().unwrap();
    let Some(Known::Ip(packet)) = frame.map(|it| it.known) else { panic!("not read: {text}") };
    match packet.transport {
        Transport::Udp { payload, datagram, .. } => (payload, datagram),
        other => panic!("{other:?}"),
    }
}

fn message(is_reply: bool, identifier: u16) -> Option<Message> {
    Some(Message { is_reply, identifier })
}

const REQUEST: &str = "192.0.2.7.40000 > 198.51.100.9.1812";

#[test]
fn radius_messages_have_their_identifiers_and_with_their_authenticator_their_fingerprint() {
    let (payload, found) = datagram(REQUEST, "RADIUS, Access-Request (1), id: 0x17 length: 50");
    let found = found.unwrap();
    assert_eq!((payload, found.message, found.fingerprint), (Some(50), message(false, 23), None));
    let (_, accept) = datagram(REQUEST, "RADIUS, Access-Accept (2), id: 0x17 length: 20");
    assert_eq!(accept.unwrap().message, message(true, 23));
    let verbose = |last: &str| {
        let words = format!(
            "[udp sum ok] RADIUS, length: 50\n\tAccess-Request (1), id: 0x17, Authenticator: 000102030405060708090a0b0c0d0e{last}\n\t  \
             User-Name Attribute (1), length: 6, Value: test"
        );
        datagram(REQUEST, &words).1.unwrap().fingerprint.unwrap()
    };
    assert_ne!(verbose("0f"), verbose("10"));
    assert_eq!(verbose("0f"), of_bytes());
}

/// The fingerprint of the same message by its bytes.
fn of_bytes() -> u32 {
    let mut bytes = vec![0x45, 0, 0, 78, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 198, 51, 100, 9];
    bytes.extend([0x9c, 0x40, 0x07, 0x14, 0, 58, 0, 0, 1, 0x17, 0, 50]);
    bytes.extend(0..16);
    bytes.resize(78, 0);
    let hex: Vec<String> = bytes
        .chunks(16)
        .enumerate()
        .map(|(line, bytes)| {
            let pairs: Vec<String> =
                bytes.chunks(2).map(|it| format!("{:02x}{:02x}", it[0], it[1])).collect();
            format!("\t0x{:04x}:  {}", line * 16, pairs.join(" "))
        })
        .collect();
    let words = format!("UDP, length 50\n{}", hex.join("\n"));
    datagram(REQUEST, &words).1.unwrap().fingerprint.unwrap()
}

#[test]
fn dns_messages_have_their_identifiers_with_and_without_the_ip_header() {
    let (to, from) = ("192.0.2.7.40001 > 198.51.100.9.53", "198.51.100.9.53 > 192.0.2.7.40001");
    for (ends, words, length, is_reply) in [
        (to, "4660+ A? www.example.org. (33)", 33, false),
        (to, "4660+ [1au] AAAA? www.example.org. (44)", 44, false),
        (from, "4660 1/0/0 A 203.0.113.5 (49)", 49, true),
        (from, "4660 NXDomain* 0/1/0 (90)", 90, true),
        (from, "4660 q: A? www.example.org. 1/0/0 www.example.org. A 203.0.113.5 (49)", 49, true),
    ] {
        let (payload, found) = datagram(ends, words);
        assert_eq!(
            (payload, found.unwrap().message),
            (Some(length), message(is_reply, 4660)),
            "{words}"
        );
    }
}

#[test]
fn other_datagrams_have_their_length_alone() {
    let of = |words| datagram("192.0.2.7.40001 > 198.51.100.9.514", words);
    assert_eq!(of("UDP, length 5"), (Some(5), None));
    assert_eq!(of("SYSLOG user.notice, length: 9"), (Some(9), None));
}
