//! A page with pasted captures: prose, fences, quotes, prompts, wrapped lines, several captures.

use labsim_captures::{
    Arp, Direction, Known, Mac, Number, Origin, Packet, TextFrame, TextReader, Transport,
};
use proptest::prelude::*;
use std::fmt::Write;

const PAGE: &str = include_str!("../data/login.md");

/// A text's packets, and its reader at the end.
fn read(text: &str) -> (Vec<TextFrame>, TextReader<&[u8]>) {
    let mut reader = TextReader::new(text.as_bytes());
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    (frames, reader)
}

fn packet(frame: &TextFrame) -> &Packet {
    match &frame.known {
        Known::Ip(packet) => packet,
        other => panic!("{other:?}"),
    }
}

/// Flags, numbers and length of a segment in one line.
fn segment(frame: &TextFrame) -> String {
    let tcp = packet(frame).tcp().unwrap();
    let number = |number: Option<Number>| number.map_or("-".to_owned(), |it| it.to_string());
    let flags = tcp.flags.map_or("-".to_owned(), |it| it.to_string());
    let (sequence, acknowledgement) = (number(tcp.sequence), number(tcp.acknowledgement));
    format!("{flags} {sequence} {acknowledgement} {}", tcp.payload.unwrap())
}

#[test]
fn three_captures_of_a_page_are_three_sections_with_all_their_packets() {
    let (frames, reader) = read(PAGE);
    let notices = reader.notices();
    assert_eq!((notices.unread, &notices.unread_lines[..]), (0, &[][..]));
    let counts: Vec<_> =
        (0..3).map(|it| frames.iter().filter(|frame| frame.section == it).count()).collect();
    assert_eq!((counts, frames.len()), (vec![11, 18, 11], 40));
    let [client, balancer, server] = reader.sections() else { panic!("{:?}", reader.sections()) };
    assert_eq!(client.file.as_deref(), Some("tacacs-capture.pcap"));
    assert_eq!(client.command.as_deref(), Some("tcpdump -s0 -nn  -r tacacs-capture.pcap"));
    assert_eq!(balancer.prompt.as_deref(), Some("[jana@adc:Active:Standalone] ~ #"));
    assert_eq!((balancer.interface.as_deref(), balancer.snap_length), (Some("0.0"), Some(65_535)));
    assert_eq!(server.interface.as_deref(), Some("ens192"));
}

#[test]
fn numbers_are_absolute_whatever_they_were_relative_to() {
    let (frames, _) = read(PAGE);
    // The data of the login at the client (base: the SYN with ACK), at the load balancer, whose text
    // counts from another number, and at the server.
    for (section, expected) in [(0, 1), (1, 3), (2, 1)] {
        let data: Vec<_> = frames
            .iter()
            .filter(|frame| frame.section == section)
            .map(segment)
            .filter(|it| it.ends_with(" 26"))
            .collect();
        assert_eq!(data, vec!["P. 277734019 2220389579 26"; expected], "section {section}");
    }
    // A bare acknowledgement has no sequence number without -v.
    assert_eq!(segment(&frames[2]), ". - 2220389579 0");
}

#[test]
fn what_f5_writes_behind_a_packet_is_read() {
    let (frames, _) = read(PAGE);
    let rows: Vec<_> = frames
        .iter()
        .filter(|frame| frame.section == 1)
        .map(|frame| {
            let f5 = frame.f5.as_ref().unwrap();
            assert_eq!((f5.slot, f5.tmm), (Some(1), Some(0)));
            let ttl: Vec<_> = packet(frame).headers().map(|header| header.ttl.unwrap()).collect();
            (frame.direction.unwrap(), f5.virtual_server.is_some(), ttl)
        })
        .collect();
    assert_eq!(rows[0], (Direction::In, false, vec![127]));
    assert_eq!(rows[1], (Direction::Out, true, vec![126]));
    assert_eq!(rows[2], (Direction::Out, false, vec![255, 126]));
    assert_eq!(rows[3], (Direction::In, true, vec![127]));
}

#[test]
fn both_headers_of_a_tunnel_are_read() {
    let (frames, _) = read(PAGE);
    let first = frames.iter().find(|frame| frame.section == 2).unwrap();
    let packet = packet(first);
    let shown: Vec<_> = packet
        .headers()
        .map(|it| (it.destination.to_string(), it.id.unwrap(), it.length.unwrap()))
        .collect();
    assert_eq!(shown, [("10.1.1.52".to_owned(), 53_539, 72), ("172.16.4.99".to_owned(), 7056, 52)]);
    assert_eq!(packet.tcp().unwrap().mss, Some(1460));
    let time = first.time.unwrap();
    assert_eq!((time.ns, time.origin), (83_648_565_129_000, Origin::Midnight));
}

#[test]
fn lines_that_a_terminal_or_a_mail_program_wrapped_are_put_together() {
    let (whole, _) = read(PAGE);
    let section: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("23:")).take(11).collect();
    let mut complete = 0;
    for width in 40..140 {
        let mut text = String::from("reading from file x, link-type EN10MB (Ethernet)\n");
        for line in &section {
            for piece in line.as_bytes().chunks(width) {
                writeln!(text, "{}", String::from_utf8_lossy(piece)).unwrap();
            }
        }
        let (frames, reader) = read(&text);
        let unread = usize::try_from(reader.notices().unread).unwrap();
        assert!(unread <= 1, "width {width}: {:?}", reader.notices());
        assert_eq!(frames.len() + unread, 11, "width {width}");
        // A packet that is read is the right one. One that is not may have had the first numbers.
        for frame in &frames {
            let same = whole.iter().find(|it| it.section == 0 && segment(it) == segment(frame));
            let is_relative = unread > 0 && segment(frame).contains("relative");
            assert!(same.is_some() || is_relative, "width {width}: {frame:?}");
        }
        complete += usize::from(unread == 0);
    }
    assert!(complete >= 90, "{complete} of 100 widths");
    let mail = "reading from file x, link-type EN10MB (Ethernet)\n\
        23:14:09.162109 IP 192.168.11.201.61067 > 172.16.4.99.49: Flags [S],\n\
        seq 277734018, win 64240, options [mss 1460,nop,wscale\n\
        8,nop,nop,sackOK], length 0\n";
    let (frames, reader) = read(mail);
    assert_eq!(reader.notices().unread, 0);
    assert_eq!(segment(&frames[0]), "S 277734018 - 0");
}

#[test]
fn a_capture_that_begins_in_the_midst_of_a_connection_has_relative_numbers() {
    let pasted = "12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [P.], seq 1:27, ack 1, win 513, length 26\n";
    let (frames, _) = read(pasted);
    assert_eq!(segment(&frames[0]), "P. 1 (relative) 1 (relative) 26");
    // With the banner the first packet has absolute numbers.
    let (frames, _) = read(&format!("reading from file x, link-type RAW (Raw IP)\n{pasted}"));
    assert_eq!(segment(&frames[0]), "P. 1 1 26");
}

#[test]
fn absolute_numbers_are_known_by_the_option_or_by_their_size() {
    let packets = "12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [S], seq 277734018, win 1, length 0\n\
        12:00:00.000002 IP 192.0.2.2.49 > 192.0.2.1.1025: Flags [S.], seq 2220389578, ack 277734019, win 1, length 0\n\
        12:00:00.000003 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [P.], seq 277734019:277734045, ack 2220389579, win 1, length 26\n";
    for banner in ["", "$ tcpdump -nS -r x\n"] {
        let (frames, _) = read(&format!("{banner}{packets}"));
        assert_eq!(segment(&frames[2]), "P. 277734019 2220389579 26", "{banner}");
    }
}

#[test]
fn forms_of_old_and_quiet_versions_are_read() {
    let text = "reading from file x, link-type EN10MB (Ethernet)\n\
        12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.tacacs: S 277734018:277734018(0) win 64240 <mss 1460,nop>\n\
        12:00:00.000002 IP 192.0.2.2.49 > 192.0.2.1.1025: S 2220389578:2220389578(0) ack 277734019 win 29200 <mss 1440>\n\
        12:00:00.000003 IP 192.0.2.1.1025 > 192.0.2.2.49: P 1:27(26) ack 1 win 513\n\
        12:00:00.000004 IP 192.0.2.1.1025 > 192.0.2.2.49: . ack 1 win 513\n\
        12:00:00.000005 IP 192.0.2.1.1025 > 192.0.2.2.49: tcp 26\n";
    let (frames, reader) = read(text);
    assert_eq!(reader.notices().unread, 0);
    let segments: Vec<_> = frames.iter().map(segment).collect();
    assert_eq!(
        segments,
        [
            "S 277734018 - 0",
            "S. 2220389578 277734019 0",
            "P. 277734019 2220389579 26",
            ". - 2220389579 0",
            "- - - 26",
        ]
    );
    assert_eq!(packet(&frames[0]).tcp().unwrap().ports.1, Some(49));
}

#[test]
fn a_reset_s_cause_is_read() {
    let text = "12:00:00.000001 IP 192.0.2.2.49 > 192.0.2.1.1025: Flags [R.], seq 1, ack 1, win 0, length 0 \
        [RST+ BIG-IP: [0x2409a71:704] No flow found for ACK] out slot1/tmm3 lis=/Common/vs\n";
    let (frames, _) = read(text);
    let f5 = frames[0].f5.as_ref().unwrap();
    assert_eq!(f5.reset_cause.as_deref(), Some("No flow found for ACK"));
    assert_eq!((f5.tmm, f5.virtual_server.as_deref()), (Some(3), Some("/Common/vs")));
}

#[test]
fn differences_of_times_are_added_and_ambiguous_times_are_none() {
    let packets = " 00:00:00.000000 ARP, Request who-has 192.0.2.1 tell 192.0.2.2, length 28\n \
        00:00:00.000005 ARP, Reply 192.0.2.1 is-at 02:00:00:00:00:01, length 28\n \
        00:00:00.000003 ARP, Reply 192.0.2.1 is-at 02:00:00:00:00:01, length 28\n";
    for (command, expected) in [
        ("$ tcpdump -nttt\n", [Some(0), Some(5000), Some(8000)]),
        ("$ tcpdump -n -ttttt\n", [Some(0), Some(5000), Some(3000)]),
        ("", [None, None, None]),
    ] {
        let (frames, _) = read(&format!("{command}{packets}"));
        let times: Vec<_> = frames.iter().map(|frame| frame.time.map(|time| time.ns)).collect();
        assert_eq!(times, expected, "{command}");
        assert_eq!(
            frames[0].known,
            Known::Arp(Arp::Request {
                target: "192.0.2.1".parse().unwrap(),
                sender: "192.0.2.2".parse().unwrap()
            })
        );
    }
}

#[test]
fn lines_that_are_not_understood_are_counted_and_kept() {
    let text = "12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [S], something else\n\
        12:00:00.000002 IP host.example.1025 > 192.0.2.2.49: Flags [S], seq 1, win 1, length 0\n\
        12:00:00.000003 LLDP, length 60\n\n\
        Some prose.\n";
    let (frames, reader) = read(text);
    assert_eq!(frames, []);
    let lines: Vec<_> = reader.notices().unread_lines.iter().map(|(line, _)| *line).collect();
    assert_eq!((reader.notices().unread, lines), (3, vec![1, 2, 3]));
    assert_eq!(reader.notices().other_lines, 1);
}

#[test]
fn a_number_that_a_line_may_have_been_wrapped_in_is_not_guessed() {
    let text = "12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.1026: UDP, length 2\n8\n";
    let (frames, reader) = read(text);
    assert_eq!((frames.len(), reader.notices().unread), (0, 1));
    // A sequence number's range tells which it is.
    let text = "reading from file x, link-type RAW (Raw IP)\n\
        12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [P.], seq 1:29, ack 1, win 1, length 2\n8\n";
    assert_eq!(segment(&read(text).0[0]), "P. 1 1 28");
}

#[test]
fn bytes_are_preferred_to_words() {
    let text = "12:00:00.000001 IP 192.168.11.201.61067 > 172.16.4.99.49: Flags [S], seq 277734018, win 64240, length 0\n\
        \t0x0000:  4500 0028 1b90 4000 7f06 0000 c0a8 0bc9  E..(..@.........\n\
        \t0x0010:  ac10 0463 ee8b 0031 108d d682 0000 0000  ...c...1........\n\
        \t0x0020:  5002 faf0 0000 0000                      P.......\n";
    let (frames, _) = read(text);
    let packet = packet(&frames[0]);
    assert_eq!((packet.outermost.ttl, packet.outermost.id), (Some(127), Some(7056)));
    assert_eq!(frames[0].bytes.as_ref().map(Vec::len), Some(40));
    assert!(matches!(packet.transport, Transport::Tcp(_)));
    // A line of them is missing: the words are left.
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("0x0010")).collect();
    let (frames, _) = read(&without.join("\n"));
    assert_eq!(
        (frames[0].bytes.as_ref(), segment(&frames[0])),
        (None, "S 277734018 - 0".to_owned())
    );
}

#[test]
fn a_packet_with_no_end_is_given_up_soon() {
    let mut text = String::from("12:00:00.000001 IP 192.0.2.1.1025 > 192.0.2.2.49: Flags [S],\n");
    for _ in 0..200 {
        writeln!(text, "seq{}", " 1,".repeat(10_000)).unwrap();
    }
    let began = std::time::Instant::now();
    let (frames, reader) = read(&text);
    assert_eq!((frames.len(), reader.notices().unread), (0, 1));
    assert!(reader.notices().other_lines > 180);
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_pages_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut page = PAGE.as_bytes().to_vec();
        for (at, value) in changes {
            let at = at.index(page.len());
            page[at] = value;
        }
        let mut reader = TextReader::new(&page[..]);
        while reader.next_frame().unwrap().is_some() {}
    }

    #[test]
    fn any_text_is_read(text in "(IP|IP6|ARP,|[0-9:.>,\\[\\]() \n\t`~A-Za-z-]){0,60}") {
        let mut reader = TextReader::new(text.as_bytes());
        while reader.next_frame().unwrap().is_some() {}
    }
}

#[test]
fn who_claims_an_address_is_known_of_both_families() {
    let (frames, _) = read(
        "10:00:00.000000 ARP, Reply 192.0.2.9 is-at 02:00:00:00:00:01, length 28\n\
         10:00:01.000000 IP6 fe80::1 > ff02::1: ICMP6, neighbor advertisement, tgt is 2001:db8::9, length 32\n\
         10:00:02.000000 IP6 fe80::2 > ff02::1:ff00:9: ICMP6, neighbor solicitation, who has 2001:db8::9, length 32\n",
    );
    let sender = Mac([2, 0, 0, 0, 0, 2]);
    let claims: Vec<_> = frames.iter().map(|it| it.known.claim(Some(sender))).collect();
    let arp = ("192.0.2.9".parse().unwrap(), Mac([2, 0, 0, 0, 0, 1]));
    assert_eq!(claims, [Some(arp), Some(("2001:db8::9".parse().unwrap(), sender)), None]);
    // The text does not show who sent it.
    assert_eq!(frames[1].known.claim(None), None);
}
