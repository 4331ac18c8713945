//! Pages of what is counted, reported and returned: outcomes, metrics, codes, exit codes.

use super::NOTICE;
use crate::exit::Exit;
use labsim_codes::Code;
use labsim_control::MetricsSource;
use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{Counters, Outcome};
use serde_json::json;
use std::fmt::Write as _;

/// Name and text of each page.
pub(super) fn pages() -> Result<Vec<(String, String)>, serde_json::Error> {
    let counters = format!("{}\n{}\n{}", outcomes(), counters()?, metrics()?);
    let pages = [("outcomes.md", counters), ("codes.md", codes()), ("exit-codes.md", exit_codes())];
    Ok(pages.map(|(name, text)| (name.to_owned(), format!("{NOTICE}{text}"))).into())
}

fn outcomes() -> String {
    let mut text = "# Outcomes and counters\n\n## Outcomes\n\n\
        Every frame that the forwarder receives has one outcome, which is a counter of the same \
        name. An expectation such as `forwarder: {counter: no_flow}` names it. Unit: frames.\n\n\
        | outcome | dropped | meaning |\n|---|---|---|\n"
        .to_owned();
    for outcome in Outcome::ALL {
        let dropped = outcome.drop_reason().unwrap_or("no");
        let meaning = cell(outcome.meaning());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{outcome}` | {dropped} | {meaning} |");
    }
    text
}

/// The counters that are no outcomes, by the names that expectations use.
fn counters() -> Result<String, serde_json::Error> {
    let mut text = "## Other counters\n\n\
        Counters of an expectation or of `await_counter` that are not outcomes. Unless named \
        otherwise below, they count events since the forwarder's start.\n\n"
        .to_owned();
    let groups = serde_json::to_value(Counters::default())?;
    for (group, counters) in groups.as_object().into_iter().flatten() {
        let numbers = counters.as_object().into_iter().flatten();
        for (name, _) in numbers.filter(|(_, value)| value.is_u64()) {
            let _ = writeln!(text, "- `{group}.{name}`");
        }
    }
    Ok(text)
}

/// The families that a forwarder without virtual servers exposes: they name all.
fn metrics() -> Result<String, serde_json::Error> {
    let config = json!({"interface": "eth0", "virtual_servers": {}, "pools": {}});
    let config = serde_json::from_value(config)?;
    let counted = Snapshot::default();
    let health = Default::default();
    let source = MetricsSource {
        counted: &counted,
        config: &config,
        health: &health,
        applied: 0,
        refused: 0,
    };
    let exposed = labsim_control::metrics(&source);
    let mut text = "## Metrics\n\n\
        What `labsim forwarder ctl metrics` and the metrics endpoint return (OpenMetrics 1.0).\n\n\
        | metric | type | unit | meaning |\n|---|---|---|---|\n"
        .to_owned();
    let mut kind = "";
    for line in exposed.lines() {
        let mut words = line.splitn(4, ' ').skip(1);
        match (words.next(), words.next(), words.next()) {
            (Some("TYPE"), _, Some(word)) => kind = word,
            (Some("HELP"), Some(name), Some(help)) => {
                let unit = if name.ends_with("_bytes") { "bytes" } else { "1" };
                let _ = writeln!(text, "| `{name}` | {kind} | {unit} | {} |", cell(help));
            }
            _ => {}
        }
    }
    Ok(text)
}

fn codes() -> String {
    let mut text = "# Codes\n\n\
        A code stands in square brackets at the end of a message, in JUnit's `type` and in events. \
        It never changes its meaning. `labsim help CODE` prints its text.\n"
        .to_owned();
    for code in Code::all() {
        let (meaning, evidence, remedy) = (code.meaning(), code.evidence(), code.remedy());
        let _ = write!(
            text,
            "\n## `{code}`\n\n{meaning}\n\n- Evidence: {evidence}\n- Remedy: {remedy}\n"
        );
    }
    text
}

fn exit_codes() -> String {
    let mut text = "# Exit codes\n\n| code | meaning |\n|---|---|\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit as u8, exit.meaning());
    }
    text
}

/// A text as the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
