//! Two folders of results, compared as a user types it.

use crate::support::Desk;
use std::fs;

const SCENARIO: &str = "scenarios/tunnels/ttl.yaml";

#[test]
fn two_runs_of_a_scenario_are_the_same_and_a_changed_one_is_not() {
    let desk = Desk::new();
    for out in ["before", "again"] {
        desk.labsim(&["run", SCENARIO, "--out", out]).exits(0);
    }
    desk.labsim(&["compare", "before", "again"]).exits(0).says("SAME ttl").says("1 the same");
    desk.edit(SCENARIO, "ttl: 2}", "ttl: 3}");
    desk.labsim(&["run", SCENARIO, "--out", "after"]).exits(1);
    desk.labsim(&["compare", "before", "after"])
        .exits(1)
        .says("DIFFERENT ttl")
        .says("passed in before, failed in after")
        .says("expectation arrived: held in before, did not hold in after")
        .says("rs1:eth0: frames differ")
        .says("outer ttl: 1, 2");
}

#[test]
fn a_pool_that_is_set_otherwise_is_a_difference_of_its_load_balancer() {
    let desk = Desk::new();
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "before"]).exits(0);
    let members = "members: [10.1.1.51:49, 10.1.1.52:49, 10.1.1.53:49]";
    let ratio = "members: [{address: 10.1.1.51:49, ratio: 2}, 10.1.1.52:49, 10.1.1.53:49]";
    desk.edit("scenarios/parts/tacacs.yaml", members, ratio);
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "after"]).exits(0);
    let of = "member 10.1.1.51:49 of pool p_tacacs-test_49";
    desk.labsim(&["compare", "before", "after"])
        .exits(1)
        .says("configuration of lb:")
        .says(&format!("only in before: {of}\n"))
        .says(&format!("only in after: {of}: {{ratio: 2}}\n"));
}

/// A desk with a healthy login and two with faults: `out/SCENARIO`.
fn lessons() -> Desk {
    let desk = Desk::new();
    let faults = ["faults/rp-filter-strict", "tacacs-gre"];
    let [one, other] = faults.map(|name| format!("scenarios/{name}.yaml"));
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", &one, &other, "--out", "out"]).exits(0);
    desk
}

#[test]
fn a_lesson_and_the_healthy_run_part_where_the_fault_is() {
    let desk = lessons();
    let compared =
        ["compare", "out/tacacs-ipip", "out/rp-filter-strict", "--html", "compared.html"];
    let told = desk.labsim(&compared).exits(1).stdout;
    let sysctl = "configuration of rs1, rs2, rs3:\n    only in out/tacacs-ipip: sysctl";
    let hop = "first different hop, in step login:\n      the same up to rs1:tunl0 in";
    let places = [
        "different scenarios: steps are compared in their order",
        sysctl,
        "only in out/rp-filter-strict: sysctl net.ipv4.conf.tunl0.rp_filter = 1",
        hop,
        "out/rp-filter-strict has no such packet there",
        "rs1 TcpExtIPReversePathFilter: rose by 0",
        "step login: pass, timeout; the same at 9 of",
        "not compared: expectations of the second only: why",
    ]
    .map(|text| told.find(text).unwrap_or_else(|| panic!("no `{text}` in {told}")));
    assert!(places.is_sorted(), "{told}");
    let page = fs::read_to_string(desk.path("compared.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2, "both ways are drawn");
    assert_eq!(page.matches("<td>first different hop</td>").count(), 1);
    assert!(!page.contains("<script") && page.contains("default-src 'none'"));
}

#[test]
fn tunnels_of_another_kind_part_at_the_load_balancer() {
    let desk = lessons();
    desk.labsim(&["compare", "out/tacacs-ipip", "out/tacacs-gre"])
        .exits(1)
        .says("only in out/tacacs-gre: tunnel gre begins")
        .says("the same up to lb:eth0 in")
        .says("outer protocol: 4, 47");
}

#[test]
fn a_scenarios_own_folder_is_compared_with_its_like_in_another() {
    let desk = lessons();
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "again"]).exits(0);
    for pair in [["out/tacacs-ipip", "again"], ["again/tacacs-ipip", "out"]] {
        desk.labsim(&["compare", pair[0], pair[1]]).exits(0).says("SAME tacacs-ipip");
    }
    desk.labsim(&["report", "again/tacacs-ipip", "--html", "one.html"]).exits(0);
    rename(&desk, "again/tacacs-ipip", "other");
    desk.labsim(&["compare", "again/tacacs-ipip", "out"])
        .exits(2)
        .says("out: none of its 3 scenarios is called other; name the folder of one of them");
}

/// Gives a scenario of a folder another name in its events.
fn rename(desk: &Desk, folder: &str, name: &str) {
    let path = desk.path(folder).join("events.jsonl");
    let events: String = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| match line.split_once("\"scenario\":\"") {
            Some((before, rest)) => {
                let (_, after) = rest.split_once('"').unwrap();
                format!("{before}\"scenario\":\"{name}\"{after}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    fs::write(path, events).unwrap();
}

#[test]
fn scenarios_of_one_name_in_different_folders_are_kept_apart() {
    let desk = Desk::new();
    for name in ["ipv6", "v4"] {
        let out = format!("n/{name}");
        desk.labsim(&["run", SCENARIO, "--out", &out]).exits(0);
        rename(&desk, &format!("{out}/ttl"), &format!("{name}/ttl"));
    }
    for pair in [["n/ipv6/ttl", "n"], ["n", "n/ipv6/ttl"]] {
        let told = desk
            .labsim(&["compare", pair[0], pair[1]])
            .exits(0)
            .says("SAME ipv6/ttl")
            .stdout
            .clone();
        assert!(!told.contains("different scenarios"), "{told}");
    }
    desk.labsim(&["compare", "n/ipv6/ttl", "n/v4/ttl"]).exits(0).says("different scenarios");
    rename(&desk, "n/ipv6/ttl", "ttl");
    desk.labsim(&["compare", "n/ipv6/ttl", "n"])
        .exits(2)
        .says("n: 2 of its scenarios may be ttl; name the folder of one of them");
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_read() {
    let desk = Desk::new();
    let ended = desk.labsim(&["compare", "gone", "gone", "--html", "scenarios"]).exits(2);
    assert!(ended.stderr.contains("the page scenarios cannot be written: it is a folder"));
    assert!(!ended.stderr.contains("gone"), "{}", ended.stderr);
}

#[test]
fn damaged_results_are_compared_or_refused_with_their_reason() {
    let desk = Desk::new();
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "out"]).exits(0);
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "hurt"]).exits(0);
    fs::rename(desk.path("hurt/tacacs-ipip"), desk.path("hurt/other")).unwrap();
    for file in ["capture.pcapng", "events.jsonl"] {
        let path = desk.path(&format!("hurt/other/{file}"));
        let whole = fs::read(&path).unwrap();
        for part in 0..24 {
            let at = whole.len() * part / 24;
            let mut bytes = whole.clone();
            match part % 2 {
                0 => bytes.truncate(at),
                _ => bytes[at..].iter_mut().step_by(131).for_each(|byte| *byte ^= 0x15),
            }
            fs::write(&path, bytes).unwrap();
            let compared = ["compare", "out/tacacs-ipip", "hurt/other", "--html", "page.html"];
            let ended = desk.labsim(&compared);
            assert!(matches!(ended.code, Some(0..=2)), "{}", ended.stderr);
            assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn everything_that_cannot_be_compared_is_told_at_once() {
    let desk = Desk::new();
    let ended = desk.labsim(&["compare", "gone", "scenarios"]).exits(2);
    assert!(ended.stderr.contains("gone: no such folder"), "{}", ended.stderr);
    assert!(ended.stderr.contains("scenarios: no results in it"), "{}", ended.stderr);
    for folder in ["one/s", "two/s"] {
        fs::create_dir_all(desk.path(folder)).unwrap();
        desk.write(&format!("{folder}/events.jsonl"), "no event\n");
    }
    let ended = desk.labsim(&["compare", "one", "two", "--html", "page.html"]).exits(2);
    let page = fs::read_to_string(desk.path("page.html")).unwrap();
    assert!(page.contains("<title>s compared: not readable</title>"), "{page}");
    for file in ["one/s/events.jsonl: line 1", "two/s/events.jsonl: line 1", "2 errors"] {
        assert!(ended.stderr.contains(file), "{}", ended.stderr);
    }
}
