#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::packed::base64;
use labsim_verdict::compare::SeenFrame;
use sha2::{Digest as _, Sha256};

const EVIL: &str = "</title><script>alert(1)</script>\"'&\u{1b}[2J";

#[test]
fn the_policy_names_the_hash_of_this_pages_own_styles() {
    assert_eq!(base64(&Sha256::digest(OWN_STYLE.as_bytes())), OWN_HASH, "write this into OWN_HASH");
}

#[test]
fn nothing_of_two_runs_is_markup_and_the_first_different_hop_is_marked_in_words() {
    let seen = || {
        Some(SeenHop {
            place: EVIL.to_owned(),
            frame: SeenFrame { number: 1, line: EVIL.to_owned() },
        })
    };
    let row = |hops, fields| HopRow { is_answer: false, hops, fields };
    let step = StepComparison {
        names: [EVIL.to_owned(), "b".to_owned()],
        rows: vec![
            row([seen(), seen()], Vec::new()),
            row([seen(), None], Vec::new()),
            row([seen(), seen()], vec![(EVIL.to_owned(), [EVIL.to_owned(), EVIL.to_owned()])]),
        ],
        first: Some(1),
        ..StepComparison::default()
    };
    let lines = [vec![EVIL.to_owned()], Vec::new()];
    let found = Comparison {
        differences: vec![
            Difference::Configuration { nodes: vec![EVIL.to_owned()], only: lines },
            Difference::Outcome([EVIL.to_owned(), EVIL.to_owned()]),
            Difference::Expectation { name: EVIL.to_owned(), held: [Some(true), None] },
        ],
        steps: vec![step],
        not_comparable: vec![EVIL.to_owned()],
        ..Comparison::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    let mut page = ComparisonPage::open(&path).unwrap();
    let (names, runs) =
        ([EVIL.to_owned(), EVIL.to_owned()], [KeptRun::default(), KeptRun::default()]);
    page.add(&ComparedRuns { title: EVIL, names: &names, runs: &runs, is_one: false }, &found);
    page.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(text.matches("<td>first different hop</td>").count(), 1, "{text}");
    let configuration = text.find("Configuration</caption>").unwrap();
    assert!(configuration < text.find("First different hop").unwrap(), "configuration comes first");
}

#[test]
fn a_scenario_that_is_not_compared_is_on_the_page_and_counted_in_its_title() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    let mut page = ComparisonPage::open(&path).unwrap();
    page.note("a", ComparisonPage::DIFFERENT, &["not in two".to_owned()]);
    page.note("b", ComparisonPage::UNREADABLE, &[EVIL.to_owned()]);
    page.note("c", ComparisonPage::SKIPPED, &[]);
    page.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let title = "3 scenarios compared, 1 different, 1 not readable, 1 skipped in both</title>";
    assert!(text.contains(title) && text.contains("not in two"), "{text}");
    assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
}
