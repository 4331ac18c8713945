//! Leaves a lab to a process that holds it.

use crate::args::{DataPlane, Pva};
use crate::exit::Exit;
use crate::{output, signals};
use clap::ValueEnum;
use labsim_lab::{PrivilegeSource, Privileges};
use labsim_live::{Claim, Held, LabName, LabsFolder, Name, Origin, Stage, hold};
use labsim_runner::{Keeping, RunError, cancellation};
use labsim_scenario::model::Scenario;
use labsim_sys::pid_namespace::detach;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _, pipe};

/// Bytes of what a holder says that are read at most.
const LONGEST: u64 = 64 << 10;

/// Closes what the caller has left open: it would be open as long as the lab. An error was printed.
pub(crate) fn close_callers_files() -> Result<(), Exit> {
    labsim_sys::descriptors::close_inherited().map_err(|error| {
        output::error(format_args!("the caller's files cannot be closed: {error}"));
        Exit::CannotRun
    })
}

/// Acquires what labs need; the process may be in a user namespace then.
///
/// # Errors
/// A sentence; the exit code is [`Exit::CannotRun`].
pub(crate) fn acquire_rights() -> Result<Privileges, String> {
    labsim_lab::acquire_privileges().map_err(|error| {
        let code = labsim_codes::run::RIGHTS_MISSING;
        format!("this machine cannot run labs: {error} [{code}]")
    })
}

/// What a lab is made of.
pub(crate) fn held(scenario: &Scenario, origin: Origin, rights: Privileges) -> Held<'_> {
    Held {
        scenario,
        keeping: Keeping {
            tunnel: choice(&origin.tunnel),
            impairments: choice(&origin.impairments),
            data_plane: choice::<DataPlane>(&origin.data_plane).into(),
            pva: origin.pva.as_deref().map(|word| choice::<Pva>(word).into()),
            program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        },
        origin,
        in_user_namespace: rights.source == PrivilegeSource::UserNamespace,
    }
}

/// A choice as `labsim up` takes it.
pub(crate) fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The choice that a word is. Words come from [`word`]; the first choice is the default.
fn choice<T: ValueEnum + Clone>(word: &str) -> T {
    T::from_str(word, false).unwrap_or_else(|_| T::value_variants()[0].clone())
}

/// The name of a lab, while it is built.
pub(crate) enum Place {
    /// Nobody else has it.
    Claimed(Claim),
    /// An earlier lab has it.
    Earlier(LabsFolder, LabName),
}

/// The pipes between a holder and who has started it.
pub(crate) struct Started {
    /// What the holder reports.
    pub(crate) outcomes: PipeReader,
    /// Tells it that an earlier lab has ended. Closing it tells it to end.
    pub(crate) go_on: PipeWriter,
}

/// Starts the process that holds the lab.
pub(crate) fn start(held: &Held<'_>, place: Place) -> io::Result<Started> {
    let (outcomes, mut writer) = pipe()?;
    let (word, go_on) = pipe()?;
    // Taken by the holder, which is a copy of this process; this one's claim is only closed. The
    // holder keeps no other ends: without this process nobody waits for the lab, and it has to learn that.
    let (mut place, mut word, mut ends) = (Some(place), Some(word), Some((outcomes, go_on)));
    let started = detach(|| {
        drop(ends.take());
        let name = match (place.take(), word.take()) {
            (Some(Place::Claimed(claim)), _) => Name::Claimed(claim),
            (Some(Place::Earlier(folder, name)), Some(word)) => Name::Earlier(folder, name, word),
            _ => return,
        };
        let outcome = work(held, name, &mut writer);
        let _ = outcome.write(&mut writer);
    });
    if started.is_err()
        && let Some(Place::Claimed(claim)) = place
    {
        claim.release();
    }
    let (outcomes, go_on) = started.and_then(|()| ends.ok_or(io::ErrorKind::BrokenPipe.into()))?;
    Ok(Started { outcomes, go_on })
}

/// What the holder does.
fn work(held: &Held<'_>, name: Name, writer: &mut PipeWriter) -> Outcome {
    labsim_lab::allow_open_files(labsim_runner::open_files(held.scenario));
    let (canceller, cancelled) = cancellation();
    if let Err(error) = signals::cancel_on_signal(canceller) {
        if let Name::Claimed(claim) = name {
            claim.release();
        }
        return Outcome::Failed(format!("signals cannot be handled: {error}"));
    }
    let report = |stage| match stage {
        Stage::Built => Outcome::Built.write(writer),
        Stage::Ready => Outcome::Ready.write(writer),
    };
    match hold(held, name, &cancelled, report) {
        Ok(()) => Outcome::Ready,
        Err(error @ RunError::Unsupported { .. }) => Outcome::Unsupported(error.to_string()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// What a holder reports: a byte, then a sentence.
pub(crate) enum Outcome {
    Built,
    Ready,
    Unsupported(String),
    Failed(String),
}

impl Outcome {
    const BUILT: u8 = b'b';
    const READY: u8 = b'r';
    const UNSUPPORTED: u8 = b'u';
    const FAILED: u8 = b'f';

    fn write(&self, writer: &mut PipeWriter) -> io::Result<()> {
        let (kind, text) = match self {
            Self::Built => (Self::BUILT, ""),
            Self::Ready => (Self::READY, ""),
            Self::Unsupported(text) => (Self::UNSUPPORTED, text.as_str()),
            Self::Failed(text) => (Self::FAILED, text.as_str()),
        };
        writer.write_all(&[kind])?;
        writer.write_all(text.as_bytes())
    }

    /// What it reports next.
    pub(crate) fn read(reader: &mut PipeReader) -> Self {
        let mut kind = [0];
        if reader.read_exact(&mut kind).is_err() {
            return Self::Failed("the process that holds the lab has ended".to_owned());
        }
        match kind {
            [Self::BUILT] => return Self::Built,
            [Self::READY] => return Self::Ready,
            _ => {}
        }
        let mut text = Vec::new();
        let _ = reader.take(LONGEST).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        if kind == [Self::UNSUPPORTED] { Self::Unsupported(text) } else { Self::Failed(text) }
    }
}

/// The nodes' names, for a line.
pub(crate) fn nodes(scenario: &Scenario) -> String {
    let nodes = scenario.topology.nodes.iter().map(|node| node.name.as_str());
    nodes.collect::<Vec<_>>().join(", ")
}
