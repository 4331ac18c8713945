//! Arguments of `labsim exercise` and `labsim class`.

use super::run::LabArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `labsim exercise`
#[derive(Debug, Args)]
#[command(after_long_help = EXERCISE_NOTES)]
pub(crate) struct Exercise {
    #[command(subcommand)]
    pub(crate) command: ExerciseCommand,
}

/// What `labsim help exercise` says below the commands.
const EXERCISE_NOTES: &str = "\
`start` brings the broken lab up, under the exercise's name, and there it is repaired: `labsim shell rs1`, and \
ip, sysctl, nft and whatever else the machine has. `check` and `hint` judge the lab that is up, as it is then. \
`labsim set` changes what the load balancer and the built-in servers are configured with. A repair can be a \
file, too: of a scenario's keys, laid over the broken lab. Where `check` and `hint` are given one, they judge that, in \
a lab of its own, whatever is up; without one and without a lab, the broken lab.

A repair is judged by packets and their way, and any that works is as good as any other. Only the first thing \
that does not hold is said; `labsim check` would say the cause. `labsim down` ends the lab. What was done is \
kept in progress.jsonl below $XDG_STATE_HOME/labsim, else below ~/.local/state/labsim. On a student's own \
machine all of this is good faith.

    labsim exercise list
    labsim exercise start 03
    labsim exec rs1 -- ip address show
    labsim set address node: rs1, interface: lo, address: 172.16.4.99, state: present
    labsim exercise check 03
    labsim exercise cause 03 vip-missing rs1
    labsim exercise check 03 repair.yaml
    labsim exercise solution 03
    labsim down";

/// What `labsim help exercise watch` says below the options.
const WATCH_NOTES: &str = "\
The lab's devices, addresses, routes, sysctls and packet filters, and what `labsim set` changes, are looked at \
once a second; what programs do is not, so press Enter after changing that. Checks after a change count as tries only if they pass, those on \
Enter always. Ctrl-C ends the watch, and the lab stays up.

    labsim exercise start 03
    labsim exercise watch 03";

/// What is done with exercises.
#[derive(Debug, Subcommand)]
pub(crate) enum ExerciseCommand {
    /// List the exercises in their order, and how far you are
    List,
    /// Print the story and the goal of an exercise, and bring its broken lab up
    #[command(after_long_help = START_NOTES)]
    Start(Start),
    /// Judge the lab that is up, or a repair that is named, and say the first thing that does not hold yet
    Check(Check),
    /// Check again when something in the lab changes and on Enter, until it is repaired
    #[command(after_long_help = WATCH_NOTES)]
    Watch(Name),
    /// Break the lab again, as it was at the start
    Reset(Name),
    /// Judge the same as `check`, and give a hint: the symptom, then the place, the cause, and the repair
    Hint(Check),
    /// Name the cause
    Cause(Cause),
    /// Print what is wrong, the cause, a repair, and why others are none
    Solution(Name),
    /// Run exercises in every state, and check that each shows what its file says
    Verify(Verify),
}

/// What `labsim help exercise start` says below the options.
const START_NOTES: &str = "\
With a seed, such as a student's name, real servers of one network trade names and addresses, and private \
IPv4 networks have another third byte, so that neighbours in a class repair different labs. The same seed gives the \
same lab. Story, hints, cause and solution are those of that lab; they follow the seed with which the \
exercise was started last, which progress.jsonl has, and `start` without `--seed` starts that lab again; \
`--seed ''` is the exercise as it is shipped. Where no exercise is named, the seed chooses one.

    labsim exercise start 03 --seed ada
    labsim exercise start --seed ada";

/// `labsim exercise start`
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The exercise: its name or its number
    #[arg(value_name = "EXERCISE")]
    pub(crate) exercise: Option<String>,
    /// Choose servers and addresses by this text, and the exercise if none is named
    #[arg(long, value_name = "TEXT")]
    pub(crate) seed: Option<String>,
}

/// An exercise.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The exercise: its name or its number
    #[arg(value_name = "EXERCISE")]
    pub(crate) exercise: String,
}

/// `labsim exercise check`, `hint`
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) name: Name,
    /// A YAML file with the keys of a scenario that the repair changes, such as
    /// `real_servers: {servers: {vip: 172.16.4.99}}`, judged in a lab of its own; without it the lab that
    /// is up is judged, or a broken one of its own if it is not up
    #[arg(value_name = "REPAIR")]
    pub(crate) repair: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// `labsim exercise cause`
#[derive(Debug, Args)]
pub(crate) struct Cause {
    #[command(flatten)]
    pub(crate) name: Name,
    /// The cause's code; `labsim help codes` lists all
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
    /// The node that it is at
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// `labsim exercise verify`
#[derive(Debug, Args)]
#[command(after_long_help = VERIFY_NOTES)]
pub(crate) struct Verify {
    /// Exercise files, or folders of them; without any, the shipped exercises
    #[arg(value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    /// Choose servers and addresses by this text, as `start` does
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) seed: String,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// What `labsim help exercise verify` says below the options.
const VERIFY_NOTES: &str = "\
Of each exercise these labs are run: in good order, which has to pass; broken, which has to fail for the \
cause that the file names, at its node; with the file's fix, which has to pass; with each tempting fix, \
which has to fail; and with the fix that the last hint names, which has to pass. The exit code is that of \
`labsim run`.

    labsim exercise verify scenarios/exercises/05-*.yaml";

/// `labsim class`
#[derive(Debug, Args)]
pub(crate) struct Class {
    /// A folder with the progress.jsonl of each student, named STUDENT.jsonl
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print comma-separated values
    #[arg(long)]
    pub(crate) csv: bool,
    /// Write the progress to this file as an HTML page without scripts, in place of an earlier one
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}
