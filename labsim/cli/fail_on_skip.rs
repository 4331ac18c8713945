//! `--fail-on-skip`: which reasons of a skipped scenario count as failures.

use labsim_codes::Code;
use labsim_runner::SkipRule;

/// How similar a code is to be suggested (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;

/// The rule of a list of codes; none means all.
///
/// # Errors
/// A code does not exist, or no scenario is ever skipped for it.
pub(crate) fn rule(codes: &[String]) -> Result<SkipRule, String> {
    if codes.is_empty() {
        return Ok(SkipRule::FailAll);
    }
    codes.iter().map(|name| find(name)).collect::<Result<_, _>>().map(SkipRule::Fail)
}

fn find(name: &str) -> Result<Code, String> {
    let codes = || SkipRule::codes().iter().copied();
    if let Some(code) = codes().find(|code| code.name() == name) {
        return Ok(code);
    }
    let what = match Code::find(name) {
        Some(_) => "no scenario is skipped for the reason",
        None => "unknown code",
    };
    let scored = codes().map(|code| (strsim::jaro_winkler(code.name(), name), code));
    let similar = scored.filter(|(score, _)| *score >= SIMILAR);
    let remedy = match similar.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((_, code)) => format!("did you mean `{code}`?"),
        None => {
            let all: Vec<String> = codes().map(|code| format!("`{code}`")).collect();
            format!("scenarios are skipped for {}", all.join(", "))
        }
    };
    Err(format!("--fail-on-skip: {what} `{}`; {remedy}", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(codes: &[&str]) -> String {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        rule(&codes).unwrap_err()
    }

    #[test]
    fn no_code_means_all_and_codes_are_found_by_name() {
        assert_eq!(rule(&[]), Ok(SkipRule::FailAll));
        let codes = ["tun-missing".to_owned(), "program-missing".to_owned()];
        let Ok(SkipRule::Fail(found)) = rule(&codes) else { panic!("two codes") };
        assert_eq!(found.iter().map(|code| code.name()).collect::<Vec<_>>(), codes);
    }

    #[test]
    fn a_code_that_skips_nothing_is_refused_with_the_nearest_one() {
        assert!(error(&["program-mising"]).contains("unknown code `program-mising`; did you mean"));
        assert!(error(&["vip-missing"]).contains("no scenario is skipped for the reason"));
        assert!(error(&["qqq"]).contains("scenarios are skipped for `rights-missing`"));
        assert!(error(&[""]).contains("unknown code ``"));
    }
}
