//! ACOS commands as people paste them: read as the device reads them, whatever their columns.

use crate::common::{load, places};
use labsim_import::{Imported, Source, a10};

fn imported(text: &str) -> Imported {
    a10::import(&[Source::new("adc.txt", text)]).unwrap_or_else(|error| panic!("{error}"))
}

fn left_out(imported: &Imported) -> Vec<String> {
    imported.left_out.iter().map(|left| format!("{}: {}", left.line, left.kind)).collect()
}

const COMMANDS: [&str; 19] = [
    "ip nat pool out 10.9.9.1 10.9.9.2 netmask /24",
    "slb server s1 10.1.1.51",
    "port 1812 udp",
    "port 49 tcp",
    "slb server s2 10.1.1.52",
    "port 1812 udp",
    "port 49 tcp",
    "slb service-group radius udp",
    "member s1 1812",
    "member s2 1812",
    "slb service-group tacacs tcp",
    "member s1 49",
    "member s2 49",
    "slb virtual-server vip 172.16.4.99",
    "port 49 tcp",
    "source-nat pool out",
    "service-group tacacs",
    "port 1812 udp",
    "service-group radius",
];

/// The commands, each behind as many blanks as its digit says.
fn indented(columns: &str) -> String {
    let lines = COMMANDS.iter().zip(columns.bytes());
    lines.map(|(line, by)| format!("{}{line}\n", " ".repeat((by - b'0').into()))).collect()
}

#[test]
fn a_line_belongs_to_the_innermost_context_that_has_such_a_command() {
    let proper = imported(&indented("0022022022022022244"));
    assert_eq!(load(&proper).load_balancers.values().next().unwrap().virtual_servers.len(), 2);
    assert_eq!(proper.not_imported, []);
    for columns in [
        // None, half of it, the same column for all, a different one for each.
        "0000000000000000000",
        "0000000000000022222",
        "4444444444444444444",
        "0123456789012345678",
        "9876543210987654321",
        "0022022022022000000",
    ] {
        let other = imported(&indented(columns));
        assert_eq!(other.scenario, proper.scenario, "{columns}");
        assert_eq!((other.not_imported, other.left_out), (vec![], vec![]), "{columns}");
    }
}

#[test]
fn commands_and_prompts_of_a_terminal_are_left_out_and_counted() {
    let proper = imported(&indented("0022022022022022244"));
    let pasted = format!(
        "adc#configure terminal\n{}end\nwrite memory\ny\nadc#\n",
        indented("0000000000000022222").replace("\nslb ", "\n!\nadc(config)#slb ")
    );
    let other = imported(&pasted);
    assert_eq!(
        other.scenario.replace(|c: char| c.is_ascii_digit(), ""),
        proper.scenario.replace(|c: char| c.is_ascii_digit(), "")
    );
    assert_eq!(other.not_imported, []);
    let typed = "prompt, or command that is no configuration";
    let (lines, prompt) = ([1, 27, 28, 29], "prompt before a command");
    let mut expected: Vec<(usize, &str)> = lines.iter().map(|line| (*line, typed)).collect();
    expected.extend([4, 8, 12, 16, 20].map(|line| (line, prompt)));
    expected.sort_unstable();
    let found: Vec<(usize, &str)> =
        other.left_out.iter().map(|left| (left.line, left.kind)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_context_that_is_entered_again_is_gone_on_with() {
    let again = format!(
        "{}end\nslb virtual-server vip 172.16.4.99\n  port 49 tcp\n    no-dest-nat\n\
         slb virtual-server vip\nport 1812 udp\nipinip\nno-dest-nat\n",
        indented("0022022022022022244")
    );
    let imported = imported(&again);
    assert_eq!(imported.not_imported, []);
    let scenario = load(&imported);
    let servers = &scenario.load_balancers.values().next().unwrap().virtual_servers;
    assert_eq!(servers.len(), 2);
    assert!(servers.values().all(|server| !server.translate_address));
    assert!(imported.scenario.contains("profile: ipip"), "{}", imported.scenario);
}

#[test]
fn no_takes_away_what_was_entered_before() {
    let text = format!(
        "{}slb virtual-server vip\nport 49 tcp\nno source-nat pool out\nno ipinip\n",
        indented("0022022022022022244")
    );
    let imported = imported(&text);
    assert!(!imported.scenario.contains("snat"), "{}", imported.scenario);
    let expected =
        ["1: ip nat pool out", "23: slb virtual-server vip: port 49 tcp: no"].map(str::to_owned);
    assert_eq!(places(&imported.not_imported), expected);
}

#[test]
fn an_unknown_command_leaves_no_context() {
    let text = indented("0022022022022022244")
        .replace("    service-group radius", "  no-such command\n  service-group radius");
    let imported = imported(&text);
    load(&imported);
    assert!(imported.scenario.contains("vip_1812"), "{}", imported.scenario);
    assert_eq!(places(&imported.not_imported), ["19: slb virtual-server vip: no-such"]);
}

#[test]
fn a_pager_s_lines_and_colours_are_taken_out() {
    let plain = imported(&indented("0022022022022022244"));
    let over = "--More--\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}        \r";
    let text = indented("0022022022022022244")
        .replace("slb server s2", &format!("{over}slb \u{1b}[1mserver\u{1b}[0m s2"))
        .replace("slb service-group tacacs", "--More--(42%)slb service-group tacacs")
        .replace('\n', "\r\n");
    let other = imported(&text);
    assert_eq!(other.scenario, plain.scenario);
    let escapes = "escape sequences or control characters of a terminal";
    let expected = [
        format!("5: {escapes}"),
        "5: line of a pager".to_owned(),
        "11: line of a pager".to_owned(),
    ];
    assert_eq!(left_out(&other), expected);
}
