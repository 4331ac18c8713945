//! Selects the scenarios of a run by names and filter expressions, and lists them.

use crate::args::{ListFormat, Run};
use crate::discover::{self, FoundScenario};
use crate::exit::Exit;
use crate::output;
use labsim_selection::{Candidate, Filter, NamePattern, Selection};
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that is searched if only names are given.
const DEFAULT_FOLDER: &str = "scenarios";
/// How similar a name is to be suggested (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;
/// Tags begin in this column at the earliest.
const TAG_COLUMN: usize = 24;

/// The scenarios that are to run.
pub(crate) struct Selected {
    pub(crate) scenarios: Vec<FoundScenario>,
    /// How many others were found.
    pub(crate) not_selected: usize,
}

/// Finds the scenarios of the command line and selects those that are to run.
///
/// # Errors
/// The messages have been printed: a path, a name or an expression is wrong, or nothing is selected.
pub(crate) fn select(args: &Run) -> Result<Selected, Exit> {
    let fail = |messages: Vec<String>| {
        messages.into_iter().for_each(output::error);
        Exit::Invalid
    };
    let (paths, selection) = read(args).map_err(fail)?;
    let found = discover::scenarios(&paths)?;
    let candidates: Vec<Candidate<'_>> = found.iter().map(FoundScenario::as_candidate).collect();
    let unmatched = selection.unmatched_names(&candidates);
    let unmatched: Vec<String> = unmatched.map(|name| unknown_name(name, &candidates)).collect();
    if !unmatched.is_empty() {
        return Err(fail(unmatched));
    }
    let selects: Vec<bool> = candidates.iter().map(|it| selection.selects(it)).collect();
    let all = found.len();
    let scenarios: Vec<FoundScenario> =
        found.into_iter().zip(selects).filter_map(|(it, selects)| selects.then_some(it)).collect();
    if scenarios.is_empty() {
        let found = if all == 1 { "the one scenario".into() } else { format!("{all} scenarios") };
        return Err(fail(vec![format!(
            "nothing is selected: {found} found, and none matches; `--list` without filters lists \
             them"
        )]));
    }
    Ok(Selected { not_selected: all - scenarios.len(), scenarios })
}

/// The paths to search, and what selects.
fn read(args: &Run) -> Result<(Vec<PathBuf>, Selection), Vec<String>> {
    let mut errors = Vec::new();
    let (mut paths, mut names) = (Vec::new(), Vec::new());
    for argument in &args.arguments {
        match name_of(argument) {
            None => paths.push(PathBuf::from(argument)),
            Some(name) => match NamePattern::new(name) {
                Ok(pattern) => names.push(pattern),
                Err(error) => errors.push(format!("`{}`: {error}", name.escape_debug())),
            },
        }
    }
    if paths.is_empty() {
        if Path::new(DEFAULT_FOLDER).is_dir() {
            paths.push(DEFAULT_FOLDER.into());
        } else if errors.is_empty() {
            let names: Vec<String> =
                names.iter().map(|name| format!("`{}`", name.text().escape_debug())).collect();
            errors.push(format!(
                "{}: no such file or folder, and there is no folder `{DEFAULT_FOLDER}` here in which \
                 it can be the name of a scenario; name a file, or a folder and a name",
                names.join(", ")
            ));
        }
    }
    let mut filters = |option: &str, texts: &[String]| -> Vec<Filter> {
        let read = texts.iter().filter_map(|text| {
            let filter = text.parse();
            filter.map_err(|error| errors.push(format!("{option}: {error}"))).ok()
        });
        read.collect()
    };
    let selection = Selection {
        names,
        filters: filters("-E", &args.selection.filters),
        skips: filters("--skip", &args.selection.skips),
    };
    if errors.is_empty() { Ok((paths, selection)) } else { Err(errors) }
}

/// The argument as the name of a scenario, unless it is a path.
fn name_of(argument: &OsString) -> Option<&str> {
    let text = argument.to_str()?;
    let is_path = Path::new(argument).symlink_metadata().is_ok()
        || text.contains('/')
        || [".yaml", ".yml"].iter().any(|ending| text.ends_with(ending))
        || text.is_empty();
    (!is_path).then_some(text)
}

fn unknown_name(name: &str, candidates: &[Candidate<'_>]) -> String {
    let scored = candidates.iter().map(|it| (strsim::jaro_winkler(it.name, name), it.name));
    let similar = scored.filter(|(score, _)| *score >= SIMILAR);
    let remedy = match similar.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((_, known)) => format!("did you mean `{}`?", known.escape_debug()),
        None => "`--list` lists the names".to_owned(),
    };
    let name = name.escape_debug();
    format!("`{name}` is neither a file nor a folder, and no scenario has this name; {remedy}")
}

/// Prints the selected scenarios.
pub(crate) fn list(selected: &[FoundScenario], format: ListFormat) {
    match format {
        ListFormat::Text => {
            let longest = selected.iter().map(|scenario| scenario.id.len()).max();
            let width = longest.unwrap_or_default().max(TAG_COLUMN);
            for FoundScenario { id, read, .. } in selected {
                let tags = match read {
                    Ok(summary) => summary.tags.join(" "),
                    Err(_) => "(not valid)".to_owned(),
                };
                let line = format!("{id:width$}  {tags}");
                output::line(line.trim_end());
            }
        }
        ListFormat::Json => {
            let entries = selected.iter().map(|scenario| {
                let candidate = scenario.as_candidate();
                json!({
                    "id": candidate.id,
                    "name": candidate.name,
                    "file": candidate.file,
                    "tags": candidate.tags,
                    "valid": scenario.read.is_ok(),
                })
            });
            let entries: Vec<serde_json::Value> = entries.collect();
            output::line(format_args!("{:#}", serde_json::Value::Array(entries)));
        }
    }
}
