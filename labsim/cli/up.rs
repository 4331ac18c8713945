//! `labsim up`.

use crate::args::{self, LogArgs};
use crate::exit::Exit;
use crate::{live_steps, load, output, signals};
use labsim_lab::PrivilegeSource;
use labsim_live::{Claim, Held, LabName, LabsFolder, hold, no_step};
use labsim_runner::{Keeping, RunError, cancellation};
use labsim_scenario::model::Scenario;
use labsim_sys::pid_namespace::detach;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::time::Instant;

/// Bytes of what a holder says that are read at most.
const LONGEST: u64 = 64 << 10;

/// Reads the file, then leaves the lab to a process that holds it, and waits until all of it runs.
pub(crate) fn up(args: &args::Up, log: &LogArgs) -> Exit {
    let began = Instant::now();
    let scenario = match load::scenario(&args.file) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    if let Some(step) = &args.at
        && !scenario.steps.iter().any(|it| it.name.as_str() == step)
    {
        let (file, missing) = (args.file.display(), no_step(step, &scenario.steps));
        output::error(format_args!("{file} has no {missing}"));
        return Exit::Invalid;
    }
    let name = args.name.clone().map_or_else(|| LabName::of_file(&args.file), Ok);
    if let Err(error) = labsim_sys::descriptors::close_inherited() {
        output::error(format_args!("the caller's files cannot be closed: {error}"));
        return Exit::CannotRun;
    }
    // Before the process moves into a user namespace.
    let claim = match name.and_then(|name| LabsFolder::of_user().claim(&name)) {
        Ok(claim) => claim,
        Err(error) => {
            output::error(error);
            return Exit::Invalid;
        }
    };
    let rights = match labsim_lab::acquire_privileges() {
        Ok(rights) => rights,
        Err(error) => {
            claim.release();
            let code = labsim_codes::run::RIGHTS_MISSING;
            output::error(format_args!("this machine cannot run labs: {error} [{code}]"));
            return Exit::CannotRun;
        }
    };
    let held = Held {
        scenario: &scenario,
        file: std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone()),
        keeping: Keeping {
            tunnel: args.tunnel,
            impairments: args.impairments,
            program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        },
        in_user_namespace: rights.source == PrivilegeSource::UserNamespace,
    };
    let (folder, name) = (claim.folder().clone(), claim.name().clone());
    match start(&held, claim) {
        Ok(reader) => match Outcome::read(reader) {
            Outcome::Ready => {
                let took = began.elapsed().as_millis();
                output::line(format_args!("{name} is up: {} in {took} ms", nodes(&scenario)));
                match &args.at {
                    Some(step) => live_steps::steps_before(&folder, &name, step, log),
                    None => Exit::Success,
                }
            }
            Outcome::Unsupported(message) => {
                output::error(message);
                Exit::CannotRun
            }
            Outcome::Failed(message) => {
                output::error(message);
                Exit::Failed
            }
        },
        Err(error) => {
            output::error(format_args!("no process can hold the lab: {error}"));
            Exit::CannotRun
        }
    }
}

/// Starts the process that holds the lab. What it reports comes out of the pipe.
fn start(held: &Held<'_>, claim: Claim) -> std::io::Result<PipeReader> {
    let (reader, mut writer) = pipe()?;
    // Taken by the holder, which is a copy of this process; this one's claim is only closed. The
    // holder keeps no reader: without this process nobody waits for the lab, and it has to learn that.
    let (mut claim, mut reader) = (Some(claim), Some(reader));
    let started = detach(|| {
        drop(reader.take());
        if let Some(claim) = claim.take() {
            let outcome = work(held, claim, &mut writer);
            let _ = outcome.write(&mut writer);
        }
    });
    if started.is_err()
        && let Some(claim) = claim
    {
        claim.release();
    }
    started.and_then(|()| reader.ok_or_else(|| std::io::ErrorKind::BrokenPipe.into()))
}

/// What the holder does.
fn work(held: &Held<'_>, claim: Claim, writer: &mut PipeWriter) -> Outcome {
    labsim_lab::allow_open_files(labsim_runner::open_files(held.scenario));
    let (canceller, cancelled) = cancellation();
    if let Err(error) = signals::cancel_on_signal(canceller) {
        claim.release();
        return Outcome::Failed(format!("signals cannot be handled: {error}"));
    }
    match hold(held, claim, &cancelled, || Outcome::Ready.write(writer)) {
        Ok(()) => Outcome::Ready,
        Err(error @ RunError::Unsupported { .. }) => Outcome::Unsupported(error.to_string()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// What a holder reports: a byte, then a sentence.
enum Outcome {
    Ready,
    Unsupported(String),
    Failed(String),
}

impl Outcome {
    const READY: u8 = b'r';
    const UNSUPPORTED: u8 = b'u';
    const FAILED: u8 = b'f';

    fn write(&self, writer: &mut PipeWriter) -> std::io::Result<()> {
        let (kind, text) = match self {
            Self::Ready => (Self::READY, ""),
            Self::Unsupported(text) => (Self::UNSUPPORTED, text.as_str()),
            Self::Failed(text) => (Self::FAILED, text.as_str()),
        };
        writer.write_all(&[kind])?;
        writer.write_all(text.as_bytes())
    }

    fn read(mut reader: PipeReader) -> Self {
        let mut kind = [0];
        if reader.read_exact(&mut kind).is_err() {
            return Self::Failed("the process that holds the lab has ended".to_owned());
        }
        if kind == [Self::READY] {
            return Self::Ready;
        }
        let mut text = Vec::new();
        let _ = reader.take(LONGEST).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        if kind == [Self::UNSUPPORTED] { Self::Unsupported(text) } else { Self::Failed(text) }
    }
}

fn nodes(scenario: &Scenario) -> String {
    let nodes = scenario.topology.nodes.iter().map(|node| node.name.as_str());
    nodes.collect::<Vec<_>>().join(", ")
}
