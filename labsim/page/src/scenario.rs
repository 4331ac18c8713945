//! A scenario's part of the page.

use crate::details::Details;
use crate::html::{details, element, lines, table};
use crate::script::script_data;
use labsim_event::{CauseRecord, ExpectationResult, Outcome, Proof};
use labsim_picture::{Layout, SvgOptions, lab_way_svg, svg, xml};
use labsim_report::{Progress, ScenarioResult, StepFinding};
use serde::Serialize;

/// The word of an outcome, and its class of style.
pub(crate) fn outcome(scenario: &ScenarioResult) -> (&'static str, &'static str) {
    match (scenario.outcome, scenario.progress) {
        (Some(Outcome::Passed), _) => ("PASS", "passed"),
        (Some(Outcome::Flaky), _) => ("FLAKY", "failed"),
        (Some(Outcome::Failed), _) => ("FAIL", "failed"),
        (Some(Outcome::Broken), _) => ("ERROR", "failed"),
        (Some(Outcome::Skipped), _) => ("SKIPPED", "undecided"),
        (Some(Outcome::Interrupted), _) => ("INTERRUPTED", "undecided"),
        (None, Progress::NotBegun) => ("NOT RUN", "undecided"),
        (None, _) => ("NOT ENDED", "undecided"),
    }
}

/// The heading of a configuration, and whether it has its secrets.
pub(crate) const fn configuration_title(with_secrets: bool) -> &'static str {
    match with_secrets {
        true => "Configuration as merged, with secrets",
        false => "Configuration as merged, without secrets",
    }
}

/// The whole part, with a configuration and its heading. `id` begins the names of elements.
pub(crate) fn section(
    scenario: &ScenarioResult,
    more: &Details,
    configuration: Option<(&str, &str)>,
    id: &str,
    is_open: bool,
) -> String {
    let (word, class) = outcome(scenario);
    let name = xml(&scenario.id.name);
    let mut out = format!(
        "<section id=\"{id}\" data-name=\"{name}\">\n<h2><span class=\"{class}\">{word}</span> {name}</h2>\n"
    );
    out += &verdict(scenario, more);
    let mut body = String::new();
    if let Some(lab) = &more.lab {
        body += "<h3>The lab</h3>\n";
        if lab.is_sound() {
            let prefix = format!("{id}-lab-");
            let options = SvgOptions { prefix: &prefix, is_file: false };
            let layout = Layout::new(lab);
            let picture = match &more.way {
                Some(way) => lab_way_svg(lab, &layout, way, options),
                None => svg(lab, &layout, options),
            };
            body += &format!("<div class=\"wide\" tabindex=\"0\">{picture}</div>\n");
            if more.way.is_some() {
                let text = "Numbered arrows: the way of the first packet below, and dashed that of the first \
                            answer. A hollow arrow is a packet in a tunnel.";
                body += &element("p", "quiet", text);
            }
        } else {
            body += &element("p", "", "The lab is too large to be drawn.");
        }
    }
    body += "<h3>Packets</h3>\n";
    match &more.packets {
        Some(packets) => {
            body += "<div class=\"explorer\" hidden></div>\n<div class=\"static\">\n";
            body += &element(
                "p",
                "quiet",
                "A column for each node, an arrow for each frame, in the order of time; frames have \
                 their numbers in capture.pcapng. A thick arrow is a packet in a tunnel, a dot a frame \
                 at a device of one node only, such as the end of a tunnel. A red dashed line that ends \
                 with x is a frame that was sent and seen at no other node.",
            );
            body += packets;
            body += "</div>\n";
        }
        None => body += &element("p", "", "There is no capture."),
    }
    body += &steps(scenario);
    body += &expectations(&scenario.expectations);
    body += &machine(scenario, more);
    if let Some((title, yaml)) = configuration {
        body += &details(title, false, &element("pre", "", yaml));
    }
    out += &details("Lab, packets, steps, expectations, logs and counters", is_open, &body);
    out += "</section>\n";
    out
}

/// A cause, for the packets that it is about.
#[derive(Serialize)]
struct CauseData<'a> {
    step: &'a str,
    code: &'a str,
    node: Option<&'a str>,
    sentence: &'a str,
    fix: Option<&'a str>,
    /// Numbers in `capture.pcapng`.
    frames: &'a [usize],
    counters: Vec<String>,
}

/// What the script reads of the scenario.
pub(crate) fn scenario_data(scenario: &ScenarioResult, more: &Details, id: &str) -> String {
    let Some(packets) = &more.data else { return String::new() };
    let causes: Vec<CauseData<'_>> = more
        .causes
        .iter()
        .map(|record| {
            let is_its = |found: &&StepFinding| {
                found.step == record.step && found.finding.code.as_ref() == Some(&record.code)
            };
            let found = scenario.causes.iter().find(is_its).map(|found| &found.finding);
            CauseData {
                step: &record.step,
                code: &record.code,
                node: record.node.as_deref(),
                sentence: found.map_or("", |finding| &finding.sentence),
                fix: found.and_then(|finding| finding.fix.as_deref()),
                frames: &record.frames,
                counters: record
                    .counters
                    .iter()
                    .map(|(name, value)| format!("{name} +{value}"))
                    .collect(),
            }
        })
        .collect();
    let data = serde_json::json!({
        "name": scenario.id.name,
        "steps": more.steps,
        "causes": causes,
        "began": more.began,
        "packets": packets,
    });
    script_data(&format!("{id}-data"), &data.to_string())
}

/// What was proved, or what is wrong, with its evidence and its remedy.
fn verdict(scenario: &ScenarioResult, more: &Details) -> String {
    let held = scenario.expectations.iter().filter(|result| result.passed).count();
    let mut out = element(
        "p",
        "quiet",
        format!(
            "{}: {held} of {} expectations held; {} frames captured, {} lost by captures; {:.0} ms",
            scenario.id.file,
            scenario.expectations.len(),
            scenario.frames,
            scenario.dropped,
            scenario.took_ms
        ),
    );
    if let Some(reason) = &scenario.reason {
        out += &element("p", "cause", format!("{reason}{}", code(scenario.code.as_deref())));
    }
    out += &list("", &scenario.errors);
    let mut records: Vec<&CauseRecord> = more.causes.iter().collect();
    // Causes before what else is known of the packets' ways.
    let (causes, others): (Vec<_>, Vec<_>) =
        scenario.causes.iter().partition(|found| found.finding.code.is_some());
    for finding in causes.into_iter().chain(others) {
        out += &cause(finding, &mut records);
    }
    out += &scenario.proof.as_ref().map(proof).unwrap_or_default();
    let failed: Vec<String> = scenario
        .expectations
        .iter()
        .filter(|result| !result.passed)
        .map(|result| format!("{}{}", result.sentence, code(result.code.as_deref())))
        .collect();
    out += &list("What did not hold:", &failed);
    let proved: Vec<String> = scenario
        .expectations
        .iter()
        .filter(|one| one.passed)
        .map(|one| one.sentence.clone())
        .collect();
    out += &list("What was proved:", &proved);
    for failed in &scenario.failed_tries {
        let outcome = failed.outcome.name();
        out += &element("p", "", format!("An earlier try ended as {outcome}: {}", failed.message));
    }
    out + &list("Warnings:", &scenario.warnings)
}

/// A finding about a step; of a cause also the frames and counters that show it, and commands.
fn cause(found: &StepFinding, records: &mut Vec<&CauseRecord>) -> String {
    let StepFinding { step, finding } = found;
    let text = format!("Step {step}: {}{}", finding.sentence, code(finding.code.as_deref()));
    if finding.code.is_none() {
        return element("p", "", text);
    }
    let mut body = element("p", "", text);
    let is_its =
        |record: &&CauseRecord| record.step == *step && Some(&record.code) == finding.code.as_ref();
    let record = records.iter().position(is_its).map(|place| records.remove(place));
    if let Some(record) = record {
        let mut shown: Vec<String> = Vec::new();
        if !record.frames.is_empty() {
            let frames: Vec<String> = record.frames.iter().map(ToString::to_string).collect();
            shown.push(format!("frames {}", frames.join(", ")));
        }
        shown.extend(record.counters.iter().map(|(name, value)| format!("{name} +{value}")));
        if !shown.is_empty() {
            let at = record.node.as_deref().map(|node| format!(" at {node}")).unwrap_or_default();
            body += &element("p", "", format!("Shown{at} by: {}", shown.join("; ")));
        }
    }
    if let Some(fix) = &finding.fix {
        body += &element("p", "", format!("Fix: {fix}"));
    }
    if let Some(record) = record {
        let fix = &record.fix;
        for (title, commands) in [
            ("In the scenario:", &fix.scenario),
            ("On Linux:", &fix.linux),
            ("tmsh:", &fix.tmsh),
            ("ACOS:", &fix.acos),
        ] {
            if !commands.is_empty() {
                body += &element("p", "quiet", title);
                body += &lines(commands);
            }
        }
    }
    format!("<div class=\"cause\">\n{body}</div>\n")
}

/// What experiments proved of the causes.
fn proof(proof: &Proof) -> String {
    let causes: Vec<String> = proof
        .causes
        .iter()
        .map(|one| {
            let code = code(Some(&one.cause.code));
            format!("{}: {}{code}: {}", one.standing.words(), one.sentence, one.reason)
        })
        .collect();
    let mut body = element("p", "", &proof.sentence) + &list("", &causes);
    body += &lines(&proof.overlay);
    body += &lines(&proof.linux);
    body += &lines(&proof.tmsh);
    body += &lines(&proof.acos);
    format!("<div class=\"cause\">\n{body}</div>\n")
}

fn code(code: Option<&str>) -> String {
    code.map(|code| format!(" [{code}]")).unwrap_or_default()
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| element("li", "", item)).collect();
    let title = if title.is_empty() { String::new() } else { element("p", "", title) };
    format!("{title}<ul>\n{items}</ul>\n")
}

fn steps(scenario: &ScenarioResult) -> String {
    let rows: Vec<Vec<String>> = scenario
        .steps
        .iter()
        .map(|step| {
            let result = step.result.clone().unwrap_or_else(|| "did not end".to_owned());
            let took = format!("{:.1}", step.took_ms);
            vec![step.name.clone(), step.what.clone(), result, step.detail.clone(), took]
        })
        .collect();
    table("Steps", &["step", "what it does", "result", "detail", "ms"], &rows)
}

fn expectations(results: &[ExpectationResult]) -> String {
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|result| {
            let word = if result.passed { "held" } else { "did not hold" };
            let ExpectationResult { sentence, place, expected, seen, .. } = result;
            vec![
                word.to_owned(),
                sentence.clone(),
                expected.join("; "),
                seen.join("; "),
                place.clone(),
            ]
        })
        .collect();
    let heads = ["result", "expectation", "expected", "seen", "where it is written"];
    let mut out = table("Expectations", &heads, &rows);
    for result in results.iter().filter(|result| !result.frames.is_empty()) {
        let title = format!("Frames of: {}", result.sentence);
        out += &details(&title, !result.passed, &lines(&result.frames));
    }
    out
}

/// Server logs, and what the machine did.
fn machine(scenario: &ScenarioResult, more: &Details) -> String {
    let mut out = table("Server logs", &["node", "line"], &more.log);
    if more.more_log > 0 {
        let text = format!("and {} more lines, which events.jsonl has", more.more_log);
        out += &element("p", "quiet", text);
    }
    let mut rows = Vec::new();
    let mut add = |what: &str, how: &str| rows.push(vec![what.to_owned(), how.to_owned()]);
    if let Some(tunnel) = &scenario.tunnel {
        add("end of tunnels", tunnel);
    }
    if let Some(impairments) = &scenario.impairments {
        add("impairment of links", impairments);
    }
    for (node, data_plane) in &scenario.data_planes {
        add(&format!("data plane of {node}"), data_plane);
    }
    for file in &more.programs {
        add("output of a program", &format!("logs/{file} in the results, secrets included"));
    }
    out += &table("What the machine did", &["what", "how"], &rows);
    let counters = table("", &["where", "counters"], &more.counters);
    if !counters.is_empty() {
        out += &details("Counters", false, &counters);
    }
    out
}
