//! Arguments of the commands that run steps in a lab that is up.

use clap::Args;

/// `labsim step`
#[derive(Debug, Args)]
#[command(after_long_help = STEP_NOTES)]
pub(crate) struct StepArgs {
    /// The step's name in the scenario; else the one after the last one that was run
    #[arg(value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// The source address that you expect the client to see
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) predict: Option<String>,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help step` says below the options.
const STEP_NOTES: &str = "\
Prints how the step ended, the way of its first packet and of the first answer to it, where each was seen, and \
the causes if it did not pass. `--predict` says whether the client saw the source that you expected. A login in the background goes \
on after its step, and one that pauses stays open for the step that resumes it. The exit code is 0 for a \
step that was run, however it ended: what a scenario expects is judged by `labsim check`. Ctrl-C interrupts \
the step, and the lab stays up.

    labsim up scenarios/tacacs-ipip.yaml
    labsim step
    labsim step login --predict 172.16.4.99";

/// `labsim check`
#[derive(Debug, Args)]
#[command(after_long_help = CHECK_NOTES)]
pub(crate) struct Check {
    /// The lab; not needed if one alone is up
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help check` says below the options.
const CHECK_NOTES: &str = "\
Runs all steps of the scenario, from the first, in the lab as it is now, captures meanwhile, and prints the \
verdict as `labsim run` does, with its exit codes. It can be repeated as often as wanted. What happened \
before does not count: load balancers forget their flows and persistence records, nodes their neighbours \
and path MTUs, and logins that `labsim step` left open end. What was set up stays, by whomever: addresses, \
routes, settings, members, which of them are down.

The lab stays as the steps leave it. After a scenario whose steps change it for good, such as one that \
kills a forwarder, a second check begins with that. Ctrl-C interrupts the check, and the lab stays up.

    labsim up scenarios/tacacs-ipip.yaml
    labsim exec rs1 -- ip addr del 172.16.4.99/32 dev lo
    labsim check
    labsim exec rs1 -- ip addr add 172.16.4.99/32 dev lo
    labsim check";
