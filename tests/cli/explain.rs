//! Captures of others, explained: the page with three captures, captures of labs, and what is none.

use crate::support::captures::{capture_of, split};
use crate::support::{Desk, Ended, shipped};
use serde_json::Value;

/// A desk with our own page of three captures.
fn desk() -> Desk {
    let desk = Desk::new();
    let page = shipped().join("labsim/captures/tests/data/login.md");
    std::fs::copy(page, desk.path("login.md")).unwrap();
    desk
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_page_with_three_captures_is_explained_as_it_stands() {
    let desk = desk();
    let ended = desk.labsim(&["explain", "login.md"]).exits(0);
    ended
        .says("3 capture points, 1 TCP connection\n")
        .says("srv-services-01  client side ")
        .says("adc              load balancer ")
        .says("srv-services-02  server side ")
        .says("srv-services-01 to adc: +5.779194 .. +5.782072 s\n")
        .says("srv-services-01 to srv-services-02: -0.601648 .. -0.598770 s\n")
        .says("HEALTHY 192.168.11.201:61067 -> 172.16.4.99:49\n")
        .says("  way there: srv-services-01 -> adc -> srv-services-02\n")
        .says("  way back:  srv-services-02 -> srv-services-01\n")
        .says("All 6 packets of the client were seen at all 3 points")
        .says("came in plain and went out in IPIP from 192.168.11.201 to 10.1.1.52; the outer source is the client's own")
        .says("the outer TTL fell from 255 to 254: 1 router (lines ");
    assert_eq!(ended.stderr, "");
}

#[test]
fn standard_input_and_names_are_taken_and_the_document_has_all() {
    let desk = desk();
    let mut command = desk.command(&["explain", "--json", "page=-"]);
    command.stdin(std::fs::File::open(desk.path("login.md")).unwrap());
    let document = json(&Ended::of(command.output()).exits(0));
    assert_eq!(document["version"], 1);
    assert_eq!(document["connections"][0]["verdict"]["kind"], "healthy");
    assert_eq!(document["connections"][0]["tunnels"][0]["source_is_client"], true);
    assert_eq!(document["connections"][0]["routers"][0]["count"], 1);
    assert_eq!(document["clocks"][0]["at_least_ns"], 5_779_194_000_i64);
    assert_eq!(document["clocks"][0]["at_most_ns"], 5_782_072_000_i64);
    assert_eq!(document["points"][2]["role"], "server_side");
    assert_eq!(document["points"][2]["name"], "page#3");
}

#[test]
fn the_captures_of_a_lab_are_healthy_as_its_login_was() {
    let desk = desk();
    let capture = capture_of(&desk, "tacacs-ipip");
    let ended = desk.labsim(&["explain", &capture]).exits(0);
    ended
        .says("HEALTHY 192.168.11.201:")
        .says("  way there: client:eth0 -> router:client -> router:lb -> lb:eth0 -> router:servers -> rs")
        .says("none was seen at lb:eth0, as in direct server return")
        .says("client:eth0     client side ")
        .says("lb:eth0         load balancer ");
}

#[test]
fn a_translated_destination_is_named_as_the_lab_names_it() {
    let desk = desk();
    let capture = capture_of(&desk, "dnat-without-snat");
    let ended = desk.labsim(&["explain", "--json", &capture]).exits(0);
    let document = json(&ended);
    let [connection] = document["connections"].as_array().unwrap().as_slice() else {
        panic!("{ended:?}")
    };
    assert_eq!(connection["verdict"]["kind"], "cause");
    assert_eq!(connection["verdict"]["cause"], "destination-translated");
    let ended = desk.labsim(&["explain", "--ticket", &capture]).exits(0);
    ended.says(" [destination-translated]\n").says("\n  Fix: ");
}

#[test]
fn a_server_without_the_vip_is_a_set_of_causes_that_has_the_true_one() {
    let desk = desk();
    let capture = capture_of(&desk, "faults/vip-missing");
    let document = json(&desk.labsim(&["explain", "--json", &capture]).exits(0));
    let verdict = &document["connections"][0]["verdict"];
    assert_eq!(verdict["kind"], "not_decidable");
    assert_eq!(verdict["cause"], Value::Null);
    desk.labsim(&["explain", "--ticket", &capture]).exits(0).says("\n    vip-missing: ");
    let possible = verdict["possible"].as_array().unwrap();
    assert!(possible.contains(&"vip-missing".into()), "{verdict}");
    assert!(!possible.contains(&"tunnel-missing".into()), "{verdict}");
}

#[test]
fn a_radius_login_is_explained_as_a_login_by_tcp_is() {
    let desk = desk();
    let capture = capture_of(&desk, "radius-ipip");
    let ended = desk.labsim(&["explain", &capture]).exits(0);
    ended.says("HEALTHY 192.168.11.201:").says(" by UDP\n").says("went out in IPIP from ");
    let capture = capture_of(&desk, "faults/reply-from-other-address");
    let ended = desk.labsim(&["explain", "--ticket", &capture]).exits(0);
    ended.says(" [reply-from-other-address]\n").says("\n  Fix: ");
}

#[test]
fn a_ticket_has_what_is_not_healthy_in_narrow_lines() {
    let desk = desk();
    let ended = desk.labsim(&["explain", "--ticket", "login.md"]).exits(0);
    ended.says("3 capture points, 1 TCP connection: 1 healthy\n");
    assert!(ended.stdout.ends_with("\nHealthy: 192.168.11.201:61067 -> 172.16.4.99:49\n"));
    desk.write("silent.txt", SYN);
    let ended = desk.labsim(&["explain", "--ticket", "silent.txt", "login.md"]).exits(0);
    ended
        .says("  srv-services-01: client side, login.md\n")
        .says(
            "1. 192.0.2.7:40000 -> 198.51.100.9:49\n  What: the captures do not show the cause.\n",
        )
        .says("\n  Where: way there silent\n  Where: way back not seen\n  Evidence: ")
        .says("silent.txt line 1")
        .says("\n  Send next: ")
        .says("\nHealthy: 192.168.11.201:61067 -> 172.16.4.99:49\n");
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ended.stdout);
    desk.labsim(&["explain", "--ticket", "--json", "login.md"]).exits(2);
}

#[test]
fn a_page_is_written_beside_what_is_printed() {
    let desk = desk();
    std::fs::write(desk.path("page.html"), "of before").unwrap();
    let ended = desk.labsim(&["explain", "login.md", "--html", "page.html"]);
    ended.exits(0).says("HEALTHY 192.168.11.201:61067 -> 172.16.4.99:49\n");
    let page = std::fs::read_to_string(desk.path("page.html")).unwrap();
    assert!(
        page.starts_with("<!doctype html>")
            && page.contains("<caption>Healthy: 192.168.11.201:61067")
    );
    for part in [
        "All 6 packets of the client were seen at all 3 points",
        "+5.779194 .. +5.782072 s",
        "load balancer",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let ended = desk.labsim(&["explain", "login.md", "--html", "login.md/page.html"]).exits(2);
    assert!(
        ended.stderr.contains("login.md/page.html: the page cannot be written"),
        "{}",
        ended.stderr
    );
}

#[test]
fn all_files_that_are_no_captures_are_named_with_what_to_send() {
    let desk = desk();
    desk.write("empty.pcap", "");
    desk.write("shot.png", b"\x89PNG\r\n\x1a\nand more");
    // What it holds on the disk is nothing, whatever its length is.
    std::fs::File::create(desk.path("zeros.pcap")).unwrap().set_len(10 << 30).unwrap();
    desk.write("program", b"\x7fELF\x02\x01\x01\0\0\0");
    desk.write("mail.txt", "It does not work.\n");
    let files = ["empty.pcap", "shot.png", "zeros.pcap", "program", "mail.txt", "gone.pcap", "."];
    let ended = desk.labsim(&[&["explain", "login.md"][..], &files].concat()).exits(2);
    ended
        .says("labsim: empty.pcap: the file is empty: capture again")
        .says("labsim: shot.png: this is a picture: send the capture file")
        .says("labsim: zeros.pcap: the file holds zero bytes")
        .says("labsim: program: this is no capture: it begins with 0x7f454c46; send")
        .says("labsim: mail.txt: this text shows no packet of tcpdump's or tshark's: paste")
        .says("labsim: gone.pcap: no such file; check its name")
        .says("labsim: .: not a regular file; name a capture");
    assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 7));
    let twice = desk.labsim(&["explain", "-", "client=-"]).exits(2);
    twice.says("standard input (`-`) is named twice");
}

#[test]
fn a_capture_without_frames_is_a_point_of_its_own_beside_others_and_an_error_alone() {
    let desk = desk();
    let mut header = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    header.extend([0; 8]);
    header.extend([0, 0, 4, 0, 1, 0, 0, 0]);
    desk.write("nothing.pcap", header);
    let ended = desk.labsim(&["explain", "server=nothing.pcap"]).exits(2);
    ended.says("nothing.pcap: this capture has no frame: capture again while the client connects");
    desk.write("client.txt", SYN);
    let ended = desk.labsim(&["explain", "client.txt", "server=nothing.pcap"]).exits(0);
    ended
        .says("2 capture points, 1 TCP connection")
        .says("nothing.pcap: a capture without any packet: nothing was seen there")
        .says("No packet at all was captured at server;")
        .says("a capture at the next device after client on the way to server");
}

const SYN: &str =
    "10:00:00.000000 IP 192.0.2.7.40000 > 198.51.100.9.49: Flags [S], seq 1, win 1, length 0\n";

#[test]
fn captures_of_different_connections_have_nothing_to_say_about_each_other() {
    let desk = desk();
    desk.write("other.txt", SYN);
    let ended = desk.labsim(&["explain", "other.txt", "login.md"]).exits(0);
    ended.says("4 capture points, 2 TCP connections");
    desk.write("third.txt", SYN.replace(".40000", ".40001"));
    let ended = desk.labsim(&["explain", "client=other.txt", "server=third.txt"]).exits(2);
    ended.says(
        "no connection was seen by more than one of these captures; send captures of the same",
    );
    desk.write(
        "ping.txt",
        "10:00:00.000000 IP 192.0.2.7 > 198.51.100.9: ICMP echo request, id 1, seq 1, length 64\n",
    );
    let ended = desk.labsim(&["explain", "ping.txt"]).exits(2);
    ended.says("no TCP connection and no UDP exchange in these captures");
}

#[test]
fn roles_and_vips_are_given_by_name_and_a_name_that_is_none_is_an_error() {
    let desk = desk();
    let roles = ["--role", "adc=router", "--vip", "172.16.4.99:49", "--vip", "192.0.2.1"];
    let ended = desk.labsim(&[&["explain", "login.md"][..], &roles].concat()).exits(0);
    ended
        .says("adc              router (as given)")
        .says("  adc is given as router, and its packets show the load balancer")
        .says("  192.0.2.1 is given as a VIP, and no packet asks it");
    let ended = desk.labsim(&["explain", "login.md", "--role", "lb=router"]).exits(2);
    ended.says("--role lb: no capture point has this name; there are srv-services-01, adc, srv-");
    for wrong in [["--role", "adc=switch"], ["--role", "router"], ["--vip", "vip.example.org"]] {
        desk.labsim(&[&["explain", "login.md"][..], &wrong].concat()).exits(2);
    }
}

#[test]
fn a_filter_in_the_prompt_that_cannot_match_in_tunnels_is_told_with_what_was_not_seen() {
    let desk = desk();
    desk.write("silent.txt", format!("[a@b ~]$ tcpdump -nni eth0 port 49\n{SYN}"));
    desk.labsim(&["explain", "silent.txt"]).exits(0).says(
        "  b was captured with the filter `port 49`, which matches nothing inside of a tunnel.\n",
    );
}

#[test]
fn what_a_terminal_would_execute_is_escaped() {
    let desk = desk();
    let prompt = "[a@b ~]$ tcpdump -ni eth0 \u{202e}\u{7}\n";
    let broken = SYN.replace("length 0", "length \u{9b}2J");
    desk.write("evil.txt", format!("{prompt}{SYN}{broken}"));
    for flags in [&[][..], &["--json"]] {
        let ended = desk.labsim(&[&["explain", "evil.txt"], flags].concat()).exits(0);
        let is_plain = |it: char| it == '\n' || (!it.is_control() && it != '\u{202e}');
        assert!(ended.stdout.chars().all(is_plain), "{:?}", ended.stdout);
        ended.says("left out: 1, the first in line 3");
    }
}

#[test]
fn a_labs_captures_on_wrong_clocks_cut_and_apart_are_explained_like_the_whole() {
    let desk = desk();
    let capture = capture_of(&desk, "tacacs-ipip");
    let whole = json(&desk.labsim(&["explain", "--json", &capture]).exits(0));
    let points = whole["points"].as_array().unwrap();
    let server =
        points.iter().find(|it| it["role"] == "server_side").unwrap()["name"].as_str().unwrap();
    split(&desk, &capture, "client:eth0", "a.pcap", 0, 65_535);
    split(&desk, &capture, "lb:eth0", "b.pcap", 3600, 96);
    split(&desk, &capture, server, "c.pcap", -12, 96);
    let ended = desk.labsim(&["explain", "--json", "c.pcap", "b.pcap", "a.pcap"]).exits(0);
    let document = json(&ended);
    let roles: Vec<_> =
        document["points"].as_array().unwrap().iter().map(|it| &it["role"]).collect();
    assert_eq!(roles, ["server_side", "load_balancer", "client_side"], "{document:#}");
    assert_eq!(document["connections"][0]["verdict"]["kind"], "healthy");
    assert_eq!(document["connections"][0]["routers"][0]["count"], 1);
    // c to b, c to a, b to a.
    for (clock, seconds) in document["clocks"].as_array().unwrap().iter().zip([3612, 12, -3600]) {
        let bound = |key: &str| clock[key].as_i64().unwrap();
        let true_ns = seconds * 1_000_000_000;
        assert!(bound("at_least_ns") <= true_ns && true_ns <= bound("at_most_ns"), "{clock}");
    }
}
