//! The JUnit file: a test case for every scenario, for whatever shows a CI's results.

mod document;

use crate::judged::Judged;
use crate::whole;
use document::{Case, Document, Ended};
use labsim_event::{Event, Outcome, Sink, Told};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Lines of what was expected, what was seen and of frames that are kept of each expectation.
const SHOWN: usize = 100;

/// Why a JUnit file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// The path ends in none.
    #[error("{0} is no name of a file; name one for the JUnit results, such as junit.xml")]
    Nameless(PathBuf),
    /// It or its folder cannot be made.
    #[error("the JUnit file {path} cannot be written: {reason}; name one that you may write to")]
    Unwritable {
        /// As it was named.
        path: PathBuf,
        /// What the kernel said.
        reason: String,
    },
}

/// Keeps a JUnit file of a run.
///
/// It is whole at every moment: from the start it has every scenario, those that have not ended
/// with the reason, and each that begins or ends has it written anew. So a run that is interrupted, or
/// killed, leaves the truth as far as it is known.
pub struct JunitFile {
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
    document: Document,
}

impl JunitFile {
    /// Writes the file with nothing run, in place of an earlier one, and makes its folder.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn create<'a>(
        path: &Path,
        scenarios: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Result<Self, JunitError> {
        let fail = |reason: String| JunitError::Unwritable { path: path.to_owned(), reason };
        let name = path.file_name().ok_or_else(|| JunitError::Nameless(path.to_owned()))?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = nix::fcntl::open(folder, flags, Mode::empty())
            .map_err(|errno: Errno| fail(errno.desc().to_owned()))?;
        let cases = scenarios.into_iter().map(|(name, file)| Case::new(name, file)).collect();
        let document = Document { cases, ..Document::default() };
        let file = Self { path: path.to_owned(), folder, name: name.to_owned(), document };
        file.write().map_err(|error| fail(error.to_string()))?;
        Ok(file)
    }

    fn write(&self) -> std::io::Result<()> {
        whole::write(&self.folder, &self.name, |out| self.document.write(out))
    }

    /// Keeps what a scenario's event says, and whether the scenario has begun or is over.
    fn update(&mut self, scenario: &str, event: &Event) -> bool {
        let mut cases = self.document.cases.iter_mut();
        let Some(case) = cases.find(|case| case.name == scenario) else { return false };
        match event {
            Event::ScenarioStarted { .. } => {
                case.ended = Ended::NotYet;
                return true;
            }
            Event::Warned { warning } => {
                let _ = writeln!(case.told, "  ! {warning}");
            }
            Event::LabBuilt { tunnel, .. } => {
                let _ = writeln!(case.told, "  tunnel: {tunnel}");
            }
            Event::Ready { data_planes, .. } => {
                for (node, plane) in data_planes {
                    let _ = writeln!(case.told, "  forwarder in {node}: {plane}");
                }
            }
            Event::StepEnded { step, detail, .. } => {
                let _ = writeln!(case.told, "  step {step}: {detail}");
            }
            Event::Judged { passed, sentence, place, expected, seen, frames, .. } => {
                let (mark, passed) = (if *passed { "✓" } else { "✗" }, *passed);
                let judged = Judged { mark, passed, sentence, place, expected, seen, frames };
                match passed {
                    true => judged.write(&mut case.told, SHOWN),
                    false => {
                        case.failed.push(sentence.clone());
                        judged.write(&mut case.details, SHOWN);
                    }
                }
            }
            Event::Diagnosed { step, findings } => {
                for finding in findings {
                    let _ = writeln!(case.why, "  why, in step {step}: {finding}");
                }
            }
            Event::ScenarioEnded { outcome, reason, took_ms, .. } => {
                case.seconds = took_ms / 1e3;
                let reason = reason.clone().unwrap_or_else(|| "no reason was given".into());
                case.ended = match outcome {
                    Outcome::Passed => Ended::Passed,
                    Outcome::Failed => Ended::Failed,
                    Outcome::Skipped => Ended::Skipped(reason),
                    Outcome::Broken => Ended::Broken(reason),
                    Outcome::Interrupted => Ended::Interrupted(reason),
                };
                return true;
            }
            _ => {}
        }
        false
    }
}

impl Sink for JunitFile {
    fn take(&mut self, told: &Told) -> Result<(), String> {
        self.document.seconds = told.at_ms / 1e3;
        let changed = match (&told.scenario, &told.event) {
            (Some(scenario), event) => self.update(scenario, event),
            (None, Event::RunStarted { version, rights, .. }) => {
                self.document.version = version;
                self.document.rights.clone_from(rights);
                false
            }
            (None, Event::RunEnded { .. }) => true,
            (None, _) => false,
        };
        match changed {
            true => self.write().map_err(|error| {
                format!("the JUnit file {} cannot be written: {error}", self.path.display())
            }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn told(scenario: Option<&str>, event: Event) -> Told {
        Told { at_ms: 1500.0, scenario: scenario.map(str::to_owned), event }
    }

    fn started(name: &str) -> Told {
        told(Some(name), Event::ScenarioStarted { file: PathBuf::from("x.yaml") })
    }

    fn ended(name: &str, outcome: Outcome, reason: Option<&str>) -> Told {
        let reason = reason.map(str::to_owned);
        let event =
            Event::ScenarioEnded { outcome, reason, held: 0, expectations: 1, took_ms: 48.4 };
        told(Some(name), event)
    }

    fn kept(names: &[&str], events: &[Told]) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results/junit.xml");
        let file = Path::new("scenarios/x.yaml");
        let mut junit = JunitFile::create(&path, names.iter().map(|name| (*name, file))).unwrap();
        events.iter().for_each(|event| junit.take(event).unwrap());
        let text = fs::read_to_string(path).unwrap();
        (dir, text)
    }

    /// The test case of that name, and of what is in it the one named `child`.
    fn child(text: &str, case: &str, child: &str) -> (String, String) {
        let document = roxmltree::Document::parse(text).unwrap();
        let mut all = document.descendants();
        let case = all.find(|it| it.attribute("name") == Some(case)).unwrap();
        let child = case.children().find(|it| it.has_tag_name(child));
        let child = child.unwrap_or_else(|| panic!("{text}"));
        let message = child.attribute("message").unwrap_or_default();
        (message.to_owned(), child.text().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_failed_scenario_tells_its_cause_its_expectations_and_their_frames() {
        let judged = Event::Judged {
            name: "n".into(),
            passed: false,
            sentence: "the client saw <another> address".into(),
            place: "x.yaml:9".into(),
            expected: vec!["172.16.4.99".into()],
            seen: vec!["10.1.1.52".into()],
            frames: vec!["frame one".into(), "frame two".into()],
        };
        let why = Event::Diagnosed { step: "login".into(), findings: vec!["no VIP".into()] };
        let events = [
            started("a"),
            told(Some("a"), judged),
            told(Some("a"), why),
            ended("a", Outcome::Failed, None),
        ];
        let (_dir, text) = kept(&["a"], &events);
        let (message, details) = child(&text, "a", "failure");
        assert_eq!(message, "the client saw <another> address");
        for part in ["why, in step login: no VIP", "(x.yaml:9)", "expected: 172", "seen: 10", "two"]
        {
            assert!(details.contains(part), "{part} is missing in {details}");
        }
        assert!(details.find("why") < details.find("✗"), "the cause comes first: {details}");
    }

    #[test]
    fn skipped_and_broken_scenarios_tell_their_reasons() {
        let events = [
            ended("a", Outcome::Skipped, Some("no TUN & no veth")),
            ended("b", Outcome::Broken, Some("it broke")),
            ended("c", Outcome::Interrupted, Some("a signal came")),
        ];
        let (_dir, text) = kept(&["a", "b", "c"], &events);
        assert_eq!(child(&text, "a", "skipped").0, "no TUN & no veth");
        assert_eq!(child(&text, "b", "error").0, "it broke");
        assert_eq!(child(&text, "c", "error").0, "a signal came");
        assert!(text.contains("tests=\"3\" failures=\"0\" errors=\"2\" skipped=\"1\""), "{text}");
        assert!(text.contains("time=\"0.048\""), "{text}");
    }

    #[test]
    fn a_run_that_dies_leaves_every_scenario_with_what_became_of_it() {
        let (_dir, text) = kept(&["a", "b"], &[]);
        assert!(text.contains("tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"2\""), "{text}");
        let events = [started("a"), ended("a", Outcome::Passed, None), started("b")];
        let (_dir, text) = kept(&["a", "b", "c"], &events);
        assert!(text.contains("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"1\""), "{text}");
        assert_eq!(child(&text, "b", "error").0, "labsim ended before it did");
        assert_eq!(child(&text, "c", "skipped").0, "labsim ended before it began");
    }

    #[test]
    fn an_earlier_file_is_gone_before_the_run_begins() {
        let (dir, _) = kept(&["a"], &[ended("a", Outcome::Passed, None)]);
        let path = dir.path().join("results/junit.xml");
        JunitFile::create(&path, [("b", Path::new("b.yaml"))]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("name=\"a\"") && text.contains("name=\"b\""), "{text}");
    }

    #[test]
    fn a_place_that_takes_no_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let none = [("a", Path::new("a.yaml"))];
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for path in ["folder", "file/junit.xml"] {
            let error = JunitFile::create(&dir.path().join(path), none).err().unwrap().to_string();
            assert!(error.contains(path) && error.contains("name one"), "{error}");
        }
        let error = JunitFile::create(Path::new("/"), none).err().unwrap().to_string();
        assert!(error.contains("/ is no name of a file"), "{error}");
    }
}
