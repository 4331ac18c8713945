//! What is read back is what was kept, and no made-up folder is believed.

use super::*;
use crate::results_dir::testing::{create, record};
use labsim_event::{Event, EventRecord, Outcome, Sink as _};
use labsim_verdict::Observations;
use std::fs;
use std::sync::Arc;

fn ended(outcome: Outcome) -> Event {
    Event::ScenarioEnded {
        outcome,
        reason: None,
        code: None,
        held: 1,
        expectations: 1,
        took_ms: 1.0,
    }
}

/// A folder with one scenario in it, as a run leaves it.
fn saved() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = create(dir.path(), &["s"]).unwrap();
    let mut observations = Observations::default();
    let (node, interface) = point("client:eth0").unwrap();
    let id = observations.capture.add_point(node.clone(), interface, LinkType::Ethernet);
    let direction = labsim_scenario::model::Direction::Out;
    observations.capture.push(7, id, direction, 60, &[1; 60]);
    observations.capture_drops.insert(node, 3);
    let observed = Event::Observed { frames: 1, dropped: 3, observations: Arc::new(observations) };
    for event in [observed, ended(Outcome::Passed)] {
        folder.consume(&record(event)).unwrap();
    }
    dir
}

fn read(dir: &tempfile::TempDir) -> Result<SavedRun, Vec<String>> {
    let read = ResultsReader::open(dir.path()).unwrap().read("s");
    read.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn a_capture_is_read_back_as_it_was_kept() {
    let dir = saved();
    let saved = read(&dir).unwrap();
    assert_eq!(saved.outcome, "passed");
    let capture = &saved.observations.capture;
    assert_eq!((capture.points().len(), capture.len()), (1, 1));
    let frame = capture.frame(0).unwrap();
    assert_eq!((frame.record.time_ns, frame.bytes), (7, &[1; 60][..]));
    assert_eq!(saved.observations.capture_drops.values().copied().collect::<Vec<_>>(), [3]);
}

#[test]
fn the_kept_capture_is_that_of_the_last_try() {
    let dir = saved();
    let file = dir.path().join("s").join("events.jsonl");
    let events = fs::read_to_string(&file).unwrap();
    let observed = events.lines().next().unwrap();
    fs::write(&file, format!("{observed}\n{events}")).unwrap();
    let mut frames = Vec::new();
    let reader = ResultsReader::open(dir.path()).unwrap();
    let mut emit = |record: EventRecord| {
        if let Event::Observed { observations, .. } = record.event {
            frames.push(observations.capture.len());
        }
    };
    reader.replay("s", &mut emit).unwrap();
    assert_eq!(frames, [0, 1]);
}

#[test]
fn every_file_that_cannot_be_read_is_told_at_once() {
    let dir = saved();
    fs::write(dir.path().join("s").join("events.jsonl"), "{}\n").unwrap();
    fs::write(dir.path().join("s").join("capture.pcapng"), "no capture").unwrap();
    let errors = read(&dir).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("events.jsonl: line 1 has no `schema` number"), "{errors:?}");
    assert!(errors[1].contains("capture.pcapng: this is no pcapng file"), "{errors:?}");
}

#[test]
fn a_capture_may_be_missing_only_where_the_scenario_was_not_run_to_its_end() {
    let dir = saved();
    fs::remove_file(dir.path().join("s").join("capture.pcapng")).unwrap();
    let errors = read(&dir).unwrap_err();
    assert!(errors[0].contains("capture.pcapng: no such file"), "{errors:?}");
    let mut folder = create(dir.path(), &["s"]).unwrap();
    folder.consume(&record(ended(Outcome::Skipped))).unwrap();
    assert_eq!(read(&dir).unwrap().outcome, "skipped");
}

#[test]
fn a_capture_that_is_cut_anywhere_or_has_a_bad_byte_is_told_and_never_a_panic() {
    let dir = saved();
    let path = dir.path().join("s").join("capture.pcapng");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let _ = read(&dir);
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0xff;
        fs::write(&path, &changed).unwrap();
        let _ = read(&dir);
    }
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    assert!(read(&dir).is_err());
}

#[test]
fn no_link_is_followed_and_what_is_no_file_is_not_waited_for() {
    let dir = saved();
    let path = dir.path().join("s").join("capture.pcapng");
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
    assert!(read(&dir).unwrap_err()[0].contains("a link, which is not followed"));
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, Mode::S_IRUSR).unwrap();
    assert!(read(&dir).unwrap_err()[0].contains("not a regular file"));
}

#[test]
fn scenarios_in_folders_are_found_by_their_paths_and_logs_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let ids = ["login", "a/login", "a/b/login"];
    let mut folder = create(dir.path(), &ids).unwrap();
    fs::create_dir_all(dir.path().join("login/logs/x")).unwrap();
    fs::write(dir.path().join("login/logs/events.jsonl"), "").unwrap();
    let scenario = Some("a/b/login".to_owned());
    folder.consume(&EventRecord { scenario, ..record(ended(Outcome::Skipped)) }).unwrap();
    let folder = ResultsReader::open(dir.path()).unwrap();
    assert_eq!(folder.names(), ["a/b/login", "a/login", "login"]);
    assert_eq!(folder.read("a/b/login").unwrap().outcome, "skipped");
}

#[test]
fn a_folder_without_results_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let empty = ResultsReader::open(dir.path()).err().unwrap().to_string();
    assert!(empty.contains("no results in it"), "{empty}");
    let gone = ResultsReader::open(&dir.path().join("gone")).err().unwrap().to_string();
    assert!(gone.contains("no such folder"), "{gone}");
    let mut folder = create(dir.path(), &["a", "b"]).unwrap();
    folder
        .consume(&EventRecord { scenario: Some("b".into()), ..record(ended(Outcome::Passed)) })
        .unwrap();
    let folder = ResultsReader::open(dir.path()).unwrap();
    assert_eq!(folder.names(), ["a", "b"]);
    assert!(folder.read("a").unwrap_err()[0].to_string().contains("scenario_ended is missing"));
}
