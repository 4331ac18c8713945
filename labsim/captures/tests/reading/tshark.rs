//! Rows of tshark's default columns, with all times that it prints.

use labsim_captures::{
    Arp, Icmp, Known, Number, Origin, Packet, Tcp, TextFrame, TextReader, Transport,
};

fn read(text: &str) -> (Vec<TextFrame>, u64) {
    let mut reader = TextReader::new(text.as_bytes());
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    (frames, reader.notices().unread)
}

fn packet(text: &str) -> Packet {
    let (mut frames, unread) = read(text);
    assert_eq!((frames.len(), unread), (1, 0), "{text}");
    match frames.remove(0).known {
        Known::Ip(packet) => packet,
        other => panic!("{other:?}"),
    }
}

/// A row from 192.0.2.7 to 198.51.100.9.
fn row(time: &str, rest: &str) -> String {
    format!("    1 {time}    192.0.2.7 → 198.51.100.9 {rest}\n")
}

const SYN: &str = "TCP 74 40000 → 49 [SYN] Seq=0 Win=64240 Len=0 MSS=1460 SACK_PERM WS=128";

#[test]
fn a_segment_has_its_flags_ports_and_length_and_numbers_that_are_relative() {
    let tcp = |rest: &str| -> Tcp { packet(&row("0.000000", rest)).tcp().unwrap().clone() };
    let syn = tcp(SYN);
    assert_eq!((syn.ports, syn.mss, syn.payload), ((Some(40000), Some(49)), Some(1460), Some(0)));
    assert_eq!((syn.flags.unwrap().to_string(), syn.window), ("S".to_owned(), None));
    let again = tcp(
        "TCP 92 [TCP Spurious Retransmission] 40000 → 49 [PSH, ACK] Seq=1 Ack=1 Win=64240 Len=26",
    );
    assert_eq!(again.sequence, Some(Number::Relative(1)));
    assert_eq!((again.acknowledgement, again.payload), (Some(Number::Relative(1)), Some(26)));
    // What terminals without UTF-8 make of the arrow.
    for arrow in ["->", "?"] {
        let text = row("0.000000", SYN).replace('→', arrow);
        assert_eq!(packet(&text).tcp(), Some(&syn), "{text}");
    }
}

#[test]
fn datagrams_icmp_and_arp_are_read_and_ports_are_not_guessed() {
    let transport = |rest: &str| packet(&row("6.000000", rest)).transport;
    let ports = (Some(40001), Some(9999));
    let udp = Transport::Udp { ports, payload: Some(5), datagram: None };
    assert_eq!(transport("UDP 47 40001 → 9999 Len=5"), udp);
    assert_eq!(transport("RADIUS 92 Access-Request id=23"), Transport::Other);
    assert_eq!(transport("TACACS+ 74 Q: Authentication"), Transport::Other);
    let error = Icmp { kind: Some(3), code: Some(4), ..Icmp::default() };
    let text = "ICMP 70 Destination unreachable (Fragmentation needed)";
    assert_eq!(transport(text), Transport::Icmp(error));
    let claim =
        "7 1.5 02:00:00:00:00:01 → 02:00:00:00:00:02 ARP 42 10.1.1.1 is at 02:00:00:00:00:01";
    let (frames, _) = read(claim);
    assert!(matches!(frames[0].known, Known::Arp(Arp::Reply { .. })), "{frames:?}");
}

#[test]
fn every_time_is_read_and_a_relative_one_only_if_the_command_tells_from_what() {
    let day = 79_200_123_456_000;
    for (command, times, expected, origin) in [
        ("", ["22:00:00.123456", "22:00:01.123456"], day, Origin::Midnight),
        (
            "",
            ["2023-11-14 22:13:20.123456", "2023-11-14 22:13:21.123456"],
            1_700_000_000_123_456_000,
            Origin::LocalEpoch,
        ),
        ("", ["1700000000.123456", "1700000001.123456"], 1_700_000_000_123_456_000, Origin::Epoch),
        ("$ tshark -n -r a.pcap\n", ["0.500000", "1.500000"], 500_000_000, Origin::FirstPacket),
        ("$ tshark -td -r a.pcap\n", ["0.500000", "1.000000"], 500_000_000, Origin::FirstPacket),
    ] {
        let (frames, _) = read(&format!("{command}{}{}", row(times[0], SYN), row(times[1], SYN)));
        let shown: Vec<_> = frames.iter().map(|it| it.time.unwrap()).collect();
        assert_eq!((shown[0].ns, shown[0].origin), (expected, origin), "{times:?}");
        assert_eq!(shown[1].ns - shown[0].ns, 1_000_000_000, "{times:?}");
    }
    for command in ["", "# tshark -t d -Y tcp -r a.pcap\n"] {
        let (frames, _) = read(&format!("{command}{}", row("0.500000", SYN)));
        assert_eq!(frames[0].time, None, "{command}");
    }
}

#[test]
fn rows_that_are_not_understood_are_counted_and_the_programs_own_lines_divide_nothing() {
    let text = "$ tshark -r a.pcap\nRunning as user \"root\" and group \"root\". This could be dangerous.\n".to_owned()
        + &row("0.000000", SYN)
        + &row("1.000000", "TCP 74 40000 → 49 [SYN, STRANGE] Seq=0 Len=0")
        + &row("2.000000", "TCP 74 40000 → 49 no segment");
    let (frames, unread) = read(&text);
    assert_eq!((frames.len(), unread, frames[0].section), (1, 2, 0));
    assert!(frames[0].time.is_some());
}
