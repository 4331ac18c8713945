//! Arguments and flags of `labsim run`.

use super::ResultsArgs;
use super::forwarder::DataPlane;
use clap::{Args, ValueEnum};
use labsim_runner::{EngineChoice, ImpairmentChoice, Jobs, Partition, TunnelChoice};
use labsim_scenario::model::PvaAcceleration;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// `labsim run`
#[derive(Debug, Args)]
#[command(after_long_help = RUN_NOTES)]
pub(crate) struct Run {
    /// Scenario files, folders of them, and names of scenarios in them. An argument that is no
    /// existing path, has no `/` and does not end in .yaml or .yml is a name, with `*`, `?` and
    /// `[a-z]`. Without a file or a folder: the folder `scenarios`
    #[arg(required = true, value_name = "FILE|DIR|NAME")]
    pub(crate) arguments: Vec<OsString>,
    /// Print only failures and the last lines
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Prove the causes of a scenario that failed, as `labsim diagnose` does: run it again with their
    /// fixes, in up to 11 more labs
    #[arg(long)]
    pub(crate) prove: bool,
    /// Before the run, run the steps of the only scenario one by one in a lab of their own: each after
    /// Enter, with the way of its first packet
    #[arg(long)]
    pub(crate) step: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// `labsim diagnose`
#[derive(Debug, Args)]
#[command(after_long_help = DIAGNOSE_NOTES)]
pub(crate) struct Diagnose {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print only failures and the last lines
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// End a scenario, or the proof of its causes, that takes longer; it has failed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// What `labsim help diagnose` says below the options.
const DIAGNOSE_NOTES: &str = "\
A scenario that fails is run again with the fix of its first cause; if it still fails, with that of \
the next one, and so on, in at most 12 labs. The result is the smallest set of changes with which \
all expectations hold, each proved by a run without it that fails: as a YAML file that extends the \
scenario, as Linux commands, and as tmsh commands. A cause with several possible fixes is decided by \
trying each, a cause whose fix does not help is withdrawn, and one whose fix cannot be put into the \
scenario is not provable.

Time-outs of logins and requests are shorter in these labs where nothing can delay an answer. The exit \
code is that of `labsim run`: 1 if the scenario failed, proved or not.

    labsim diagnose scenarios/my-lab.yaml";

/// What `labsim help run` says below the options.
const RUN_NOTES: &str = "\
Filter expressions: name(GLOB) or GLOB, tag(GLOB), file(GLOB), all(), none(); !a, a & b, a - b (a and \
not b), a | b, parentheses. Several -E are alternatives; names and -E have to match both.

`--step` says what a step will do and waits for a line of standard input; where an expectation is about the source \
that the client sees, the line is a prediction, which is compared with what was seen. Then the first packet of the \
step, and the first answer to it, are printed as they were at each interface. Time goes on while it waits: \
timeouts of the load balancer expire, monitors probe. The verdict is that of the run that follows, without stops. No \
shell can be opened in either lab; `labsim up` and `labsim step` are for that.

    labsim run scenarios -E 'tag(gre) & !name(link-*)'
    labsim run scenarios 'tacacs-*' --skip 'tag(slow)'
    labsim run --step scenarios/tacacs-ipip.yaml";

/// Which scenarios run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Run only scenarios that a filter expression matches, such as 'tag(gre) & !name(link-*)'
    #[arg(short = 'E', long = "filter", value_name = "EXPR")]
    pub(crate) filters: Vec<String>,
    /// Do not run scenarios that a filter expression matches, or whose name is the pattern
    #[arg(long = "skip", value_name = "EXPR")]
    pub(crate) skips: Vec<String>,
    /// Run a part of the selected scenarios: part M of N, by position (count), by name (hash), or with
    /// about equal durations, which are read from a folder of results (time)
    #[arg(long, value_name = "count:M/N|hash:M/N|time:M/N=DIR")]
    pub(crate) partition: Option<Partition>,
    /// List the selected scenarios and run none
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    pub(crate) list: Option<ListFormat>,
}

/// The format of a list of scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A line for each: its name, and its tags
    Text,
    /// A JSON array of objects
    Json,
}

/// When a run or a scenario ends, is repeated, or fails.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and repetitions")]
pub(crate) struct LimitArgs {
    /// Start no scenario after the first that failed
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Start no scenario after so many that failed
    #[arg(long, value_name = "N", conflicts_with = "fail_fast")]
    pub(crate) max_fail: Option<NonZeroUsize>,
    /// End a scenario that takes longer; it has failed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// End the run if it takes longer; scenarios that are running have failed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) run_timeout: Option<Duration>,
    /// Try a scenario that failed again, so many times; one that passes then is FLAKY
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retries: usize,
    /// Exit with 0 even if scenarios are FLAKY
    #[arg(long)]
    pub(crate) flaky_ok: bool,
    /// Run every scenario so many times
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<NonZeroUsize>,
    /// Repeat until a scenario fails, or as often as --repeat allows
    #[arg(long)]
    pub(crate) until_fail: bool,
    /// Skipped scenarios have failed; with codes, only those skipped for one of these reasons
    #[arg(
        long,
        value_name = "CODE,...",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ','
    )]
    pub(crate) fail_on_skip: Option<Vec<String>>,
}

/// Acceleration of virtual servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pva {
    /// The forwarder forwards every packet
    None,
    /// The kernel forwards established flows
    Partial,
    /// The same
    Full,
}

impl From<Pva> for PvaAcceleration {
    fn from(pva: Pva) -> Self {
        match pva {
            Pva::None => Self::None,
            Pva::Partial => Self::Partial,
            Pva::Full => Self::Full,
        }
    }
}

/// What forwards in labs.
#[derive(Debug, Args)]
pub(crate) struct ForwardingArgs {
    /// What forwards established flows of virtual servers with `pva_acceleration`
    #[arg(long, value_enum, default_value_t = DataPlane::Auto)]
    pub(crate) data_plane: DataPlane,
    /// Acceleration of all virtual servers, in place of their own `pva_acceleration`
    #[arg(long, value_enum)]
    pub(crate) pva: Option<Pva>,
}

/// How labs run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Labs")]
pub(crate) struct LabArgs {
    /// Number of scenarios that run in parallel, or of a diagnosis' labs; `auto` suits the machine:
    /// most of a scenario's time is waiting
    #[arg(short, long, value_name = "N|auto", default_value = "auto", value_parser = jobs)]
    pub(crate) jobs: Jobs,
    /// Tunnel decapsulator on the real servers
    #[arg(long, value_enum, default_value_t = TunnelChoice::Auto)]
    pub(crate) tunnel: TunnelChoice,
    /// What forwards for the load balancers
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    pub(crate) engine: EngineChoice,
    #[command(flatten)]
    pub(crate) forwarding: ForwardingArgs,
    /// Link impairment engine: what delays, drops and reorders frames
    #[arg(long, value_enum, default_value_t = ImpairmentChoice::Auto)]
    pub(crate) impairments: ImpairmentChoice,
}

fn jobs(text: &str) -> Result<Jobs, String> {
    match text {
        "auto" => Ok(Jobs::Auto),
        _ => text.parse().map(Jobs::Fixed).map_err(|_| "expected `auto` or a number from 1".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "expected a number of seconds above 0, such as `30` or `0.5`".into())
}
