//! Shorter time-outs, for runs that are expected to fail.
//!
//! A step that fails by a time-out takes all of it. In a lab where nothing delays or loses frames on
//! purpose, what is answered at all is answered within milliseconds, or after one retransmission.

use labsim_scenario::model::{ExchangeForm, Readiness, Scenario, StepAction};
use std::time::Duration;

/// Time for an exchange over TCP: TCP sends a SYN again after a second (RFC 6298 2.1).
const LOGIN: Duration = Duration::from_millis(1500);
/// Time until a datagram is sent again.
const REQUEST: Duration = Duration::from_millis(400);
/// Time for what a step waits for, where nothing is proved by it.
const WAIT: Duration = Duration::from_secs(1);
/// What a lab of its own has to save.
const WORTHWHILE: Duration = Duration::from_secs(2);
/// Exchanges of a step at most: more of them may have to wait for each other.
const LOGINS: u64 = 16;
/// Bytes that take no time.
const SHORT: u64 = 100_000;
/// How late a lab may have reacted for its time-outs to prove something.
pub(super) const LATE: Duration = Duration::from_millis(200);

/// The scenario with shorter time-outs; nothing if they might fail a run that passes, or if none is
/// shorter.
pub(crate) fn hurried(scenario: &Scenario) -> Option<Scenario> {
    if !is_prompt(scenario) {
        return None;
    }
    let mut hurried = scenario.clone();
    let mut is_shorter = false;
    for step in &mut hurried.steps {
        let (timeout, limit) = match &mut step.action {
            StepAction::Exchange(exchange) => (&mut exchange.timeout, limit(&exchange.form)),
            _ => continue,
        };
        if *timeout > limit {
            *timeout = limit;
            is_shorter = true;
        }
    }
    is_shorter.then_some(hurried)
}

/// The scenario with all time-outs short, to see early what a run may fail for; nothing if that is no
/// earlier. A run of it proves nothing: it may fail where the scenario passes.
pub(super) fn glance(scenario: &Scenario) -> Option<Scenario> {
    let mut glance = hurried(scenario).unwrap_or_else(|| scenario.clone());
    let mut saved = Duration::ZERO;
    for step in &mut glance.steps {
        let (timeout, limit) = match &mut step.action {
            StepAction::Exchange(exchange) => (&mut exchange.timeout, limit(&exchange.form)),
            StepAction::AwaitCounter { timeout, .. } | StepAction::AwaitMember { timeout, .. } => {
                (timeout, WAIT)
            }
            _ => continue,
        };
        saved += timeout.saturating_sub(limit);
        *timeout = limit.min(*timeout);
    }
    (saved >= WORTHWHILE).then_some(glance)
}

/// What an exchange's time-out is shortened to.
const fn limit(form: &ExchangeForm) -> Duration {
    match form {
        ExchangeForm::Udp(_) | ExchangeForm::Dns(_) | ExchangeForm::Radius(_) => REQUEST,
        ExchangeForm::TacacsLogin(_) | ExchangeForm::Tcp(_) | ExchangeForm::Http(_) => LOGIN,
    }
}

/// Whether so little is moved that it takes no time.
fn is_short(form: &ExchangeForm) -> bool {
    let bytes = match form {
        ExchangeForm::Tcp(one) => {
            (one.send.len() + one.receive.len()).saturating_mul(u64::from(one.rounds))
        }
        // How long the answers are is the server's.
        ExchangeForm::Http(get) => {
            get.body.as_ref().map_or(0, |body| body.len()).saturating_mul(u64::from(get.rounds))
        }
        ExchangeForm::TacacsLogin(_)
        | ExchangeForm::Udp(_)
        | ExchangeForm::Dns(_)
        | ExchangeForm::Radius(_) => 0,
    };
    bytes <= SHORT
}

/// Whether everything that is asked is answered at once, or never: nothing impairs links, no program
/// of the user's can be the one that answers, and no step makes something recover that a login may be
/// waiting for.
fn is_prompt(scenario: &Scenario) -> bool {
    let is_over = |ready: &Readiness| *ready == Readiness::Exit;
    let mut pools = scenario.load_balancers.values().flat_map(|balancer| balancer.pools.values());
    scenario.impairments.is_empty()
        && scenario.processes.iter().all(|process| is_over(&process.ready))
        && pools.all(|pool| pool.monitor.is_none())
        && scenario.steps.iter().all(|step| match &step.action {
            StepAction::Exchange(exchange) => {
                !exchange.pause
                    && !exchange.background
                    && exchange.number() <= LOGINS
                    && is_short(&exchange.form)
            }
            StepAction::SendPacket(_) | StepAction::StopServer { .. } => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn load(file: &str) -> Scenario {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
        labsim_scenario::load(file.as_path()).unwrap().scenario
    }

    fn timeout(scenario: &Scenario) -> Duration {
        match &scenario.steps[0].action {
            StepAction::Exchange(exchange) => exchange.timeout,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn time_outs_of_a_lab_that_answers_at_once_are_shorter() {
        assert_eq!(timeout(&hurried(&load("tacacs-ipip.yaml")).unwrap()), LOGIN);
        assert_eq!(timeout(&hurried(&load("radius-ipip.yaml")).unwrap()), REQUEST);
    }

    #[test]
    fn a_glance_is_for_what_would_fail_late() {
        assert!(glance(&load("tacacs-ipip.yaml")).is_none());
        let glance = glance(&load("loose-close.yaml")).unwrap();
        let StepAction::AwaitCounter { timeout, .. } = &glance.steps[1].action else { panic!() };
        assert_eq!(*timeout, WAIT);
    }

    #[test]
    fn one_that_is_shorter_stays() {
        let mut scenario = load("tacacs-ipip.yaml");
        let StepAction::Exchange(login) = &mut scenario.steps[0].action else { panic!() };
        login.timeout = Duration::from_millis(200);
        assert!(hurried(&scenario).is_none());
    }

    #[test]
    fn where_an_answer_may_take_long_no_time_out_is_shorter() {
        for file in [
            "link-delay.yaml",
            "link-loss.yaml",
            "failover.yaml",
            "takeover.yaml",
            "monitor.yaml",
            "many-logins.yaml",
            "freeradius-ipip.yaml",
        ] {
            assert!(hurried(&load(file)).is_none(), "{file}");
        }
    }
}
