//! What a file says about what is captured, and every expectation that needs more.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{Captures, FrameMatch, InterfaceName, NodeName};

/// The valid scenario with `captures` on line 15, and further expectations from line 23 on.
fn with(captures: &str, expectations: &str) -> String {
    let text = changed(SCENARIO, &[("steps:\n", &format!("captures: {captures}\nsteps:\n"))]);
    text + expectations
}

fn load(captures: &str) -> Captures {
    let text = with(captures, "").replace("at: client:eth0,", "at: rs1:eth0,");
    let text =
        text.replace("  seen: {exchange: {at: rs1:eth0, frames: talk}, pass: yes, fail: no}\n", "");
    Files::new(TOPOLOGY, &text).load().unwrap().captures
}

fn takes(captures: &Captures, node: &str, interface: &str) -> bool {
    captures.takes(&NodeName::new(node).unwrap(), &InterfaceName::new(interface).unwrap())
}

#[test]
fn without_captures_everything_is_captured() {
    let scenario = Files::new(TOPOLOGY, SCENARIO).load().unwrap();
    assert_eq!(scenario.captures, Captures::default());
    assert!(scenario.captures.is_complete());
}

#[test]
fn points_filter_and_snaplen_are_read() {
    let captures = load(
        "{points: [client, 'rs*:tunl0'], filter: [{source: 192.168.11.201}, {protocol: udp}], snaplen: 256}",
    );
    assert!(takes(&captures, "client", "eth0") && takes(&captures, "client", "lo"));
    assert!(takes(&captures, "rs2", "tunl0") && !takes(&captures, "rs2", "eth0"));
    assert!(!takes(&captures, "lb", "eth0"));
    assert_eq!((captures.filter.len(), captures.snaplen), (2, Some(256)));
    assert!(captures.passes(&FrameMatch { protocol: Some(17), ..FrameMatch::default() }));
    let none = load("{points: none}");
    assert!(!takes(&none, "client", "eth0") && !none.is_complete());
    let one = load("{filter: {destination_port: 49}}");
    assert_eq!((one.points, one.filter[0].destination_port), (None, Some(49)));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = with(
        "{points: ['rs3', client:eth1, none], filter: [{seq: 1, direction: in}, {}], snaplen: 96}",
        "",
    );
    let text = text
        .replace("  seen: {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}\n", "");
    let found = shown(&Files::new(TOPOLOGY, &text).load().unwrap_err());
    assert!(
        is_as_expected(
            &found,
            &[
                "case.yaml:15:20: `none` captures nothing; leave it or the others out",
                "case.yaml:15:21: no interface of the lab is called `rs3`; write `node:interface` or `node`, with \
                 `*` for any characters",
                "case.yaml:15:28: no interface of the lab is called `client:eth1`; write `node:interface` or \
                 `node`, with `*` for any characters",
                "case.yaml:15:63: TCP's numbers are counted from a flow's first one, which is not known while \
                 frames are captured; leave this out",
                "case.yaml:15:77: a frame is captured at both ends of its link, or at none; leave `direction` out",
                "case.yaml:15:82: this filter passes every frame; name header fields, or leave it out",
                "case.yaml:15:96: a snaplen of 96 bytes; write 256 to 262144",
            ]
        ),
        "{found:#?}"
    );
}

/// What is refused of expectations, and their names' lines.
fn refused(captures: &str, expectations: &str) -> Vec<String> {
    let text = with(captures, expectations);
    match Files::new(TOPOLOGY, &text).load() {
        Ok(_) => Vec::new(),
        Err(diagnostics) => shown(&diagnostics),
    }
}

#[test]
fn expectations_that_need_what_is_left_out_are_refused_all_at_once_with_place_and_remedy() {
    let remedy =
        "which `captures` (case.yaml:15) leaves out; capture it too, or remove this expectation";
    let found = refused(
        "{points: lb}",
        "  cause: {diagnosis: {cause: vip-missing}, pass: yes, fail: no}
  counted: {frames: {at: rs1:eth0, match: {protocol: tcp}, count: 0}, pass: yes, fail: no}
  at_server: {frames: {at: real_server:tunl0, match: {protocol: tcp}, count: 1}, pass: yes, fail: no}
  source: {answer: {result: pass, source: 172.16.4.99}, pass: yes, fail: no}
  spread: {distribution: {nodes: rs1, at_least: 1}, pass: yes, fail: no}
  way: {path: {from: client:eth0 out, to: lb:eth0 in, lost: 0}, pass: yes, fail: no}
  here: {frames: {at: lb:eth0, match: {protocol: tcp}, count: {at_least: 1}}, pass: yes, fail: no}
  log: {answered_by: {node: [rs1, rs2]}, pass: yes, fail: no}
  counter: {forwarder: {node: lb, counter: no_flow, count: 0}, pass: yes, fail: no}
",
    );
    let expected = [
        format!("case.yaml:22:3: this rests on the frames of client:eth0, {remedy}"),
        format!("case.yaml:23:3: a diagnosis rests on all frames of all interfaces, {remedy}"),
        format!("case.yaml:24:3: this rests on the frames of rs1:eth0, {remedy}"),
        format!("case.yaml:25:3: this rests on the frames of rs1:tunl0, {remedy}"),
        format!("case.yaml:26:3: this rests on the frames of client:eth0, {remedy}"),
        format!("case.yaml:27:3: this rests on the frames of rs1:eth0, {remedy}"),
        format!("case.yaml:28:3: this rests on the frames of client:eth0, {remedy}"),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert!(is_as_expected(&found, &expected), "{found:#?}");
}

#[test]
fn what_a_filter_is_sure_to_pass_may_be_expected_and_nothing_else() {
    let filter = "{filter: [{source: 192.168.11.0/24}, {destination: 192.168.11.0/24}]}";
    let fine = "  to: {frames: {at: rs1:eth0, match: {source: 192.168.11.201, seq: 1, destination: 172.16.4.99}, \
                count: {at_least: 1}}, pass: yes, fail: no}
  source: {answer: {result: pass, source: 172.16.4.99}, pass: yes, fail: no}
";
    assert_eq!(refused(filter, fine), Vec::<String>::new());
    let wider =
        "  to: {frames: {at: rs1:eth0, match: {protocol: tcp}, count: 1}, pass: yes, fail: no}\n";
    let found = refused(filter, wider);
    assert!(
        found[0]
            .starts_with("case.yaml:23:3: this rests on frames that no `filter` is sure to pass")
    );
    // The one direction is not enough for numbers that are relative to the other.
    let one_way = "{filter: [{source: 192.168.11.0/24}]}";
    let found = refused(one_way, &fine.replace("  source:", "  other:"));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|one| one.contains("both ways")), "{found:#?}");
}

#[test]
fn where_addresses_are_translated_logs_need_the_frames_of_the_load_balancer() {
    let text = with(
        "{points: client:eth0}",
        "  log: {answered_by: {node: [rs1, rs2]}, pass: yes, fail: no}\n",
    );
    assert!(Files::new(TOPOLOGY, &text).load().is_ok());
    let text = changed(&text, &[("pool: p}", "pool: p, source_address_translation: automap}")]);
    let found = shown(&Files::new(TOPOLOGY, &text).load().unwrap_err());
    assert!(
        found.iter().any(|one| one.contains("this rests on the frames of lb:eth0")),
        "{found:#?}"
    );
}
