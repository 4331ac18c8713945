//! What is read back is what was kept, and no made-up folder is believed.

use super::*;
use crate::OutFolder;
use labsim_event::{Event, Outcome, Sink as _, Told};
use labsim_verdict::Observations;
use std::fs;
use std::sync::Arc;

fn told(event: Event) -> Told {
    Told { at_ms: 1.0, scenario: Some("s".into()), event }
}

fn ended(outcome: Outcome) -> Event {
    Event::ScenarioEnded { outcome, reason: None, held: 1, expectations: 1, took_ms: 1.0 }
}

/// A folder with one scenario in it, as a run leaves it.
fn kept() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
    let mut observations = Observations::default();
    let (node, interface) = point("client:eth0").unwrap();
    let id = observations.capture.add_point(node.clone(), interface, LinkType::Ethernet);
    let direction = labsim_scenario::model::Direction::Out;
    observations.capture.push(7, id, direction, 60, &[1; 60]);
    observations.capture_drops.insert(node, 3);
    let observed = Event::Observed { frames: 1, dropped: 3, observations: Arc::new(observations) };
    for event in [observed, ended(Outcome::Passed)] {
        folder.take(&told(event)).unwrap();
    }
    dir
}

fn read(dir: &tempfile::TempDir) -> Result<Kept, Vec<String>> {
    KeptFolder::open(dir.path()).unwrap().read("s")
}

#[test]
fn a_capture_is_read_back_as_it_was_kept() {
    let dir = kept();
    let kept = read(&dir).unwrap();
    assert_eq!(kept.outcome, "passed");
    let capture = &kept.observations.capture;
    assert_eq!((capture.points().len(), capture.len()), (1, 1));
    let frame = capture.frame(0).unwrap();
    assert_eq!((frame.record.time_ns, frame.bytes), (7, &[1; 60][..]));
    assert_eq!(kept.observations.capture_drops.values().copied().collect::<Vec<_>>(), [3]);
}

#[test]
fn every_file_that_cannot_be_read_is_told_at_once() {
    let dir = kept();
    fs::write(dir.path().join("s").join("events.jsonl"), "{}\n").unwrap();
    fs::write(dir.path().join("s").join("capture.pcapng"), "no capture").unwrap();
    let mistakes = read(&dir).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].contains("events.jsonl: line 1 is no event"), "{mistakes:?}");
    assert!(mistakes[1].contains("capture.pcapng: this is no pcapng file"), "{mistakes:?}");
}

#[test]
fn a_capture_may_be_missing_only_where_the_scenario_was_not_run_to_its_end() {
    let dir = kept();
    fs::remove_file(dir.path().join("s").join("capture.pcapng")).unwrap();
    let mistakes = read(&dir).unwrap_err();
    assert!(mistakes[0].contains("capture.pcapng: no such file"), "{mistakes:?}");
    let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
    folder.take(&told(ended(Outcome::Skipped))).unwrap();
    assert_eq!(read(&dir).unwrap().outcome, "skipped");
}

#[test]
fn a_capture_that_is_cut_anywhere_or_has_a_bad_byte_is_told_and_never_a_panic() {
    let dir = kept();
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
    let dir = kept();
    let path = dir.path().join("s").join("capture.pcapng");
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
    assert!(read(&dir).unwrap_err()[0].contains("a link, which is not followed"));
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, Mode::S_IRUSR).unwrap();
    assert!(read(&dir).unwrap_err()[0].contains("no regular file"));
}

#[test]
fn a_folder_without_results_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let empty = KeptFolder::open(dir.path()).err().unwrap();
    assert!(empty.contains("no results in it"), "{empty}");
    let gone = KeptFolder::open(&dir.path().join("gone")).err().unwrap();
    assert!(gone.contains("no such folder"), "{gone}");
    let mut folder = OutFolder::create(dir.path(), ["a", "b"]).unwrap();
    folder.take(&Told { scenario: Some("b".into()), ..told(ended(Outcome::Passed)) }).unwrap();
    let folder = KeptFolder::open(dir.path()).unwrap();
    assert_eq!(folder.names(), ["a", "b"]);
    assert!(folder.read("a").unwrap_err()[0].contains("has no end in it"));
}
