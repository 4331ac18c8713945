//! Two runs as one HTML page, side by side: how their labs were set up, the first different hop, and the
//! rest.

use crate::html::{details, element, table};
use crate::style::{HASHES, STYLE};
use crate::way::step_way;
use labsim_picture::{Layout, SvgOptions, way_style, way_svg, xml};
use labsim_report::{KeptRun, Output};
use labsim_verdict::compare::{Comparison, Difference, HopRow, SeenHop, StepComparison};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::PageError;

/// Styles that only this page needs.
const OWN_STYLE: &str = "\
.pair{display:flex;flex-wrap:wrap;gap:1rem}.pair>div{flex:1 1 32rem;min-width:0;overflow-x:auto}\
.parts td{font-weight:bold;border-bottom-color:#a40e26}.parts td:first-child{border-left:4px solid #a40e26;padding-left:.5rem}\
.pair svg{width:100%;height:auto}\
@media screen and (prefers-color-scheme:dark){.parts td,.parts td:first-child{border-color:#ff9492}}";

/// The hash (SHA-256, base64) of [`OWN_STYLE`], as the page's policy names it.
const OWN_HASH: &str = "yu3wLfpX+3lOXB3t2HTIQc/iud/OdjiObGPHlwcYFSM=";

/// Differences of frames that are written for a point.
const ROWS: usize = 8;
/// Scenarios that are written; others are counted.
const SCENARIOS: usize = 200;

/// What was compared.
#[derive(Debug, Clone, Copy)]
pub struct ComparedRuns<'a> {
    /// The scenario's name, or both.
    pub title: &'a str,
    /// What the two runs are called.
    pub names: &'a [String; 2],
    /// The runs.
    pub runs: &'a [KeptRun; 2],
    /// Whether both are of one scenario.
    pub is_one: bool,
}

/// The file that holds the page. It is written when it is complete.
#[derive(Debug)]
pub struct ComparisonPage {
    path: PathBuf,
    output: Output,
    /// One line for each scenario, and the parts of those that differ.
    overview: Vec<Vec<String>>,
    parts: String,
    written: usize,
    left_out: usize,
}

impl ComparisonPage {
    /// The word of a scenario whose results cannot be read.
    pub const UNREADABLE: &str = "not readable";
    /// The word of a scenario that ran in neither.
    pub const SKIPPED: &str = "skipped in both";
    /// The word of a scenario that differs.
    pub const DIFFERENT: &str = "different";

    /// Opens the file; nothing is written yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path) -> Result<Self, PageError> {
        let output =
            Output::open(path).map_err(|reason| PageError { path: path.to_owned(), reason })?;
        Ok(Self {
            path: path.to_owned(),
            output,
            overview: Vec::new(),
            parts: String::new(),
            written: 0,
            left_out: 0,
        })
    }

    /// Adds a scenario's comparison.
    pub fn add(&mut self, about: &ComparedRuns<'_>, found: &Comparison) {
        let is_same = found.differences.is_empty() && found.first_hop().is_none();
        let outcomes = about.runs.each_ref().map(|run| run.saved.outcome.clone());
        let [one, other] = outcomes;
        let word = if is_same { "same" } else { Self::DIFFERENT };
        self.overview.push(vec![about.title.to_owned(), word.to_owned(), one, other]);
        if self.written >= SCENARIOS {
            self.left_out += 1;
            return;
        }
        self.written += 1;
        self.parts += &section(about, found, &format!("c{}", self.written));
    }

    /// Adds a scenario of which nothing is compared: its result in a word or two, and why, in sentences.
    pub fn note(&mut self, title: &str, word: &str, reasons: &[String]) {
        self.overview.push(vec![title.to_owned(), word.to_owned(), String::new(), String::new()]);
        if self.written >= SCENARIOS {
            self.left_out += 1;
            return;
        }
        self.written += 1;
        let reasons: String = reasons.iter().map(|reason| element("p", "", reason)).collect();
        let heading = element("h2", "", title);
        self.parts +=
            &format!("<section id=\"c{}\">\n{heading}{reasons}</section>\n", self.written);
    }

    /// Writes the page.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<(), PageError> {
        let page = self.page();
        let written = self.output.write(true, |out| out.write_all(page.as_bytes()));
        written.map_err(|error| PageError { path: self.path, reason: error.into() })
    }

    fn page(&self) -> String {
        let [own, pictures, ways] = HASHES;
        let count = |word: &str| self.overview.iter().filter(|row| row[1] == word).count();
        let mut counts = format!("{} different", count(Self::DIFFERENT));
        for word in [Self::UNREADABLE, Self::SKIPPED] {
            match count(word) {
                0 => {}
                some => counts += &format!(", {some} {word}"),
            }
        }
        let title = match self.overview.as_slice() {
            [one] => format!("{} compared: {}", one[0], one[1]),
            all => format!("{} scenarios compared, {counts}", all.len()),
        };
        let title = xml(&title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{own}' 'sha256-{pictures}' 'sha256-{ways}' 'sha256-{OWN_HASH}'; base-uri 'none'; \
             form-action 'none'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<style>{}</style>\n\
             <style>{}</style>\n<style>{OWN_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
            labsim_picture::style(),
            way_style(),
        );
        if self.overview.len() != 1 {
            let heads = ["scenario", "result", "first run", "second run"];
            out += &table("Scenarios", &heads, &self.overview);
        }
        out += &self.parts;
        if self.left_out > 0 {
            let text = format!("and {} more scenarios, which labsim compare prints", self.left_out);
            out += &element("p", "quiet", text);
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }
}

fn section(about: &ComparedRuns<'_>, found: &Comparison, id: &str) -> String {
    let [first, second] = about.names;
    let mut out = format!("<section id=\"{id}\">\n");
    out += &element("h2", "", about.title);
    let told = |run: usize| {
        let kept = &about.runs[run].saved;
        format!("{}: {} ({})", about.names[run], kept.outcome, kept.file)
    };
    out += &element("p", "", format!("{}; {}", told(0), told(1)));
    if !about.is_one {
        out += &element("p", "quiet", "Different scenarios: steps are compared in their order.");
    }
    if found.differences.is_empty() && found.first_hop().is_none() {
        out += &element("p", "passed", "No difference was found.");
    }
    let rows: Vec<Vec<String>> = found
        .differences
        .iter()
        .filter_map(|one| match one {
            Difference::Configuration { nodes, only: [a, b] } => {
                Some(vec![nodes.join(", "), a.join("; "), b.join("; ")])
            }
            _ => None,
        })
        .collect();
    let only = [format!("only in {first}"), format!("only in {second}")];
    out += &table("Configuration", &["nodes", &only[0], &only[1]], &rows);
    if let Some((step, row)) = found.first_hop() {
        out += &first_hop(about, step, row);
        out += &pictures(about, step, id);
    }
    for step in &found.steps {
        out += &of_step(about, step);
    }
    out += &rest(about, found);
    if !found.not_comparable.is_empty() {
        let items: String =
            found.not_comparable.iter().map(|text| element("li", "", text)).collect();
        out += &element("h3", "", "Not compared");
        out += &format!("<ul>\n{items}</ul>\n");
    }
    out += "</section>\n";
    out
}

fn hop(hop: Option<&SeenHop>) -> String {
    hop.map_or_else(
        || "no such packet there".to_owned(),
        // Its line names the place.
        |hop| hop.frame.to_string(),
    )
}

fn fields(row: &HopRow) -> String {
    let fields: Vec<String> =
        row.fields.iter().map(|(name, [a, b])| format!("{name}: {a}, {b}")).collect();
    fields.join("; ")
}

fn step_name(step: &StepComparison) -> String {
    let [first, second] = &step.names;
    if first == second { first.clone() } else { format!("{first} and {second}") }
}

fn first_hop(about: &ComparedRuns<'_>, step: &StepComparison, row: &HopRow) -> String {
    let title = format!("First different hop, in step {}", step_name(step));
    let mut body = element("h3", "", title);
    for (name, seen) in about.names.iter().zip(&row.hops) {
        body += &element("p", "", format!("{name}: {}", hop(seen.as_ref())));
    }
    if !row.fields.is_empty() {
        body += &element("p", "", fields(row));
    }
    format!("<div class=\"cause\">\n{body}</div>\n")
}

/// The way of the step's first packet in both runs.
fn pictures(about: &ComparedRuns<'_>, step: &StepComparison, id: &str) -> String {
    let mut columns = String::new();
    for (run, kept) in about.runs.iter().enumerate() {
        let of_step = kept.saved.steps.iter().find(|one| one.name == step.names[run]);
        let drawn = kept.lab.as_ref().zip(of_step).and_then(|(lab, step)| {
            let way = step_way(lab, &kept.saved, step)?;
            let prefix = format!("{id}-{run}-");
            let options = SvgOptions { prefix: &prefix, is_file: false };
            Some(way_svg(lab, &Layout::new(lab), &way, None, options))
        });
        let drawn =
            drawn.unwrap_or_else(|| element("p", "quiet", "There is no picture of this run."));
        let name = element("h4", "", &about.names[run]);
        let _ = writeln!(columns, "<div tabindex=\"0\">{name}{drawn}</div>");
    }
    format!("<h3>The first packet of the step</h3>\n<div class=\"pair\">\n{columns}</div>\n")
}

/// The places of a step's packets, the first different one marked.
fn of_step(about: &ComparedRuns<'_>, step: &StepComparison) -> String {
    let [first, second] = about.names;
    let mut rows = String::new();
    for (place, row) in step.rows.iter().enumerate() {
        let is_first = step.first == Some(place);
        let word = match (row.is_same(), is_first) {
            (true, _) => "same",
            (false, true) => "first different hop",
            (false, false) => "different",
        };
        let way = if row.is_answer { "answer" } else { "request" };
        let cells = [
            word.to_owned(),
            way.to_owned(),
            hop(row.hops[0].as_ref()),
            hop(row.hops[1].as_ref()),
            fields(row),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", xml(cell))).collect();
        let class = if is_first { " class=\"parts\"" } else { "" };
        let _ = writeln!(rows, "<tr{class}>{cells}</tr>");
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads: String = ["", "way", first, second, "what differs"]
        .iter()
        .map(|head| format!("<th scope=\"col\">{}</th>", xml(head)))
        .collect();
    let mut body = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\
         </table></div>\n"
    );
    if step.more > 0 {
        body +=
            &element("p", "quiet", format!("and {} more places, before or after these", step.more));
    }
    let same = step.same;
    let all = step.rows.len() + step.more;
    let title = format!("Step {}: the same at {same} of {all} places", step_name(step));
    details(&title, step.first.is_some(), &body)
}

/// Everything but the configuration and the hops.
fn rest(about: &ComparedRuns<'_>, found: &Comparison) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut frames = String::new();
    for difference in &found.differences {
        match difference {
            Difference::Configuration { .. } => {}
            Difference::Outcome([a, b]) => {
                rows.push(vec!["outcome".to_owned(), a.clone(), b.clone()]);
            }
            Difference::Expectation { name, held } => {
                let [a, b] = held.map(|held| match held {
                    Some(true) => "held",
                    Some(false) => "did not hold",
                    None => "was not judged",
                });
                rows.push(vec![format!("expectation {name}"), a.to_owned(), b.to_owned()]);
            }
            Difference::Lost { node, frames: [a, b] } => {
                rows.push(vec![
                    format!("frames that {node}'s capture lost"),
                    a.to_string(),
                    b.to_string(),
                ]);
            }
            Difference::Point { point, only } => {
                let has = |side| if *only == side { "is there" } else { "is not there" };
                let [a, b] =
                    [labsim_verdict::compare::Side::First, labsim_verdict::compare::Side::Second];
                rows.push(vec![
                    format!("capture point {point}"),
                    has(a).to_owned(),
                    has(b).to_owned(),
                ]);
            }
            Difference::Counter { node, device, counter, rose: [a, b] } => {
                let device = device.as_ref().map(|it| format!(":{it}")).unwrap_or_default();
                rows.push(vec![
                    format!("{node}{device} {counter}"),
                    format!("+{a}"),
                    format!("+{b}"),
                ]);
            }
            Difference::Frames { point, rows, more } => {
                let seen = |frame: &Option<labsim_verdict::compare::SeenFrame>| {
                    frame.as_ref().map_or_else(|| "no such frame".to_owned(), ToString::to_string)
                };
                let shown: Vec<Vec<String>> = rows
                    .iter()
                    .take(ROWS)
                    .map(|row| vec![seen(&row.frames[0]), seen(&row.frames[1])])
                    .collect();
                let heads = [about.names[0].as_str(), about.names[1].as_str()];
                let more =
                    if *more > 0 { format!(", {more} more are not shown") } else { String::new() };
                frames += &details(
                    &format!("{point}: frames differ{more}"),
                    false,
                    &table("", &heads, &shown),
                );
            }
        }
    }
    let heads = ["what", about.names[0].as_str(), about.names[1].as_str()];
    table("Other differences", &heads, &rows) + &frames
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
