//! A run as one document: what the JSON file holds, and what the JUnit file shows.

use labsim_event::{Event, EventRecord, ExpectationResult, Finding, Outcome, Proof, Totals};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// The number of the document's format. It rises when a field is removed or changes its meaning.
pub const RESULTS_SCHEMA: u32 = 1;

/// A scenario as reports identify it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedScenario {
    /// Its name in events, and that of its folder of results: one of a kind in the run. Its path
    /// below the folder that was named, without the ending (`tunnels/ttl`); of a repeated one with
    /// `#` and the number of the repetition.
    pub name: String,
    /// The file's path below the folder that was named on the command line (`tunnels/ttl.yaml`), or
    /// its name if the file itself was named. It does not depend on how the folder was written.
    pub path: String,
    /// The file as it was opened.
    pub file: String,
}

/// A run, as far as it has come.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// The number of the format: 1.
    pub schema: u32,
    /// The version of labsim.
    pub version: String,
    /// `root` or `user namespace`, and how labsim acquired them; `none` if it did not.
    pub rights: String,
    /// The machine's name; of merged results, those of all machines, separated by commas.
    pub host: String,
    /// When the run began (RFC 3339, UTC); absent if it did not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Milliseconds since the run began.
    pub took_ms: f64,
    /// Whether the run came to its end.
    pub ended: bool,
    /// How the scenarios ended, up to now.
    pub totals: Totals,
    /// Every scenario of the run, in the order in which they are started.
    pub scenarios: Vec<ScenarioResult>,
    /// The scenarios' places, by name.
    #[serde(skip)]
    places: BTreeMap<String, usize>,
}

/// A scenario, as far as it has come.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioResult {
    /// Which.
    #[serde(flatten)]
    pub id: ListedScenario,
    /// How far it has come.
    pub progress: Progress,
    /// How it ended; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The stable code of the reason, or of a failure's first cause (`labsim help CODE`); absent if
    /// it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, if it was skipped, broken or interrupted: what is missing and the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Milliseconds from reading the plan to the lab's end.
    pub took_ms: f64,
    /// Frames at all capture points.
    pub frames: usize,
    /// Frames that captures dropped.
    pub dropped: u64,
    /// What decapsulates tunnels, and for what reason; absent if no lab was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// What impairs links, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impairments: Option<String>,
    /// How each forwarder sends and receives frames, by node.
    pub data_planes: BTreeMap<String, String>,
    /// Warnings about the scenario's file: `file:line:column: sentence`.
    pub warnings: Vec<String>,
    /// Errors of the scenario's file: `file:line:column: sentence [code]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Tries before the last, which all failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_tries: Vec<FailedTry>,
    /// The steps that began, in their order.
    pub steps: Vec<StepResult>,
    /// The expectations that were checked, in the file's order, after problems of the run itself.
    pub expectations: Vec<ExpectationResult>,
    /// Why steps did not go as expected. A finding with a code is a cause, the first one the
    /// likeliest.
    pub causes: Vec<StepFinding>,
    /// What experiments proved of the causes; absent if they were not put to the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// How far a scenario has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It has not begun.
    NotBegun,
    /// It has begun, and has not ended.
    Running,
    /// It has ended.
    Ended,
}

/// A step, as far as it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub what: String,
    /// `pass`, `fail`, `error`, `refused`, `timeout`, `paused`, `mixed` or `done`; absent if it did
    /// not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The reply or the error; of several logins the number of each result, and their times.
    pub detail: String,
    /// How many logins or requests it made.
    pub attempts: usize,
    /// Milliseconds.
    pub took_ms: f64,
}

/// A try that did not pass, after which the scenario was tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedTry {
    /// How it ended.
    pub outcome: Outcome,
    /// The stable code of the reason, or of a failure's first cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason, the first cause, or the first expectation that did not hold.
    pub message: String,
    /// Milliseconds.
    pub took_ms: f64,
}

/// What was found about a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFinding {
    /// The step.
    pub step: String,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

impl ScenarioResult {
    fn new(id: ListedScenario) -> Self {
        Self {
            id,
            progress: Progress::NotBegun,
            outcome: None,
            code: None,
            reason: None,
            took_ms: 0.0,
            frames: 0,
            dropped: 0,
            tunnel: None,
            impairments: None,
            data_planes: BTreeMap::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
            failed_tries: Vec::new(),
            steps: Vec::new(),
            expectations: Vec::new(),
            causes: Vec::new(),
            proof: None,
        }
    }

    /// The likeliest cause of a failure.
    #[must_use]
    pub fn first_cause(&self) -> Option<&Finding> {
        self.causes.iter().map(|cause| &cause.finding).find(|finding| finding.code.is_some())
    }

    /// Adds an event. Returns whether the scenario has begun or ended.
    fn update(&mut self, event: &Event) -> bool {
        match event {
            Event::ScenarioStarted { .. } => {
                *self = Self { progress: Progress::Running, ..Self::new(self.id.clone()) };
                return true;
            }
            Event::FileRejected { errors } => self.errors.clone_from(errors),
            Event::TryFailed { outcome, reason, code, took_ms, .. } => {
                let failed = self.expectations.iter().find(|result| !result.passed);
                let failed = failed.map(|result| &result.sentence);
                let cause = self.first_cause().map(|cause| &cause.sentence);
                let message = reason.as_ref().or(cause).or(failed).cloned().unwrap_or_default();
                let mut failed_tries = std::mem::take(&mut self.failed_tries);
                let (outcome, code, took_ms) = (*outcome, code.clone(), *took_ms);
                failed_tries.push(FailedTry { outcome, code, message, took_ms });
                let running = Self { progress: Progress::Running, ..Self::new(self.id.clone()) };
                *self = Self { failed_tries, ..running };
            }
            Event::Warned { warning } => self.warnings.push(warning.clone()),
            Event::LabBuilt { tunnel, impairments, .. } => {
                self.tunnel = Some(tunnel.clone());
                self.impairments.clone_from(impairments);
            }
            Event::Ready { data_planes, .. } => self.data_planes.clone_from(data_planes),
            Event::StepStarted { step, what } => self.steps.push(StepResult {
                name: step.clone(),
                what: what.clone(),
                result: None,
                detail: String::new(),
                attempts: 0,
                took_ms: 0.0,
            }),
            Event::StepEnded { step, result, detail, attempts, took_ms, .. } => {
                // Steps in the background end after others have begun.
                if let Some(ended) = self.steps.iter_mut().find(|it| it.name == *step) {
                    ended.result = Some(result.clone());
                    ended.detail.clone_from(detail);
                    ended.attempts = *attempts;
                    ended.took_ms = *took_ms;
                }
            }
            Event::Observed { frames, dropped, .. } => {
                self.frames = *frames;
                self.dropped = *dropped;
            }
            Event::Judged(result) => self.expectations.push(result.clone()),
            Event::Diagnosed { step, findings, .. } => {
                self.causes.extend(
                    findings
                        .iter()
                        .cloned()
                        .map(|finding| StepFinding { step: step.clone(), finding }),
                );
            }
            Event::Proved(proof) => self.proof = Some(proof.clone()),
            Event::ScenarioEnded { outcome, reason, code, took_ms, .. } => {
                self.progress = Progress::Ended;
                self.outcome = Some(*outcome);
                self.reason.clone_from(reason);
                self.code.clone_from(code);
                self.took_ms = *took_ms;
                return true;
            }
            _ => {}
        }
        false
    }
}

/// What an event changes in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No scenario has begun or ended.
    Detail,
    /// A scenario has begun or ended.
    Scenario,
    /// The run has ended.
    End,
}

impl RunDocument {
    /// A run of these scenarios on the machine `host`, before it begins.
    #[must_use]
    pub fn new(host: String, scenarios: impl IntoIterator<Item = ListedScenario>) -> Self {
        let scenarios: Vec<_> = scenarios.into_iter().map(ScenarioResult::new).collect();
        let named = scenarios.iter().enumerate();
        Self {
            schema: RESULTS_SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rights: String::new(),
            host,
            started: None,
            took_ms: 0.0,
            ended: false,
            totals: Totals::default(),
            places: named.map(|(place, scenario)| (scenario.id.name.clone(), place)).collect(),
            scenarios,
        }
    }

    /// Adds an event.
    pub fn update(&mut self, record: &EventRecord) -> Change {
        self.took_ms = record.at_ms;
        match (&record.scenario, &record.event) {
            (Some(name), event) => {
                let place = self.places.get(name).copied();
                let scenario = place.and_then(|place| self.scenarios.get_mut(place));
                let Some(true) = scenario.map(|scenario| scenario.update(event)) else {
                    return Change::Detail;
                };
                self.totals = Totals::default();
                for outcome in self.scenarios.iter().filter_map(|scenario| scenario.outcome) {
                    self.totals.count(outcome);
                }
                Change::Scenario
            }
            (None, Event::RunStarted { version, rights, .. }) => {
                self.version.clone_from(version);
                self.rights.clone_from(rights);
                let began = UNIX_EPOCH + Duration::from_micros(record.time_us);
                self.started = Some(humantime::format_rfc3339_seconds(began).to_string());
                Change::Detail
            }
            (None, Event::RunEnded { totals, .. }) => {
                self.totals = *totals;
                self.ended = true;
                Change::End
            }
            (None, _) => Change::Detail,
        }
    }
}

/// The JSON Schema (draft 7) of the document, with a final line break.
#[must_use]
pub fn results_schema() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let schema = generator.into_root_schema_for::<RunDocument>();
    // A `serde_json::Value` always has a text form.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}
