//! Words for results, times and numbers.

use labsim_scenario::model::{LoginResult, Step};

/// `1 frame`, `2 frames`.
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `a`, `a and b`, `a, b and c`; empty without any.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// `1 time`, `2 times`.
pub(crate) fn times(number: u64) -> String {
    count(number, "time")
}

/// A time that is never rounded to nothing: `40 µs`, `0.9 ms`, `9.9 ms`, `37 ms`.
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0..100_000 => format!("{} µs", ns.div_ceil(1000)),
        100_000..10_000_000 => format!("{}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000),
        _ => format!("{} ms", ns / 1_000_000),
    }
}

/// What so many did: `passed`, `were refused`.
pub(crate) fn did(result: LoginResult, number: usize) -> &'static str {
    match result {
        LoginResult::Pass => "passed",
        LoginResult::Fail => "failed",
        LoginResult::Error => "ended with error",
        LoginResult::Refused if number == 1 => "was refused",
        LoginResult::Refused => "were refused",
        LoginResult::Timeout => "timed out",
        LoginResult::Paused => "paused",
    }
}

/// What a step's attempts are: `login`, `exchange`, `request`, `lookup`, `program` or `transfer`.
pub(crate) fn attempt(step: Option<&Step>) -> &'static str {
    step.map_or("login", |step| step.action.noun())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_never_said_to_be_none() {
        for (ns, said) in [
            (0, "0 µs"),
            (1, "1 µs"),
            (40_000, "40 µs"),
            (99_999, "100 µs"),
            (100_000, "0.1 ms"),
            (900_000, "0.9 ms"),
            (999_999, "0.9 ms"),
            (9_999_999, "9.9 ms"),
            (10_000_000, "10 ms"),
            (5_000_000_000, "5000 ms"),
        ] {
            assert_eq!(duration(ns), said);
        }
    }
}
