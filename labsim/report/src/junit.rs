//! A run as JUnit XML.
//!
//! There is no standard; this keeps to what the readers share: Jenkins's `junit` and `xunit`
//! plugins (whose `junit-10.xsd` allows fewer attributes than others: no `skipped` on
//! `testsuites`, no `file` and no `properties` in `testcase`), GitLab's unit test reports and
//! junitparser. Of several failures in a test case Jenkins keeps one, so there is one. Times are
//! seconds; `timestamp` is UTC.

use crate::run_document::{FailedTry, Progress, RunDocument, ScenarioResult, StepResult};
use crate::{expectation_text, proof_text};
use labsim_codes::{cause, run};
use labsim_event::Outcome;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Lines of each list of a failed expectation.
const SHOWN: usize = 100;
/// What every class name begins with.
const CLASS: &str = "labsim";

/// Writes a run.
pub(crate) fn write(document: &RunDocument, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Writer::new_with_indent(out, b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let count = |element: &str| {
        let verdicts = document.scenarios.iter().filter_map(Verdict::of);
        verdicts.filter(|verdict| verdict.element == element).count().to_string()
    };
    let of_all = [
        ("name", "labsim".to_owned()),
        ("tests", document.scenarios.len().to_string()),
        ("failures", count("failure")),
        ("errors", count("error")),
        ("time", seconds(document.took_ms)),
    ];
    let mut of_suite = of_all.to_vec();
    of_suite.insert(4, ("skipped", count("skipped")));
    of_suite.push(("hostname", attribute(&document.host).into_owned()));
    if let Some(started) = &document.started {
        // Some readers' pattern of a time has no zone.
        of_suite.push(("timestamp", started.trim_end_matches('Z').to_owned()));
    }
    let suites = out.create_element("testsuites").with_attributes(pairs(&of_all));
    suites.write_inner_content(|out| {
        let suite = out.create_element("testsuite").with_attributes(pairs(&of_suite));
        suite.write_inner_content(|out| {
            out.create_element("properties").write_inner_content(|out| {
                for (name, value) in [("version", &document.version), ("rights", &document.rights)]
                {
                    out.create_element("property")
                        .with_attributes([("name", name), ("value", &attribute(value))])
                        .write_empty()?;
                }
                Ok(())
            })?;
            document.scenarios.iter().try_for_each(|scenario| test_case(scenario, out))
        })?;
        Ok(())
    })?;
    out.into_inner().write_all(b"\n")
}

/// Attributes, as the XML writer takes them.
fn pairs<'a>(attributes: &'a [(&str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str()))
}

/// A scenario as a test case.
fn test_case<W: Write>(scenario: &ScenarioResult, out: &mut Writer<W>) -> io::Result<()> {
    let element = out.create_element("testcase").with_attributes([
        ("classname", attribute(&class_name(&scenario.id.name)).as_ref()),
        ("name", attribute(case_name(&scenario.id.name)).as_ref()),
        ("time", seconds(scenario.took_ms).as_str()),
    ]);
    let verdict = Verdict::of(scenario);
    let output = output_text(scenario);
    if verdict.is_none() && output.is_empty() && scenario.failed_tries.is_empty() {
        return element.write_empty().map(drop);
    }
    element
        .write_inner_content(|out| {
            if let Some(Verdict { element, code, message }) = &verdict {
                let element = out.create_element(*element).with_attributes([
                    ("message", attribute(message).as_ref()),
                    ("type", attribute(code).as_ref()),
                ]);
                let text = failure_text(scenario);
                match text.is_empty() {
                    true => element.write_empty()?,
                    false => element.write_text_content(BytesText::new(&visible(&text)))?,
                };
            }
            for failed in &scenario.failed_tries {
                write_failed_try(failed, scenario.outcome, out)?;
            }
            if !output.is_empty() {
                let text = visible(&output);
                out.create_element("system-out").write_text_content(BytesText::new(&text))?;
            }
            Ok(())
        })
        .map(drop)
}

/// A try before the last, by the elements of Maven's Surefire, which Jenkins reads: of a scenario that
/// passed in the end the try is flaky, else the last one was a rerun.
fn write_failed_try<W: Write>(
    failed: &FailedTry,
    outcome: Option<Outcome>,
    out: &mut Writer<W>,
) -> io::Result<()> {
    let element = match (outcome, failed.outcome) {
        (Some(Outcome::Flaky), Outcome::Broken) => "flakyError",
        (Some(Outcome::Flaky), _) => "flakyFailure",
        (_, Outcome::Broken) => "rerunError",
        _ => "rerunFailure",
    };
    let code = failed.code.as_deref().unwrap_or(cause::EXPECTATION_FAILED.name());
    let element = out.create_element(element).with_attributes([
        ("message", attribute(&failed.message).as_ref()),
        ("type", attribute(code).as_ref()),
    ]);
    element.write_empty().map(drop)
}

/// `ttl` of `tunnels/ttl`.
fn case_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `labsim.tunnels` of `tunnels/ttl`: readers take dots for the separators of packages.
fn class_name(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    [CLASS].into_iter().chain(parts).collect::<Vec<_>>().join(".")
}

/// The element of a test case that did not pass.
struct Verdict<'a> {
    element: &'static str,
    /// Its `type`.
    code: &'a str,
    message: Cow<'a, str>,
}

impl<'a> Verdict<'a> {
    fn of(scenario: &'a ScenarioResult) -> Option<Self> {
        let code = scenario.code.as_deref();
        let reason = || Cow::Borrowed(scenario.reason.as_deref().unwrap_or("no reason was given"));
        let interrupted = || code.unwrap_or(run::INTERRUPTED.name());
        let inconsistent = || code.unwrap_or(run::INCONSISTENT.name());
        let (element, code, message) = match (scenario.progress, scenario.outcome) {
            (_, Some(Outcome::Passed | Outcome::Flaky)) => return None,
            (_, Some(Outcome::Failed)) => {
                let code = code.unwrap_or(cause::EXPECTATION_FAILED.name());
                ("failure", code, failure_message(scenario))
            }
            (_, Some(Outcome::Skipped)) => ("skipped", inconsistent(), reason()),
            (_, Some(Outcome::Broken)) => ("error", inconsistent(), reason()),
            (_, Some(Outcome::Interrupted)) => ("error", interrupted(), reason()),
            (Progress::NotBegun, None) => {
                let message = "labsim ended before the scenario began";
                ("skipped", interrupted(), message.into())
            }
            (Progress::Running | Progress::Ended, None) => {
                ("error", interrupted(), "labsim ended before the scenario ended".into())
            }
        };
        Some(Self { element, code, message })
    }
}

/// What a list of failed tests shows: the first cause, else the first failed expectation and how
/// many more there are.
fn failure_message(scenario: &ScenarioResult) -> Cow<'_, str> {
    if let Some(cause) = scenario.first_cause() {
        return Cow::Borrowed(&cause.sentence);
    }
    let mut failed = scenario.expectations.iter().filter(|result| !result.passed);
    let reason = scenario.reason.as_deref().unwrap_or("an expectation did not hold");
    let first = failed.next().map_or(reason, |result| &result.sentence);
    match failed.count() {
        0 => Cow::Borrowed(first),
        more => Cow::Owned(format!("{first} (and {more} more)")),
    }
}

/// The text of a failure: why, and the failed expectations with their frames.
fn failure_text(scenario: &ScenarioResult) -> String {
    let mut text = String::new();
    for error in &scenario.errors {
        let _ = writeln!(text, "  {error}");
    }
    for cause in &scenario.causes {
        let _ = writeln!(text, "  why, in step {}: {}", cause.step, cause.finding);
        if let Some(fix) = &cause.finding.fix {
            let _ = writeln!(text, "  fix: {fix}");
        }
    }
    if let Some(proof) = &scenario.proof {
        proof_text::write(&mut text, proof);
    }
    for result in scenario.expectations.iter().filter(|result| !result.passed) {
        expectation_text::write(&mut text, "✗", result, SHOWN);
    }
    text
}

/// Everything else: the test case's `system-out`.
fn output_text(scenario: &ScenarioResult) -> String {
    let mut text = String::new();
    for warning in &scenario.warnings {
        let _ = writeln!(text, "  ! {warning}");
    }
    if let Some(tunnel) = &scenario.tunnel {
        let _ = writeln!(text, "  tunnel: {tunnel}");
    }
    for (node, plane) in &scenario.data_planes {
        let _ = writeln!(text, "  forwarder in {node}: {plane}");
    }
    for StepResult { name, result, detail, took_ms, .. } in &scenario.steps {
        if let Some(result) = result {
            let _ = writeln!(text, "  step {name}: {result} after {took_ms:.1} ms: {detail}");
        }
    }
    for result in scenario.expectations.iter().filter(|result| result.passed) {
        expectation_text::write(&mut text, "✓", result, SHOWN);
    }
    text
}

fn seconds(milliseconds: f64) -> String {
    format!("{:.3}", milliseconds / 1e3)
}

/// Text as XML can carry it (XML 1.0, section 2.2, `Char`): a character that it has no way to
/// write, and control characters that a terminal would obey, are shown as Rust writes them.
fn visible(text: &str) -> Cow<'_, str> {
    let plain = |c: char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// The same in one line: a parser reads every white space in an attribute as a blank.
fn attribute(text: &str) -> Cow<'_, str> {
    match visible(text) {
        text if text.contains(['\n', '\t']) => Cow::Owned(text.replace(['\n', '\t'], " ")),
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_document::ListedScenario;
    use labsim_event::ExpectationResult;
    use proptest::prelude::*;

    fn written(document: &RunDocument) -> String {
        let mut bytes = Vec::new();
        write(document, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn document(names: &[(&str, &str)]) -> RunDocument {
        let listed = names.iter().map(|(name, path)| ListedScenario {
            name: (*name).to_owned(),
            path: (*path).to_owned(),
            file: format!("scenarios/{path}"),
        });
        RunDocument::new("build-1".to_owned(), listed)
    }

    /// Any text, and often what XML cannot carry or gives a meaning.
    fn hostile() -> impl Strategy<Value = String> {
        let special: Vec<char> = "\0\u{1b}\r\n\t\u{85}\u{fffe}\u{ffff}<>&\"']".chars().collect();
        let character = prop_oneof![any::<char>(), prop::sample::select(special)];
        prop::collection::vec(character, 0..24).prop_map(String::from_iter)
    }

    proptest! {
        /// Whatever a server logged or a file is called: an independent parser reads it back.
        #[test]
        fn hostile_text_makes_valid_xml_and_comes_back(
            texts in prop::array::uniform4(hostile()),
            kind in 0..6usize,
        ) {
            let [name, sentence, reason, warning] = texts;
            let mut document = document(&[(&name, "a/b.yaml")]);
            let scenario = &mut document.scenarios[0];
            scenario.progress = Progress::Running;
            scenario.outcome = [
                Some(Outcome::Passed),
                Some(Outcome::Failed),
                Some(Outcome::Skipped),
                Some(Outcome::Broken),
                Some(Outcome::Interrupted),
                None,
            ][kind];
            scenario.reason = Some(reason.clone());
            let failed = ExpectationResult { sentence: sentence.clone(), ..Default::default() };
            scenario.expectations.push(failed);
            scenario.warnings.push(warning.clone());
            let text = written(&document);
            let document = roxmltree::Document::parse(&text).unwrap();
            let find = |tag: &str| document.descendants().find(|it| it.has_tag_name(tag));
            let case = find("testcase").unwrap();
            prop_assert_eq!(case.attribute("name").unwrap(), attribute(case_name(&name)));
            let output = find("system-out").and_then(|it| it.text()).unwrap_or_default();
            let warned = format!("  ! {warning}\n");
            prop_assert_eq!(output, visible(&warned));
            let verdict = ["failure", "skipped", "error"].into_iter().find_map(find);
            prop_assert_eq!(verdict.is_none(), kind == 0);
            if let Some(verdict) = verdict {
                let text = visible(&format!("  ✗ {sentence}\n")).into_owned();
                prop_assert_eq!(verdict.text().unwrap_or_default(), text);
                let message = verdict.attribute("message").unwrap();
                match kind {
                    1 => prop_assert_eq!(message, attribute(&sentence)),
                    2..5 => prop_assert_eq!(message, attribute(&reason)),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn characters_that_xml_has_not_are_shown_and_not_dropped() {
        let text = "a\u{0}b\u{1b}[31mc\u{fffe}\r\n\td";
        assert_eq!(visible(text), "a\\u{0}b\\u{1b}[31mc\\u{fffe}\\u{d}\n\td");
        assert_eq!(attribute("two\nlines"), "two lines");
    }

    #[test]
    fn a_class_is_the_folder_below_the_named_one() {
        for (name, class) in
            [("a", "labsim"), ("tunnels/ttl", "labsim.tunnels"), ("a/b/c", "labsim.a.b")]
        {
            assert_eq!(class_name(name), class);
        }
        let text = written(&document(&[("a", "a.yaml"), ("tunnels/ttl", "tunnels/ttl.yaml")]));
        assert!(text.contains("classname=\"labsim.tunnels\" name=\"ttl\""), "{text}");
    }

    #[test]
    fn a_try_that_failed_is_flaky_if_the_scenario_passed_and_else_was_rerun() {
        for (outcome, element) in
            [(Outcome::Flaky, "flakyFailure"), (Outcome::Failed, "rerunFailure")]
        {
            let mut document = document(&[("a", "a.yaml")]);
            let scenario = &mut document.scenarios[0];
            scenario.outcome = Some(outcome);
            scenario.failed_tries = vec![FailedTry {
                outcome: Outcome::Failed,
                code: Some("vip-missing".to_owned()),
                message: "no VIP".to_owned(),
                took_ms: 1.0,
            }];
            let text = written(&document);
            let expected = format!("<{element} message=\"no VIP\" type=\"vip-missing\"/>");
            assert!(text.contains(&expected), "{text}");
            let failures = usize::from(outcome == Outcome::Failed);
            assert!(text.contains(&format!("failures=\"{failures}\"")), "{text}");
        }
    }

    #[test]
    fn without_a_cause_the_first_failed_expectation_is_the_message() {
        let mut document = document(&[("a", "a.yaml")]);
        let scenario = &mut document.scenarios[0];
        scenario.outcome = Some(Outcome::Failed);
        for sentence in ["no", "neither"] {
            let failed = ExpectationResult { sentence: sentence.into(), ..Default::default() };
            scenario.expectations.push(failed);
        }
        let text = written(&document);
        assert!(text.contains("message=\"no (and 1 more)\" type=\"expectation-failed\""), "{text}");
        assert!(text.ends_with("</testsuites>\n"), "{text}");
    }
}
