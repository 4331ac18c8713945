//! `labsim compare`.

use crate::exit::Exit;
use crate::{args, load, output};
use labsim_page::{ComparedRuns, ComparisonPage};
use labsim_report::{ComparisonText, KeptRun, ResultsReader};
use std::collections::BTreeSet;

/// How many scenarios there are of each kind.
#[derive(Default)]
struct Counts {
    errors: usize,
    same: usize,
    different: usize,
    skipped: usize,
}

/// Compares two folders of results, scenario by scenario, or two scenarios.
pub(crate) fn compare(args: &args::Compare) -> Exit {
    // Found before anything is read.
    let mut page = match args.html.as_ref().map(|path| ComparisonPage::open(path)).transpose() {
        Ok(page) => page,
        Err(error) => return reject(error),
    };
    let opened = [&args.first, &args.second].map(|dir| ResultsReader::open(dir));
    let folders = match opened {
        [Ok(first), Ok(second)] => [first, second],
        opened => {
            opened.into_iter().filter_map(Result::err).for_each(output::error);
            return Exit::Invalid;
        }
    };
    let mut counts = Counts::default();
    if folders.iter().any(ResultsReader::is_scenario) {
        let names = match one_of_each(&folders) {
            Ok(names) => names,
            Err(reason) => return reject(reason),
        };
        let shown = [&args.first, &args.second].map(|dir| dir.as_path());
        pair(&folders, names, &ComparisonText::new(shown), &mut counts, page.as_mut());
    } else {
        let text = ComparisonText::new([folders[0].dir(), folders[1].dir()]);
        let scenarios: BTreeSet<&String> = folders.iter().flat_map(ResultsReader::names).collect();
        for scenario in scenarios {
            let present = [0, 1].map(|run| folders[run].names().contains(scenario));
            if let Some(run) = present.iter().position(|present| !present) {
                let (name, reason) = (scenario.escape_debug(), format!("not in {}", text.0[run]));
                output::line(format_args!("DIFFERENT {name}\n  {reason}"));
                if let Some(page) = page.as_mut() {
                    page.note(scenario, ComparisonPage::DIFFERENT, &[reason]);
                }
                counts.different += 1;
                continue;
            }
            pair(&folders, [scenario, scenario], &text, &mut counts, page.as_mut());
        }
    }
    if let Some(Err(error)) = page.map(ComparisonPage::finish) {
        return reject(error);
    }
    let Counts { errors, same, different, skipped } = counts;
    if errors > 0 {
        output::error(load::error_count(errors));
        return Exit::Invalid;
    }
    output::line(format_args!("{same} the same, {different} different, {skipped} skipped in both"));
    match (different, same) {
        (1.., _) => Exit::Failed,
        (0, 0) => {
            output::error("no scenario ran in both; run them where they are not skipped");
            Exit::Invalid
        }
        _ => Exit::Success,
    }
}

fn reject(error: impl std::fmt::Display) -> Exit {
    output::error(error);
    Exit::Invalid
}

/// The scenario of each folder, if one of them is a scenario's own: the same one in the other, or the only
/// one there.
fn one_of_each(folders: &[ResultsReader; 2]) -> Result<[&String; 2], String> {
    let of = |run: usize| {
        let (own, other) = (&folders[run], &folders[1 - run]);
        let [only] = own.names() else {
            let wanted = other.names().first().map(|name| other.scenario(name)).unwrap_or_default();
            return find(own.names(), &wanted).map_err(|problem| {
                let (dir, wanted) = (own.dir().display(), wanted.escape_debug());
                format!("{dir}: {problem} {wanted}; name the folder of one of them")
            });
        };
        Ok(only)
    };
    Ok([of(0)?, of(1)?])
}

/// The name that is the wanted one, or the only one that may be of the same scenario.
fn find<'a>(names: &'a [String], wanted: &str) -> Result<&'a String, String> {
    if let Some(exact) = names.iter().find(|name| *name == wanted) {
        return Ok(exact);
    }
    let alike: Vec<&String> = names.iter().filter(|name| is_same_path(name, wanted)).collect();
    match alike.as_slice() {
        [only] => Ok(only),
        [] => Err(format!("none of its {} scenarios is called", names.len())),
        all => Err(format!("{} of its scenarios may be", all.len())),
    }
}

/// Whether both may name one scenario: a name begins at the folder that was named to `labsim run`, so
/// that one may have more folders in front.
fn is_same_path(one: &str, other: &str) -> bool {
    let is_end = |long: &str, end: &str| {
        long.strip_suffix(end).is_some_and(|front| front.is_empty() || front.ends_with('/'))
    };
    is_end(one, other) || is_end(other, one)
}

/// Compares two scenarios and tells what differs.
fn pair(
    folders: &[ResultsReader; 2],
    names: [&String; 2],
    text: &ComparisonText,
    counts: &mut Counts,
    page: Option<&mut ComparisonPage>,
) {
    let kept: [KeptRun; 2] = match [0, 1].map(|run| folders[run].read_kept(names[run])) {
        [Ok(first), Ok(second)] => [first, second],
        read => {
            let errors = read.into_iter().filter_map(Result::err).flatten();
            let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
            counts.errors += errors.len();
            errors.iter().for_each(output::error);
            if let Some(page) = page {
                page.note(names[0], ComparisonPage::UNREADABLE, &errors);
            }
            return;
        }
    };
    let runs = [&kept[0].saved, &kept[1].saved];
    if runs.iter().all(|run| run.outcome == "skipped") {
        output::line(format_args!("SKIPPED {}\n    in both", names[0].escape_debug()));
        if let Some(page) = page {
            page.note(names[0], ComparisonPage::SKIPPED, &[]);
        }
        counts.skipped += 1;
        return;
    }
    // A repeated scenario has a number behind its name.
    let base = |name: &'_ str| name.split('#').next().unwrap_or(name).to_owned();
    let [first, second] = [0, 1].map(|run| base(&folders[run].scenario(names[run])));
    let is_one = is_same_path(&first, &second);
    // A scenario's own folder has less of the name.
    let is_fuller = is_same_path(names[0], names[1]) && names[1].len() > names[0].len();
    let fuller = names[usize::from(is_fuller)];
    let comparison = match is_one {
        true => labsim_verdict::compare::compare(runs[0], runs[1]),
        false => labsim_verdict::compare::compare_others(runs[0], runs[1]),
    };
    let is_same = comparison.differences.is_empty() && comparison.first_hop().is_none();
    output::text(match is_one {
        true => text.describe(fuller, &comparison),
        false => text.describe_others(&comparison),
    });
    if is_same {
        counts.same += 1;
    } else {
        counts.different += 1;
    }
    if let Some(page) = page {
        let title = if is_one { fuller.clone() } else { format!("{} and {}", names[0], names[1]) };
        let about = ComparedRuns { title: &title, names: &text.0, runs: &kept, is_one };
        page.add(&about, &comparison);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_scenario_is_found_by_its_whole_name_or_by_the_only_one_that_ends_like_it() {
        let names = ["ipv6/t", "t", "v4/t", "x/long/u"].map(str::to_owned);
        for (wanted, found) in
            [("t", "t"), ("v4/t", "v4/t"), ("u", "x/long/u"), ("long/u", "x/long/u"), ("b/t", "t")]
        {
            assert_eq!(find(&names, wanted).unwrap(), found, "{wanted}");
        }
        assert_eq!(find(&names, "g/u").unwrap_err(), "none of its 4 scenarios is called");
        let names = ["ipv6/t", "v4/t"].map(str::to_owned);
        assert_eq!(find(&names, "t").unwrap_err(), "2 of its scenarios may be");
    }

    #[test]
    fn names_in_different_folders_are_of_different_scenarios() {
        assert!(is_same_path("ipv6/t", "t") && is_same_path("t", "t"));
        for (one, other) in [("ipv6/t", "v4/t"), ("xt", "t"), ("ipv6/t", "ipv6/u")] {
            assert!(!is_same_path(one, other), "{one} {other}");
        }
    }
}
