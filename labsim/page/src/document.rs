//! The whole page.

use crate::data::headers;
use crate::details::Details;
use crate::html::{element, lean};
use crate::packed::packed;
use crate::scenario::{configuration_title, outcome, scenario_data, section};
use crate::script::{SCRIPT, SCRIPT_HASH, script_data};
use crate::style::{HASHES, STYLE};
use labsim_picture::xml;
use labsim_report::{RunDocument, ScenarioResult};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Pages of more scenarios have the configurations packed.
const FEW: usize = 20;

/// Writes a run as HTML. `details` are those of the scenarios, in their order; `with_secrets` says what their
/// configurations have.
pub(crate) fn page(document: &RunDocument, details: &[Details], with_secrets: bool) -> String {
    let [own, pictures, ways] = HASHES;
    let title = title(document);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{own}' 'sha256-{pictures}' 'sha256-{ways}'; script-src 'sha256-{SCRIPT_HASH}'; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<style>{}</style>\n<style>{}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n",
        labsim_picture::style(),
        labsim_picture::way_style(),
        title = xml(&title)
    );
    let mut about = format!("labsim {}", document.version);
    if let Some(started) = &document.started {
        let _ = write!(about, ", begun {started}");
    }
    if !document.rights.is_empty() {
        let _ = write!(about, ", as {}", document.rights);
    }
    out += &element("p", "quiet", about);
    // What needs a look comes first.
    let mut order: Vec<(usize, &ScenarioResult)> = document.scenarios.iter().enumerate().collect();
    order.sort_by_key(|(_, scenario)| match outcome(scenario).1 {
        "failed" => 0,
        "undecided" => 1,
        _ => 2,
    });
    if order.len() > 1 {
        out += &overview(&order);
    }
    let first = order.first().map(|(place, _)| *place);
    let none = Details::default();
    let mut data = String::new();
    let heading = configuration_title(with_secrets);
    // No scenario has the name of the heading.
    let mut packed_configurations = BTreeMap::from([("title".to_owned(), heading)]);
    let is_packed = order.len() > FEW;
    for (place, scenario) in order {
        let more = details.get(place).unwrap_or(&none);
        let id = format!("s{place}");
        let configuration = more.configuration.as_deref();
        let shown = configuration.filter(|_| !is_packed).map(|yaml| (heading, yaml));
        out += &lean(&section(scenario, more, shown, &id, Some(place) == first));
        if let Some(configuration) = configuration.filter(|_| is_packed) {
            packed_configurations.insert(id.clone(), configuration);
        }
        data += &scenario_data(scenario, more, &id);
    }
    out.push_str("</main>\n");
    out += &data;
    if is_packed {
        let json = serde_json::json!(packed_configurations).to_string();
        let json = serde_json::json!(packed(json.as_bytes())).to_string();
        out += &script_data("configurations", &json);
    }
    out += &script_data("headers", &headers());
    let _ = write!(out, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn title(document: &RunDocument) -> String {
    if let [scenario] = document.scenarios.as_slice() {
        return format!("{} {}", outcome(scenario).0, scenario.id.name);
    }
    let mut words: Vec<(&str, usize)> = Vec::new();
    for scenario in &document.scenarios {
        let word = outcome(scenario).0;
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => words.push((word, 1)),
        }
    }
    let words: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    words.join(", ")
}

/// Every scenario in a line, with a link to its part.
fn overview(order: &[(usize, &ScenarioResult)]) -> String {
    let mut rows = String::new();
    for (place, scenario) in order {
        let (word, class) = outcome(scenario);
        let cause = scenario.first_cause().map(|cause| cause.sentence.as_str());
        let failed = scenario.expectations.iter().find(|result| !result.passed);
        let failed = failed.map(|result| result.sentence.as_str());
        let why = scenario.reason.as_deref().or(cause).or(failed).unwrap_or_default();
        let why = if class == "passed" { "" } else { why };
        let _ = writeln!(
            rows,
            "<tr><td class=\"{class}\">{word}</td><td><a href=\"#s{place}\">{}</a></td><td>{}</td></tr>",
            xml(&scenario.id.name),
            xml(why)
        );
    }
    format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>Scenarios</caption>\n<thead><tr><th scope=\"col\">result</th>\
         <th scope=\"col\">scenario</th><th scope=\"col\">why</th></tr></thead>\n<tbody>\n{rows}</tbody>\
         </table></div>\n"
    )
}
