//! The folders and files that a run leaves.

use super::*;
use crate::results_dir::testing::{create, record};
use labsim_event::{ExpectationResult, Finding, Outcome};
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_wire::decode::LinkType;
use labsim_wire::pcapng::{Block, Reader};
use std::fs;

fn observed() -> Event {
    let mut observations = Observations::default();
    let node = NodeName::new("client").unwrap();
    let interface = InterfaceName::new("eth0").unwrap();
    let point = observations.capture.add_point(node, interface, LinkType::Ethernet);
    observations.capture.push(7, point, Direction::Out, 60, &[0; 60]);
    Event::Observed { frames: 1, dropped: 0, observations: Arc::new(observations) }
}

fn ended() -> Event {
    Event::ScenarioEnded {
        outcome: Outcome::Failed,
        reason: None,
        code: Some("vip-missing".into()),
        held: 1,
        expectations: 2,
        took_ms: 1.0,
    }
}

fn try_failed() -> Event {
    let (outcome, took_ms) = (Outcome::Failed, 1.0);
    Event::TryFailed { number: 1, outcome, reason: None, code: None, took_ms }
}

#[test]
fn scenarios_of_one_name_in_two_folders_have_folders_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let ids = ["login", "a/login", "a/b/login"];
    let mut folder = create(dir.path(), &ids).unwrap();
    for id in ids {
        for event in [observed(), ended()] {
            let scenario = Some(id.to_owned());
            folder.consume(&EventRecord { scenario, ..record(event) }).unwrap();
        }
        assert!(dir.path().join(id).join(CAPTURE).exists(), "{id}");
    }
}

#[test]
fn a_scenario_folder_inside_the_logs_of_another_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for inner in ["a/b/logs", "a/b/pcap/c", "a/b/try-1.pcapng", "a/b/events.jsonl"] {
        let refused = create(dir.path(), &["a/b", inner]).err().unwrap();
        assert!(refused.to_string().contains("among those of `a/b`"), "{refused}");
    }
    create(dir.path(), &["a/b", "a/b/c", "logs"]).unwrap();
}

#[test]
fn only_running_scenarios_have_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["r", "s", "t"]).unwrap();
    assert_eq!(folder.running.len(), 0);
    folder.consume(&record(observed())).unwrap();
    assert_eq!(folder.running.len(), 1);
    folder.consume(&record(ended())).unwrap();
    assert_eq!(folder.running.len(), 0);
}

#[test]
fn the_capture_of_a_try_that_failed_is_kept_beside_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    for event in [observed(), try_failed(), observed(), ended()] {
        folder.consume(&record(event)).unwrap();
    }
    let names = [CAPTURE, "try-1.pcapng"].map(|name| dir.path().join("s").join(name));
    assert!(names.iter().all(|path| path.exists()));
    create(dir.path(), &["s"]).unwrap();
    assert!(!names.iter().any(|path| path.exists()));
}

#[test]
fn a_capture_has_a_block_for_each_interface_and_each_frame() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    folder.consume(&record(observed())).unwrap();
    folder.consume(&record(ended())).unwrap();
    let bytes = fs::read(dir.path().join("s").join(CAPTURE)).unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    let named = |b: &Block| format!("{b:?}").contains("client:eth0");
    assert!(blocks.iter().any(named), "{blocks:?}");
    assert!(blocks.iter().any(|b| matches!(b, Block::Packet { .. })), "{blocks:?}");
}

#[test]
fn events_are_one_json_object_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    let step = || Event::StepStarted { step: "login".into(), what: "x\ny".into() };
    folder.consume(&record(step())).unwrap();
    folder.consume(&record(step())).unwrap();
    let text = fs::read_to_string(dir.path().join("s").join(EVENTS)).unwrap();
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["event"], "step_started");
        assert_eq!(value["scenario"], "s");
    }
}

#[test]
fn what_an_earlier_run_left_is_gone_before_the_next_begins() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    folder.consume(&record(observed())).unwrap();
    folder.consume(&record(ended())).unwrap();
    let names = [CAPTURE, "pcap/client-eth0.pcap"].map(|name| dir.path().join("s").join(name));
    assert!(names.iter().all(|path| path.exists()));
    create(dir.path(), &["s"]).unwrap();
    assert!(!names.iter().any(|path| path.exists()));
    assert_eq!(fs::read(dir.path().join("s").join(EVENTS)).unwrap(), b"");
}

#[test]
fn no_link_is_followed_neither_as_a_folder_nor_as_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("s")).unwrap();
    let refused = create(dir.path(), &["s"]).err().unwrap();
    assert!(refused.to_string().contains("never go through links"), "{refused}");

    fs::remove_file(dir.path().join("s")).unwrap();
    fs::create_dir(dir.path().join("s")).unwrap();
    let target = elsewhere.path().join("target");
    fs::write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, dir.path().join("s").join(EVENTS)).unwrap();
    assert!(create(dir.path(), &["s"]).is_err());
    assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
}

/// All blocks of a capture.
fn blocks(dir: &tempfile::TempDir) -> (Vec<u8>, Vec<Block>) {
    let bytes = fs::read(dir.path().join("s").join(CAPTURE)).unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    (bytes, blocks)
}

#[test]
fn frames_that_matter_and_the_section_have_comments() {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    let finding = Finding {
        code: Some("vip-missing".into()),
        sentence: "no VIP".into(),
        frame_indices: vec![0],
        fix: None,
    };
    let judged = ExpectationResult {
        name: "reply".into(),
        sentence: "no reply".into(),
        frame_indices: vec![0],
        ..ExpectationResult::default()
    };
    for event in [
        observed(),
        Event::Judged(judged),
        Event::Diagnosed { step: "login".into(), findings: vec![finding], causes: Vec::new() },
        ended(),
    ] {
        folder.consume(&record(event)).unwrap();
    }
    let (bytes, blocks) = blocks(&dir);
    let comments: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Packet { comment, .. } => Some(comment.as_deref()),
            _ => None,
        })
        .collect();
    let comment = "expectation reply does not hold: no reply\nstep login: no VIP [vip-missing]";
    assert_eq!(comments, [Some(comment)]);
    let section = "labsim scenario s: failed [vip-missing]; 1 of 2 expectations held; step login: \
                   no VIP [vip-missing]";
    assert!(bytes.windows(section.len()).any(|it| it == section.as_bytes()));
}

#[test]
fn markers_are_left_out_unless_they_are_asked_for() {
    for (markers, packets) in [(false, 1), (true, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let options = ResultsOptions { pcap: true, markers };
        let manifest = crate::results_dir::testing::manifest(&["s"]);
        let mut folder = ResultsWriter::create(dir.path(), &manifest, options).unwrap();
        let Event::Observed { observations, .. } = observed() else { unreachable!() };
        let mut observations = Arc::unwrap_or_clone(observations);
        let mut marker = [0; 60];
        marker[12..14].copy_from_slice(&labsim_wire::ethernet::ethertype::MARKER.to_be_bytes());
        let point = labsim_verdict::PointId(0);
        observations.capture.push(8, point, Direction::Out, 60, &marker);
        let observations = Arc::new(observations);
        let event = Event::Observed { frames: 2, dropped: 0, observations };
        folder.consume(&record(event)).unwrap();
        folder.consume(&record(ended())).unwrap();
        let (_, blocks) = blocks(&dir);
        let count = blocks.iter().filter(|it| matches!(it, Block::Packet { .. })).count();
        assert_eq!(count, packets);
        let pcap = fs::read(dir.path().join("s/pcap/client-eth0.pcap")).unwrap();
        assert_eq!(pcap.len(), 24 + packets * (16 + 60));
        let came = blocks.iter().find_map(|block| match block {
            Block::Statistics { received, .. } => *received,
            _ => None,
        });
        assert_eq!(came, Some(2), "a marker came to the capture too");
    }
}

#[test]
fn results_are_readable_by_the_group_and_by_no_others() {
    use std::os::unix::fs::MetadataExt as _;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("out");
    let mut folder = create(&dir, &["s"]).unwrap();
    let text = (*b"hello").into();
    let (file, node) = ("p.log".to_owned(), "rs1".to_owned());
    let logged = Event::ProcessLogged { file, node, bytes: 5, lost: 0, text };
    for event in [logged, observed(), ended()] {
        folder.consume(&record(event)).unwrap();
    }
    // umask(2) tells it only by changing it, for the files of other tests, too.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
    for (path, mode) in [
        ("", 0o750),
        ("run.json", 0o640),
        ("s", 0o750),
        ("s/events.jsonl", 0o640),
        ("s/capture.pcapng", 0o640),
        ("s/pcap", 0o750),
        ("s/pcap/client-eth0.pcap", 0o640),
        ("s/logs", 0o750),
        ("s/logs/p.log", 0o640),
    ] {
        let found = fs::metadata(dir.join(path)).unwrap().mode() & 0o777;
        assert_eq!(found, mode & !umask, "{path}: {found:o}");
    }
}

#[test]
fn results_get_the_group_of_their_folder() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    const GROUP: u32 = 54_321;
    let dir = tempfile::tempdir().unwrap();
    if !nix::unistd::Uid::effective().is_root() {
        // Another user may not give files away; the test above covers that user.
        return;
    }
    chown(dir.path(), None, Some(GROUP)).unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    for event in [observed(), ended()] {
        folder.consume(&record(event)).unwrap();
    }
    for path in ["run.json", "s", "s/events.jsonl", "s/capture.pcapng", "s/pcap/client-eth0.pcap"] {
        assert_eq!(fs::metadata(dir.path().join(path)).unwrap().gid(), GROUP, "{path}");
    }
}
