//! How a step's logins or requests ended, in a sentence.

use super::StepEnd;
use labsim_scenario::model::LoginResult;
use labsim_verdict::Attempt;

/// Results in the order in which they are counted.
const RESULTS: [LoginResult; 6] = [
    LoginResult::Pass,
    LoginResult::Fail,
    LoginResult::Error,
    LoginResult::Refused,
    LoginResult::Timeout,
    LoginResult::Paused,
];

/// How a step ended: one attempt with its own detail, several as counts and times.
pub(super) fn summarize(attempts: Vec<Attempt>, what: &str) -> StepEnd {
    if let [only] = attempts.as_slice() {
        let end = StepEnd::new(only.result.word(), only.detail.clone());
        return StepEnd { attempts, ..end };
    }
    let counts = RESULTS
        .map(|result| (result, attempts.iter().filter(|attempt| attempt.result == result).count()));
    let counts: Vec<_> = counts.into_iter().filter(|(_, number)| *number > 0).collect();
    let result = match counts.as_slice() {
        [(result, _)] => result.word(),
        _ => "mixed",
    };
    let by_result: Vec<String> =
        counts.iter().map(|(result, number)| format!("{number} {}", result.word())).collect();
    let (number, by_result, times) = (attempts.len(), by_result.join(", "), fmt_times(&attempts));
    let detail = format!("{number} {what}s: {by_result}; {times}");
    StepEnd { attempts, ..StepEnd::new(result, detail) }
}

/// `minimum 0.9 ms, median 1.3 ms, maximum 9.1 ms`
fn fmt_times(attempts: &[Attempt]) -> String {
    let mut times: Vec<u64> = attempts.iter().map(|attempt| attempt.duration_ns).collect();
    times.sort_unstable();
    let at = |rank: usize| {
        let ns = times.get(rank).copied().unwrap_or_default();
        format!("{}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000)
    };
    let (median, last) = (times.len() / 2, times.len().saturating_sub(1));
    format!("minimum {}, median {}, maximum {}", at(0), at(median), at(last))
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
            detail: "refused by the server".to_owned(),
            local: None,
            remote: "172.16.4.99:49".parse().unwrap(),
            began_ns: 0,
            duration_ns,
        }
    }

    #[test]
    fn one_attempt_keeps_its_own_detail() {
        let end = summarize(vec![attempt(LoginResult::Fail, 1)], "login");
        assert_eq!((end.result.as_str(), end.detail.as_str()), ("fail", "refused by the server"));
    }

    #[test]
    fn many_attempts_are_one_sentence_with_counts_and_times() {
        let times = [2_000_000, 1_000_000, 300_900_000];
        let attempts = times.map(|time| attempt(LoginResult::Pass, time)).to_vec();
        let end = summarize(attempts, "login");
        assert_eq!(end.result, "pass");
        assert_eq!(end.detail, "3 logins: 3 pass; minimum 1.0 ms, median 2.0 ms, maximum 300.9 ms");
    }

    #[test]
    fn different_results_are_counted_separately() {
        let attempts = vec![attempt(LoginResult::Timeout, 1), attempt(LoginResult::Pass, 1)];
        let end = summarize(attempts, "login");
        assert_eq!(end.result, "mixed");
        assert!(end.detail.starts_with("2 logins: 1 pass, 1 timeout;"), "{}", end.detail);
    }
}
