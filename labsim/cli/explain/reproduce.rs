//! `labsim explain --reproduce`: writes labs for what was captured, runs them, and compares their captures.

use super::input::Input;
use super::read::Reading;
use crate::args::{LogArgs, ResultsArgs};
use crate::discover::{self, FoundScenario};
use crate::execute::{self, Output};
use crate::exit::Exit;
use crate::import::write_new;
use crate::{output, results};
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_event::{Event, EventRecord, Outcome as Ended, Sink, SinkError};
use labsim_explain::{Explanation, Trace};
use labsim_report::ListedScenario;
use labsim_reproduce::{
    Connection, Experiment, LEFT_OUT, LabResult, MAX_EXPERIMENTS, Outcome, Reproduction,
};
use labsim_runner::{EngineChoice, ImpairmentChoice, Jobs, Options, Policy, TunnelChoice};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of the labs' results.
const RESULTS: &str = "results";

/// How the run of a lab ended.
#[derive(Debug, Clone, Default)]
struct End {
    outcome: Option<Ended>,
    reason: Option<String>,
    /// The causes that its diagnosis found.
    causes: Vec<String>,
}

/// How labs ended, by their scenarios' names.
#[derive(Debug, Clone, Default)]
struct Ends(Arc<Mutex<BTreeMap<String, End>>>);

impl Sink for Ends {
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let Some(scenario) = &record.scenario else { return Ok(()) };
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = ends.entry(scenario.clone()).or_default();
        match &record.event {
            Event::Diagnosed { causes, .. } => {
                end.causes.extend(causes.iter().map(|cause| cause.code.to_string()));
            }
            Event::ScenarioEnded { outcome, reason, .. } => {
                end.outcome = Some(*outcome);
                end.reason.clone_from(reason);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Builds labs in `folder`, and compares them. What is wrong has been printed if that fails.
pub(super) fn reproduce(
    folder: &Path,
    (trace, explanation): (&Trace, &Explanation),
    log: &LogArgs,
) -> Result<(Reproduction, Exit), Exit> {
    let made = labsim_reproduce::experiments(trace, explanation);
    let further = made.len().saturating_sub(MAX_EXPERIMENTS);
    let made = || made.iter().take(MAX_EXPERIMENTS).enumerate();
    create(folder).map_err(reject)?;
    for (number, experiment) in made() {
        if let Ok(experiment) = experiment {
            write(&own_folder(folder, number), experiment).map_err(reject)?;
        }
    }
    let (ends, exit) = if made().any(|(_, it)| it.is_ok()) {
        run(folder, log)?
    } else {
        (BTreeMap::new(), Exit::Success)
    };
    let mut connections = Vec::new();
    for (number, experiment) in made() {
        let place = match experiment {
            Ok(experiment) => experiment.connection,
            Err(impossible) => impossible.connection,
        };
        let Some(report) = explanation.connections.get(place) else { continue };
        connections.push(match experiment {
            Ok(experiment) => {
                let labs = experiment.labs.iter().map(|lab| LabResult {
                    lab: lab.clone(),
                    outcome: outcome(folder, &scenario(number, &lab.name), experiment, &ends),
                });
                let own = own_folder(folder, number).display().to_string();
                Connection::new(report, experiment, own, labs.collect())
            }
            Err(impossible) => Connection::impossible(report, impossible.why.clone()),
        });
    }
    Ok((Reproduction { left_out: LEFT_OUT.to_vec(), connections, further }, exit))
}

fn reject(problem: String) -> Exit {
    output::error(problem);
    Exit::Invalid
}

/// The name of a connection's folder.
fn own_name(number: usize) -> String {
    format!("connection-{}", number + 1)
}

fn own_folder(folder: &Path, number: usize) -> PathBuf {
    folder.join(own_name(number))
}

/// The name that a lab's scenario has in a run of the whole folder.
fn scenario(number: usize, lab: &str) -> String {
    format!("{}/{lab}", own_name(number))
}

/// Creates the folder, or takes an empty one.
fn create(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("--reproduce {shown}: cannot create the folder: {error}"))?;
    let mut entries = folder.read_dir().map_err(|error| format!("--reproduce {shown}: {error}"))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(format!(
            "--reproduce {shown}: the folder is not empty, and nothing is overwritten; name a new one"
        )),
    }
}

fn write(folder: &Path, experiment: &Experiment) -> Result<(), String> {
    let shown = folder.display();
    std::fs::create_dir(folder).map_err(|error| format!("{shown}: {error}"))?;
    experiment.files.iter().try_for_each(|file| write_new(&folder.join(&file.name), &file.text))
}

/// Runs all labs of a folder; how each ended.
fn run(folder: &Path, log: &LogArgs) -> Result<(BTreeMap<String, End>, Exit), Exit> {
    let scenarios = discover::scenarios(std::slice::from_ref(&folder.to_owned()))?;
    discover::print_errors(scenarios.iter());
    let listed: Vec<ListedScenario> = scenarios.iter().map(FoundScenario::as_listed).collect();
    let args = ResultsArgs { out: Some(folder.join(RESULTS)), ..ResultsArgs::default() };
    let mut results = results::open(&args, listed, None).map_err(reject)?;
    let ends = Ends::default();
    results.sinks.push(Box::new(ends.clone()));
    let options = Options {
        scenarios: Some(scenarios.len()),
        jobs: NonZeroUsize::MIN,
        tunnel: TunnelChoice::Auto,
        engine: EngineChoice::Auto,
        data_plane: DataPlaneChoice::Auto,
        pva: None,
        impairments: ImpairmentChoice::Auto,
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        rights: "none".into(),
        policy: Policy::default(),
        proving: None,
    };
    let shown = Output {
        log,
        quiet: true,
        is_silent: true,
        not_selected: 0,
        by_steps: false,
        again: String::new(),
        flaky_ok: false,
    };
    let exit = execute::execute(scenarios, (Jobs::Auto, Some(1)), options, results, &shown);
    let ends = ends.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match exit {
        Exit::Interrupted => Err(exit),
        // The files are written all the same.
        Exit::CannotRun => Ok((ends, exit)),
        // Whether labs ended as expected is in the report of each.
        Exit::Success | Exit::Failed | Exit::Invalid => Ok((ends, Exit::Success)),
    }
}

/// What a lab's captures show against those that were explained.
fn outcome(
    folder: &Path,
    scenario: &str,
    experiment: &Experiment,
    ends: &BTreeMap<String, End>,
) -> Outcome {
    let not_compared = |why: String| Outcome::NotCompared { why };
    let Some(end) = ends.get(scenario) else { return not_compared("it was not run".to_owned()) };
    // A lab that failed for another cause than it was built with shows nothing of that one.
    if end.outcome != Some(Ended::Passed) {
        let found = if end.causes.is_empty() { "none".to_owned() } else { end.causes.join(", ") };
        return not_compared(end.reason.clone().unwrap_or_else(|| {
            format!(
                "the lab did not do what it was built for; the causes that it shows: {found}; see \
                 {RESULTS}/{scenario}"
            )
        }));
    }
    let path = folder.join(RESULTS).join(scenario).join("capture.pcapng");
    let mut reading = Reading::default();
    if let Err(problem) = reading.read(&Input { name: None, path }) {
        return not_compared(format!("its captures cannot be read: {problem}"));
    }
    let (trace, _) = reading.finish();
    match experiment.compare(&trace) {
        Ok(differences) if differences.is_empty() => Outcome::Same,
        Ok(differences) => Outcome::Differs { differences },
        Err(why) => not_compared(why),
    }
}
