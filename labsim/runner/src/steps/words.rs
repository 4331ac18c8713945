//! What steps do and how they went, in sentences.

use super::Outcome;
use labsim_scenario::model::{
    AccountingRecord, LoginMethod, LoginResult, MemberChange, MemberFate, RadiusQuestion,
    StepAction, TacacsLogin,
};
use labsim_verdict::Attempt;

/// Results in the order in which they are told.
const RESULTS: [LoginResult; 6] = [
    LoginResult::Pass,
    LoginResult::Fail,
    LoginResult::Error,
    LoginResult::Refused,
    LoginResult::Timeout,
    LoginResult::Paused,
];

/// What a step does.
pub(super) fn what(action: &StepAction) -> String {
    match action {
        StepAction::TacacsLogin(login) => logins(login),
        StepAction::Resume { login } => format!("goes on with the login `{login}`"),
        StepAction::Finish { login } => format!("waits until the logins `{login}` are over"),
        StepAction::Radius(request) => {
            let (from, to) = (&request.from, request.to);
            let question = match &request.question {
                RadiusQuestion::Login { method, user, .. } => {
                    format!("{} login of `{user}`", method_name(*method))
                }
                RadiusQuestion::Accounting { record, user, session, .. } => {
                    let record = match record {
                        AccountingRecord::Start => "start",
                        AccountingRecord::Stop => "stop",
                    };
                    format!("accounting {record} of `{user}`, session `{session}`,")
                }
                RadiusQuestion::Status => "Status-Server".to_owned(),
            };
            format!("RADIUS {question} from {from} to {to}")
        }
        StepAction::Run(run) => {
            // Not its arguments, which may hold passwords.
            let program = run.program.path.rsplit('/').next().unwrap_or_default();
            format!("runs {program} in {}", run.node)
        }
        StepAction::SendPacket(packet) => {
            let (to, port) = (packet.header.destination, packet.destination_port);
            format!("sends a made-up packet to {to}:{port} from {}", packet.from)
        }
        StepAction::KillForwarder { node } => format!("kills the forwarder in {node}"),
        StepAction::StartForwarder { node } => format!("starts the forwarder in {node} again"),
        StepAction::AwaitCounter { node, counter, at_least, .. } => {
            format!("waits until {counter} of {node} is at least {at_least}")
        }
        StepAction::AwaitMember { node, pool, member, state, .. } => {
            format!("waits until {member} of {pool} of {node} is {}", state.word())
        }
        StepAction::ChangeMember(MemberChange { node, pool, member, to }) => match to {
            MemberFate::Added { ratio } => {
                format!("adds {member} to {pool} of {node}, ratio {ratio}")
            }
            MemberFate::Set { ratio: 0 } => format!("drains {member} of {pool} of {node}"),
            MemberFate::Set { ratio } => {
                format!("gives {member} of {pool} of {node} ratio {ratio}")
            }
            MemberFate::Removed => format!("takes {member} out of {pool} of {node}"),
        },
        StepAction::StopServer { node, keep_connections: false } => {
            format!("stops the servers on {node}")
        }
        StepAction::StopServer { node, keep_connections: true } => {
            format!("stops the servers on {node}, their connections go on")
        }
        StepAction::StartServer { node } => format!("starts the servers on {node} again"),
        StepAction::SetLink { interface, up: true } => format!("sets {interface} up again"),
        StepAction::SetLink { interface, up: false } => format!("sets {interface} down"),
    }
}

/// What has become of a member.
pub(super) fn changed(change: &MemberChange) -> String {
    let MemberChange { node, pool, member, to } = change;
    match to {
        MemberFate::Added { .. } => format!("{member} is a member of {pool} of {node}"),
        MemberFate::Set { ratio: 0 } => format!("{member} of {pool} of {node} gets no new flow"),
        MemberFate::Set { ratio } => format!("{member} of {pool} of {node} has ratio {ratio}"),
        MemberFate::Removed => format!("{member} is no member of {pool} of {node} any more"),
    }
}

fn logins(login: &TacacsLogin) -> String {
    let method = method_name(login.method);
    let clients: Vec<&str> = login.from.iter().map(|client| client.as_str()).collect();
    let number = clients.len() * usize::try_from(login.times).unwrap_or(usize::MAX);
    let (clients, user, to) = (clients.join(", "), &login.user, login.to);
    match number {
        1 => format!("TACACS+ {method} login of `{user}` from {clients} to {to}"),
        _ => format!(
            "{number} TACACS+ {method} logins of `{user}` from {clients} to {to}, {} at once",
            login.at_once
        ),
    }
}

fn method_name(method: LoginMethod) -> &'static str {
    match method {
        LoginMethod::Ascii => "ASCII",
        LoginMethod::Pap => "PAP",
        LoginMethod::Chap => "CHAP",
    }
}

/// How a step went: one attempt in its own words, several in figures.
pub(super) fn of_attempts(attempts: Vec<Attempt>, what: &str) -> Outcome {
    if let [only] = attempts.as_slice() {
        let (result, detail) = (only.result.word().to_owned(), only.detail.clone());
        return Outcome { attempts, result, detail };
    }
    let counts = RESULTS
        .map(|result| (result, attempts.iter().filter(|attempt| attempt.result == result).count()));
    let counts: Vec<_> = counts.into_iter().filter(|(_, number)| *number > 0).collect();
    let result = match counts.as_slice() {
        [(result, _)] => result.word(),
        _ => "mixed",
    };
    let told: Vec<String> =
        counts.iter().map(|(result, number)| format!("{number} {}", result.word())).collect();
    let detail = format!("{} {what}s: {}; {}", attempts.len(), told.join(", "), times(&attempts));
    Outcome { result: result.to_owned(), detail, attempts }
}

/// `0.9 ms at least, 1.3 ms in the middle, 9.1 ms at most`
fn times(attempts: &[Attempt]) -> String {
    let mut times: Vec<u64> = attempts.iter().map(|attempt| attempt.duration_ns).collect();
    times.sort_unstable();
    let at = |place: usize| {
        let ns = times.get(place).copied().unwrap_or_default();
        format!("{}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000)
    };
    let (middle, last) = (times.len() / 2, times.len().saturating_sub(1));
    format!("minimum {}, median {}, maximum {}", at(0), at(middle), at(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::NodeName;

    fn attempt(result: LoginResult, duration_ns: u64) -> Attempt {
        Attempt {
            from: NodeName::new("client").unwrap(),
            protocol: 6,
            result,
            detail: "in its own words".to_owned(),
            local: None,
            remote: "172.16.4.99:49".parse().unwrap(),
            duration_ns,
        }
    }

    #[test]
    fn one_attempt_is_told_in_its_own_words() {
        let outcome = of_attempts(vec![attempt(LoginResult::Fail, 1)], "login");
        assert_eq!(
            (outcome.result.as_str(), outcome.detail.as_str()),
            ("fail", "in its own words")
        );
    }

    #[test]
    fn many_attempts_are_one_sentence_with_figures() {
        let times = [2_000_000, 1_000_000, 300_900_000];
        let attempts = times.map(|time| attempt(LoginResult::Pass, time)).to_vec();
        let outcome = of_attempts(attempts, "login");
        assert_eq!(outcome.result, "pass");
        assert_eq!(
            outcome.detail,
            "3 logins: 3 pass; minimum 1.0 ms, median 2.0 ms, maximum 300.9 ms"
        );
    }

    #[test]
    fn different_results_are_counted_apart() {
        let attempts = vec![attempt(LoginResult::Timeout, 1), attempt(LoginResult::Pass, 1)];
        let outcome = of_attempts(attempts, "login");
        assert_eq!(outcome.result, "mixed");
        assert!(outcome.detail.starts_with("2 logins: 1 pass, 1 timeout;"), "{}", outcome.detail);
    }
}
