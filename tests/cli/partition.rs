//! A run on several machines: the results of its partitions, merged, are those of one machine.

use crate::support::{DEADLINE, Desk};
use std::fs;
use std::process::Stdio;
use std::time::Instant;

/// Many scenarios that take little time.
const FOLDER: &str = "scenarios/tunnels";

fn json(desk: &Desk, file: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(desk.path(file)).unwrap()).unwrap()
}

/// Name and outcome of each scenario.
fn outcomes(run: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
    let scenarios = run["scenarios"].as_array().unwrap();
    scenarios.iter().map(|it| (text(&it["name"]), text(&it["outcome"]))).collect()
}

#[test]
fn merged_partitions_are_the_run_of_one_machine() {
    let desk = Desk::new();
    let args = ["run", FOLDER, "--jobs", "2", "--out", "whole", "--json", "whole.json"];
    let whole = desk.labsim(&args);
    let code = whole.code.unwrap();
    for method in ["count", "hash", "time"] {
        let mut parts = Vec::new();
        for index in 1..=3 {
            let durations = if method == "time" { "=whole" } else { "" };
            let partition = format!("{method}:{index}/3{durations}");
            let part = format!("{method}-{index}");
            let args = ["run", FOLDER, "--jobs", "2", "--partition", &partition, "--out", &part];
            let ended = desk.labsim(&args).exits(code);
            ended.says(&format!("partition {method}:{index}/3: "));
            if method == "time" {
                ended.says("; expected time ");
            }
            parts.push(part);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let files = ["--out", "merged", "--junit", "merged.xml", "--json", "merged.json"];
        desk.labsim(&[&["merge"], parts.as_slice(), &files].concat()).exits(code);
        let compared = desk.labsim(&["compare", "whole", "merged"]).exits(0);
        assert!(!compared.stdout.contains("DIFFERENT"), "{}", compared.stdout);
        assert_eq!(outcomes(&json(&desk, "merged.json")), outcomes(&json(&desk, "whole.json")));
        let junit = fs::read_to_string(desk.path("merged.xml")).unwrap();
        assert_eq!(crate::junit_rules::violations(&junit), [""; 0]);
        // Merged results are those of a whole run.
        desk.labsim(&["merge", "merged"]).exits(code);
        fs::remove_dir_all(desk.path("merged")).unwrap();
    }
}

#[test]
fn a_partition_that_is_missing_is_no_pass_and_its_scenarios_are_named() {
    let desk = Desk::new();
    let scenarios = ["scenarios/snat.yaml", "scenarios/l2-dsr.yaml", "scenarios/tacacs-ipip.yaml"];
    for index in [1, 3] {
        let (partition, part) = (format!("count:{index}/3"), format!("part-{index}"));
        let args = ["--partition", &partition, "--out", &part, "--pcap"];
        desk.labsim(&[&["run"], &scenarios[..], &args].concat()).exits(0);
    }
    let args = ["merge", "part-1", "part-3", "--out", "merged", "--junit", "junit.xml"];
    let ended = desk.labsim(&args).exits(1);
    ended.says("partition 2/3 is missing: none of the folders holds it");
    ended.says("l2-dsr has no result: it is in none of the folders, and partition 2/3 is missing");
    let junit = fs::read_to_string(desk.path("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"0\""), "{junit}");
    assert!(junit.contains("type=\"no-result\""), "{junit}");
    let events = fs::read_to_string(desk.path("merged/l2-dsr/events.jsonl")).unwrap();
    assert!(events.contains("[no-result]"), "{events}");
    let pcap =
        |folder: &str| fs::read(desk.path(folder).join("snat/pcap/client-eth0.pcap")).unwrap();
    assert_eq!(pcap("merged"), pcap("part-1"));
}

#[test]
fn a_partition_that_was_killed_is_no_pass_and_its_scenarios_are_named() {
    let desk = Desk::new();
    // Its login waits for an answer that does not come.
    desk.over("slow", "tacacs-ipip", crate::support::NO_ANSWER);
    let args = ["run", "scenarios/snat.yaml", "scenarios/slow.yaml", "scenarios/l2-dsr.yaml"];
    let args = [&args[..], &["--partition", "count:1/1", "--jobs", "1", "--out", "part"]].concat();
    let mut child = desk.command(&args).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let events = desk.path("part/slow/events.jsonl");
    while !fs::read_to_string(&events).is_ok_and(|text| text.contains("step_started")) {
        assert!(began.elapsed() < DEADLINE, "the slow scenario never began its step");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = desk.labsim(&["merge", "part", "--json", "run.json"]).exits(1);
    ended.says("slow has no result: partition 1/1 (part) ended before the scenario ended");
    ended.says("l2-dsr has no result: partition 1/1 (part) ended before the scenario began");
    let run = json(&desk, "run.json");
    assert_eq!((&run["scenarios"][0]["outcome"], &run["ended"]), (&"passed".into(), &true.into()));
    assert_eq!(run["scenarios"][1]["code"], "no-result");
}

#[test]
fn a_file_that_is_not_valid_is_an_error_of_the_merged_run_too() {
    let desk = Desk::new();
    let invalid = desk.over("invalid", "tacacs-ipip", "real_server: {}\n");
    for (index, code) in [(1, 0), (2, 2)] {
        let (partition, part) = (format!("count:{index}/2"), format!("part-{index}"));
        let args = ["run", "scenarios/snat.yaml", &invalid, "--partition", &partition];
        desk.labsim(&[&args[..], &["--out", &part]].concat()).exits(code);
    }
    let ended = desk.labsim(&["merge", "part-1", "part-2", "--json", "run.json"]).exits(2);
    assert!(!ended.stderr.contains("no result"), "{ended:?}");
    assert_eq!(json(&desk, "run.json")["scenarios"][1]["code"], "unknown-key");
}

#[test]
fn an_empty_partition_succeeds_and_is_part_of_the_merged_run() {
    let desk = Desk::new();
    for index in [1, 2] {
        let (partition, part) = (format!("count:{index}/2"), format!("part-{index}"));
        let args = ["run", "scenarios/snat.yaml", "--partition", &partition, "--out", &part];
        desk.labsim(&args).exits(0).says(&format!("partition count:{index}/2: {} of 1", 2 - index));
    }
    desk.labsim(&["merge", "part-1", "part-2"]).exits(0);
}

#[test]
fn partitions_that_do_not_exist_and_durations_of_other_scenarios_are_refused_in_a_sentence() {
    let desk = Desk::new();
    let run = |partition: &str| {
        desk.labsim(&["run", "scenarios/snat.yaml", "--partition", partition]).exits(2)
    };
    run("hash:6/5").says("there is no partition 6 of 5: they are numbered from 1 to 5");
    run("count:1/0").says("a run has 1 to 65536 partitions, not 0");
    run("2/5").says("expected count:M/N, hash:M/N or time:M/N=DIR");
    run("time:1/2=gone").says("gone: no such folder");
    desk.labsim(&["run", "scenarios/l2-dsr.yaml", "--out", "other"]).exits(0);
    let ended = run("time:1/2=other");
    ended.says(
        "other: these are the results of other scenarios: none of the 1 to be run is among them",
    );
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""));
}

#[test]
fn folders_that_are_cut_or_of_other_runs_are_refused_in_a_sentence() {
    let desk = Desk::new();
    let scenarios = ["scenarios/snat.yaml", "scenarios/l2-dsr.yaml"];
    for index in [1, 2] {
        let (partition, part) = (format!("count:{index}/2"), format!("part-{index}"));
        let args = ["--partition", &partition, "--out", &part];
        desk.labsim(&[&["run"], &scenarios[..], &args].concat()).exits(0);
    }
    let merge = |args: &[&str], says: &str| {
        let ended = desk.labsim(&[&["merge"], args].concat()).exits(2);
        ended.says(says);
        assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
    };
    let both = ["part-1", "part-2"];
    merge(&["gone"], "gone: no such folder");
    merge(&["scenarios"], "scenarios/run.json: no such file");
    merge(&["part-1", "part-2", "part-1"], "partition 1/2 is in part-1 as well; name one of them");
    merge(&["part-1", "part-2", "--out", "part-2"], "part-2 is one of the folders to be merged");
    merge(&["part-1", "part-2", "--junit", "scenarios"], "cannot be written: it is a folder");
    let args = ["run", "scenarios/snat.yaml", "--partition", "count:1/2", "--out", "other"];
    desk.labsim(&args).exits(0);
    merge(&["part-2", "other"], "other: not a partition of the run in part-2");
    // Half of each file, and none of it.
    for file in ["run.json", "snat/events.jsonl", "snat/capture.pcapng"] {
        let path = desk.path("part-1").join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        merge(&both, &format!("part-1/{file}: "));
        fs::remove_file(&path).unwrap();
        merge(&both, &format!("part-1/{file}: no such file"));
        fs::write(&path, &whole).unwrap();
    }
    desk.labsim(&["merge", "part-1", "part-2"]).exits(0);
}
