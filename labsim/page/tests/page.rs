//! The page as a file: nothing in it is markup of a run's, it asks for nothing, and it is bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use labsim_event::{Event, EventRecord, Outcome, Sink as _};
use labsim_page::{Configurations, PageFile};
use labsim_picture::{Lab, Network, NetworkKind, Node, Port, Role, Row, RowKind};
use labsim_report::{ListedScenario, RunDocument};
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_verdict::{Capture, Observations};
use labsim_wire::decode::LinkType;
use std::sync::Arc;

const EVIL: &str = "<script>alert(1)</script>\"'&\u{1b}[2J";

fn document() -> RunDocument {
    let name = EVIL.to_owned();
    let listed = ListedScenario { path: name.clone(), file: name.clone(), name };
    RunDocument::new(String::new(), [listed])
}

/// The page of a run with these events.
fn page(events: Vec<Event>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    let mut page = PageFile::create(document(), &path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("NOT RUN"));
    for event in events {
        page.consume(&EventRecord::now(0.0, Some(EVIL.to_owned()), event)).unwrap();
    }
    let totals = labsim_event::Totals::default();
    let end = Event::RunEnded { totals, ended_early: None, took_ms: 1.0 };
    page.consume(&EventRecord::now(1.0, None, end)).unwrap();
    std::fs::read_to_string(&path).unwrap()
}

fn lab() -> Lab {
    let row = |label: &str| Row {
        kind: RowKind::Interface,
        label: label.to_owned(),
        text: EVIL.to_owned(),
    };
    let node = |name: &str| Node {
        name: name.to_owned(),
        role: Role::Host,
        rows: vec![row("eth0")],
        at: None,
    };
    Lab {
        name: EVIL.to_owned(),
        nodes: vec![node("a"), node(EVIL)],
        networks: vec![Network {
            kind: NetworkKind::Segment,
            name: EVIL.to_owned(),
            ports: vec![Port { node: 0, row: 0 }, Port { node: 1, row: 0 }],
        }],
    }
}

fn built(lab: Lab) -> Event {
    Event::LabBuilt {
        nodes: 2,
        links: 1,
        tunnel: EVIL.to_owned(),
        impairments: Some(EVIL.to_owned()),
        took_ms: 1.0,
        lab: Some(Box::new(lab)),
        plan: Default::default(),
    }
}

/// An Ethernet frame with a UDP datagram; `number` is its IP identification.
fn frame(number: u16, from: u8) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    bytes.extend([0x45, 0, 0, 32]);
    bytes.extend(number.to_be_bytes());
    bytes.extend([0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, 2]);
    bytes.extend([0x30, 0x39, 0, 49, 0, 12, 0, 0, b'<', b'b', b'>', b'!']);
    bytes
}

/// Frames of a flow that leave `a`, of which every third does not arrive at `b`.
fn capture(count: u16, flows: u8) -> Capture {
    let mut capture = Capture::new();
    let mut point = |node: &str| {
        let (node, interface) = (NodeName::new(node), InterfaceName::new("eth0"));
        capture.add_point(node.unwrap(), interface.unwrap(), LinkType::Ethernet)
    };
    let (a, b) = (point("a"), point("b"));
    for flow in 0..flows {
        for number in 0..count {
            let bytes = frame(number, flow + 10);
            let time = u64::from(flow) * 1_000_000_000 + u64::from(number) * 1_000_000;
            capture.push(time, a, Direction::Out, 46, &bytes);
            if number % 3 != 2 {
                capture.push(time + 1000, b, Direction::In, 46, &bytes);
            }
        }
    }
    capture.sort();
    capture
}

fn observed(capture: Capture) -> Event {
    let observations = Arc::new(Observations { capture, ..Observations::default() });
    Event::Observed { frames: 1, dropped: 0, observations }
}

#[test]
fn no_text_of_a_run_is_markup_and_nothing_is_requested() {
    let login = Event::StepStarted { step: EVIL.into(), what: format!("login of `{EVIL}`") };
    let logged = Event::ServerLogged {
        node: EVIL.into(),
        client: "10.0.0.1:1".parse().unwrap(),
        line: format!("user `{EVIL}`"),
    };
    let finding = serde_json::json!({"sentence": EVIL, "code": EVIL, "fix": EVIL});
    let cause = serde_json::json!({
        "code": EVIL, "node": EVIL, "step": EVIL, "count": 1, "frames": [7], "counters": {EVIL: 5},
        "fix": {"what": EVIL, "scenario": [EVIL], "linux": [EVIL], "tmsh": [EVIL]},
    });
    let diagnosed = Event::Diagnosed {
        step: EVIL.into(),
        findings: vec![serde_json::from_value(finding).unwrap()],
        causes: vec![serde_json::from_value(cause).unwrap()],
    };
    let judged = serde_json::json!({
        "name": EVIL, "passed": false, "sentence": EVIL, "place": EVIL, "expected": [EVIL],
        "seen": [EVIL], "frames": [EVIL],
    });
    let ended = Event::ScenarioEnded {
        outcome: Outcome::Failed,
        reason: Some(EVIL.into()),
        code: Some(EVIL.into()),
        held: 0,
        expectations: 1,
        took_ms: 1.0,
    };
    let page = page(vec![
        Event::Warned { warning: EVIL.into() },
        built(lab()),
        login,
        logged,
        observed(capture(3, 1)),
        Event::Judged(serde_json::from_value(judged).unwrap()),
        diagnosed,
        ended,
    ]);
    // The script's own elements, of which no text is one.
    let scripts = page.split("<script").skip(1);
    let own = scripts
        .filter(|it| it.starts_with('>') || it.starts_with(" type=\"application/json\" id=\""));
    assert_eq!(own.count(), page.matches("<script").count());
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script>").count(), 3);
    assert!(!page.contains('\u{1b}'), "{page}");
    assert!(page.matches("&lt;script&gt;").count() > 20, "{page}");
    for shown in ["frames 7", "+5", "Fix: ", "tmsh:", "FAIL"] {
        assert!(page.contains(shown), "`{shown}` is missing in {page}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"), "{page}");
    // No address but the name of SVG, no style beside the three that the policy names.
    let addresses = page.replace("http://www.w3.org/2000/svg", "");
    let addresses = addresses.replace("http://www.w3.org/1999/xhtml", "");
    for forbidden in ["http:", "https:", "url(", "@import", "src=", " style="] {
        assert!(!addresses.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<style>").count(), 3);
    for tag in ["div", "section", "details", "table", "svg", "g", "text", "ul", "li", "p"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_frame_is_an_arrow_from_where_it_was_sent_to_where_it_arrived() {
    let page = page(vec![observed(capture(3, 1))]);
    let cells = |number: usize, to: &str| {
        format!(
            "<tr><td>{number}<td>{} ms<td>a:eth0<td>{to}<td>",
            match number {
                1 => "0.000",
                3 => "1.000",
                _ => "2.000",
            }
        )
    };
    for (number, to) in [(1, "b:eth0"), (3, "b:eth0"), (5, "")] {
        assert!(page.contains(&cells(number, to)), "frame {number} in {page}");
    }
    assert_eq!(page.matches("<path class=hop ").count(), 2);
    assert_eq!(page.matches("<path class=drop ").count(), 1);
    assert!(page.contains("to 10.0.0.2 UDP, 4 bytes, ttl 64"), "{page}");
}

#[test]
fn what_a_capture_and_logs_can_fill_is_bounded_and_the_rest_is_counted() {
    let log = |number: usize| Event::ServerLogged {
        node: "rs1".into(),
        client: "10.0.0.1:1".parse().unwrap(),
        line: format!("line {number}"),
    };
    let mut events: Vec<Event> = (0..500).map(log).collect();
    events.push(observed(capture(1000, 60)));
    let page = page(events);
    assert!(page.contains("and 936 more frames of this flow"), "{}", page.len());
    assert!(page.contains("57 other flows") && page.contains("and 17 more flows"));
    assert!(page.contains("line 199\n") && !page.contains("line 200\n"));
    assert!(page.contains("and 300 more lines"));
    assert!(page.len() < 1_000_000, "{}", page.len());
}

/// What the script reads of the only scenario.
fn data(page: &str) -> (serde_json::Value, serde_json::Value, Vec<u8>) {
    let own = script_data(page, "s0-data");
    let all = unpacked(own["packets"].as_str().unwrap());
    let end = all.iter().position(|byte| *byte == b'\n').unwrap();
    (own, serde_json::from_slice(&all[..end]).unwrap(), all[end + 1..].to_vec())
}

/// The JSON in an element.
fn script_data(page: &str, id: &str) -> serde_json::Value {
    let (_, from) = page.split_once(&format!(" id=\"{id}\">")).unwrap();
    let (json, _) = from.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// What is packed in letters.
fn unpacked(letters: &str) -> Vec<u8> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut packed = Vec::new();
    for four in letters.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0_u32, |bits, letter| bits << 6 | u32::from(digit(*letter)));
        let bits = bits << (6 * (4 - four.len()));
        packed.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap()
}

#[test]
fn the_script_is_given_the_way_and_the_headers_of_every_packet() {
    let page = page(vec![observed(capture(3, 1))]);
    let (own, packets, bytes) = data(&page);
    assert_eq!(own["name"], EVIL);
    assert_eq!(packets["points"], serde_json::json!([[0, "eth0", true], [1, "eth0", true]]));
    // Ethernet, IPv4, UDP, data.
    assert_eq!(packets["shapes"], serde_json::json!([[0, 0, 2, 14, 10, 34, 23, 42]]));
    assert_eq!(packets["frames"]["kept"], serde_json::json!([46, 46, 46]));
    assert_eq!(bytes, [frame(0, 10), frame(1, 10), frame(2, 10)].concat());
    let hops = &packets["hops"];
    assert_eq!(hops["number"], serde_json::json!([1, 2, 2]));
    assert_eq!(hops["arrived"], serde_json::json!([1, 1, 0]));
    assert_eq!(
        (&hops["from"], &hops["to"]),
        (&serde_json::json!([1, 1, 1]), &serde_json::json!([2, 2, 0]))
    );
    let flow = &packets["flows"][0];
    assert_eq!(flow["name"], "UDP 10.0.0.10:12345 > 10.0.0.2:49");
    assert_eq!(flow["packets"], serde_json::json!([[0, 1, 3, 0], [0, 2, 3, 1], [0, 3, 3, 2]]));
}

#[test]
fn a_forged_lab_is_not_drawn() {
    let mut forged = lab();
    forged.networks[0].ports[0].node = 7;
    assert!(page(vec![built(forged)]).contains("too large to be drawn"));
    let mut forged = lab();
    forged.nodes[0].rows = vec![forged.nodes[0].rows[0].clone(); 5000];
    assert!(page(vec![built(forged)]).contains("too large to be drawn"));
    let mut forged = lab();
    (forged.nodes, forged.networks) = (Vec::new(), Vec::new());
    assert!(page(vec![built(forged)]).contains("too large to be drawn"));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let error = PageFile::create(document(), dir.path()).err().unwrap().to_string();
    assert!(error.contains("cannot be written: it is a folder"), "{error}");
}

#[test]
fn configurations_with_secrets_are_those_that_were_put_in_and_the_heading_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (count, packed) in [(1, false), (21, true)] {
        let names: Vec<String> = (0..count).map(|number| format!("one-{number}")).collect();
        let listed = names.iter().map(|name| {
            let name = name.clone();
            ListedScenario { path: name.clone(), file: name.clone(), name }
        });
        let document = RunDocument::new(String::new(), listed);
        let (path, configurations) = (dir.path().join("page.html"), Configurations::default());
        let mut page =
            PageFile::create_with_secrets(document, &path, configurations.clone()).unwrap();
        for name in &names {
            configurations.put(name, format!("password: hush-{name}\n"));
            let loaded = Event::ScenarioLoaded { configuration: "password: \"***\"\n".to_owned() };
            for event in [Event::ScenarioStarted { file: name.into() }, loaded] {
                page.add(&EventRecord::now(0.0, Some(name.clone()), event));
            }
        }
        page.finish().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        if packed {
            let letters = script_data(&text, "configurations");
            text = String::from_utf8(unpacked(letters.as_str().unwrap())).unwrap();
        }
        assert!(text.contains("Configuration as merged, with secrets"), "{text}");
        assert!(!text.contains("without secrets") && !text.contains("***"), "{text}");
        for name in &names {
            assert!(text.contains(&format!("password: hush-{name}")), "{text}");
        }
    }
}
