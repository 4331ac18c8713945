//! The lab of an exercise that is up: how it is made, found, changed and judged.

use super::found::FoundExercise;
use super::verify::shown;
use crate::args::DataPlane;
use crate::exit::Exit;
use crate::live::fail;
use crate::live_steps::{Interrupt, follow};
use crate::{holding, load, output, up};
use labsim_event::{Event, ExpectationResult, Outcome};
use labsim_exercise::Shown;
use labsim_live::{Lab, LabName, LabsFolder, LiveError, Origin, Work, WorkEvent};
use labsim_runner::{Experiment, ImpairmentChoice, TunnelChoice};
use labsim_scenario::Input;
use labsim_verdict::Suspect;
use std::time::Instant;

/// The lab that a student is to repair.
pub(super) struct ExerciseLab {
    name: LabName,
    origin: Origin,
}

impl ExerciseLab {
    /// That of an exercise, whether or not it is up.
    pub(super) fn of(exercise: &FoundExercise) -> Result<Self, Exit> {
        let name = exercise.name();
        let file = format!("{name}.yaml").into();
        let sources = exercise.loaded.broken_sources();
        let (tunnel, impairments) =
            (holding::word(&TunnelChoice::Auto), holding::word(&ImpairmentChoice::Auto));
        let (data_plane, keep_mib) = (holding::word(&DataPlane::Auto), labsim_live::KEEP_MIB);
        let pva = None;
        let origin = Origin { file, sources, tunnel, impairments, data_plane, pva, keep_mib };
        let name = name.as_str().parse().map_err(|error| fail(&error))?;
        Ok(Self { name, origin })
    }

    pub(super) fn name(&self) -> &LabName {
        &self.name
    }

    /// The lab if it is up. A lab of that name that is made of something else is no exercise's, which is
    /// said.
    pub(super) fn find(&self) -> Result<Option<Lab>, Exit> {
        let found = Lab::find(&LabsFolder::of_user(), Some(&self.name));
        match found.and_then(|lab| Ok((lab.origin()?, lab))) {
            Ok((origin, lab)) if origin.sources == self.origin.sources => Ok(Some(lab)),
            Ok(_) => {
                let name = &self.name;
                output::error(format_args!(
                    "the lab `{name}` that is up is not that of this exercise and seed; `labsim down {name}` ends \
                     it"
                ));
                Err(Exit::Invalid)
            }
            Err(LiveError::Unknown { .. }) => Ok(None),
            Err(error) => Err(fail(&error)),
        }
    }

    /// The lab that has to be up.
    pub(super) fn up(&self) -> Result<Lab, Exit> {
        self.find()?.ok_or_else(|| {
            let name = &self.name;
            output::error(format_args!("{name} is not up; labsim exercise start {name}"));
            Exit::Invalid
        })
    }

    /// Brings it up, which is printed. Otherwise an error was printed.
    pub(super) fn start(self) -> Result<(), Exit> {
        let began = Instant::now();
        let path = self.origin.first_source();
        let input = Input::InMemory { sources: &self.origin.sources, path: &path };
        let scenario =
            labsim_scenario::load(input).map_err(|errors| load::reject(&errors))?.scenario;
        holding::close_callers_files()?;
        // Before the process moves into a user namespace.
        let claim = LabsFolder::of_user().claim(&self.name).map_err(|error| fail(&error))?;
        up::build(&scenario, self.origin, claim, began)
    }
}

/// Runs the exercise's steps in a lab that is up, as it is now, and judges what is seen; nothing if a signal
/// interrupted that, which was said.
pub(super) fn judge(lab: &Lab, interrupt: &Interrupt) -> Result<Option<Shown>, LiveError> {
    let mut seen = Seen::default();
    let interrupted = follow(lab, Work::Check, interrupt, &mut |event| {
        if let WorkEvent::Event(event) = event {
            seen.take(*event);
        }
    })?;
    if interrupted { Ok(None) } else { seen.shown().map(Some) }
}

/// What was changed in a lab since it was started, a line each: those that labsim can see.
pub(super) fn changes(lab: &Lab) -> Result<Vec<String>, LiveError> {
    let nodes = lab.status()?.nodes.into_iter();
    let lines = nodes.flat_map(|node| {
        let changes = node.changed.into_iter().chain(node.reconfigured);
        changes.map(move |change| format!("{}: {change}", node.name))
    });
    Ok(lines.collect())
}

/// What the events of a check say.
#[derive(Default)]
struct Seen {
    unmet: Vec<ExpectationResult>,
    causes: Vec<Suspect>,
    ended: Option<(Outcome, Option<String>)>,
}

impl Seen {
    fn take(&mut self, event: Event) {
        match event {
            Event::Judged(result) if !result.passed => self.unmet.push(result),
            Event::Diagnosed { findings, causes, .. } => {
                let sentences = findings.into_iter().filter(|finding| finding.code.is_some());
                let both = causes.into_iter().zip(sentences);
                self.causes.extend(
                    both.map(|(record, finding)| Suspect { record, sentence: finding.sentence }),
                );
            }
            Event::ScenarioEnded { outcome, reason, .. } => self.ended = Some((outcome, reason)),
            _ => {}
        }
    }

    fn shown(self) -> Result<Shown, LiveError> {
        let Self { unmet, causes, ended } = self;
        let passed = match ended {
            Some((Outcome::Passed, _)) => true,
            Some((Outcome::Failed, None)) => false,
            Some((_, Some(reason))) => return Err(LiveError::Failed(reason)),
            Some((_, None)) | None => {
                return Err(LiveError::Failed("the check did not come to its end".to_owned()));
            }
        };
        Ok(shown(Experiment { passed, unmet, causes }))
    }
}
