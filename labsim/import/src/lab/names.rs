//! Names for nodes, steps and files, made of what a configuration calls things.

use std::collections::BTreeSet;
use std::path::Path;

/// Longest name of a node, a step and a scenario in labsim.
const NODE: usize = 63;
const STEP: usize = 60;
const SCENARIO: usize = 100;
/// Nodes that every lab has, and the word for the server that answered.
const TAKEN: [&str; 4] = ["client", "router", "lb", "real_server"];
/// YAML's word for nothing, in any case.
const NULL: &str = "null";

/// Names for the real servers: their own, as far as a node can have it, each once; `rs1`, `rs2`, …
/// for those that have none.
pub(super) fn nodes<'a>(wanted: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let has_word = |name: &&str| name.bytes().any(|byte| byte.is_ascii_alphanumeric());
    let wanted: Vec<Option<String>> =
        wanted.map(|name| name.filter(has_word).map(|name| sanitize(name, usize::MAX))).collect();
    let mut taken: BTreeSet<String> = TAKEN.map(str::to_owned).into();
    // Names that servers bring along go before those that are made up.
    let own: Vec<Option<String>> = wanted
        .into_iter()
        .map(|name| name.map(|name| unique_within(&name, NODE, &mut taken)))
        .collect();
    let mut number = 0;
    let mut made_up = move || {
        loop {
            number += 1;
            let name = format!("rs{number}");
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    own.into_iter().map(|name| name.unwrap_or_else(&mut made_up)).collect()
}

/// A name that is not taken yet, of `longest` bytes at most: what is too long is cut in its middle,
/// as the ends of names tell servers apart, and what is taken has a number behind it.
fn unique_within(name: &str, longest: usize, taken: &mut BTreeSet<String>) -> String {
    let suffixes = std::iter::once(String::new()).chain((2..).map(|number| format!("_{number}")));
    let mut names = suffixes.map(|suffix| {
        let short = cut_middle(name, longest.saturating_sub(suffix.len()));
        format!("{short}{suffix}")
    });
    names.find(|name| taken.insert(name.clone())).unwrap_or_default()
}

/// A sanitized name without its middle, if it is longer than that.
fn cut_middle(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let kept = longest.saturating_sub(2);
    let (head, tail) = (kept - kept / 2, kept / 2);
    let (head, tail) = (name.get(..head), name.get(name.len() - tail..));
    format!("{}..{}", head.unwrap_or_default(), tail.unwrap_or_default())
}

/// Names for steps, from virtual servers' names and what their exchanges are called: the latter for the only
/// one, else after the virtual servers.
pub(super) fn steps(virtuals: &[(&str, &str)]) -> Vec<String> {
    if let [(_, exchange)] = virtuals {
        return vec![(*exchange).to_owned()];
    }
    let mut taken = BTreeSet::new();
    let names = virtuals.iter().map(|(name, _)| unique(sanitize(name, STEP - 6), &mut taken));
    names.collect()
}

/// A name that is not taken yet: this one, or with a number behind it.
fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut unique = name.clone();
    let mut number = 1;
    while !taken.insert(unique.clone()) {
        number += 1;
        unique = format!("{name}_{number}");
    }
    unique
}

/// The scenario's name, after a file.
pub(crate) fn scenario(file: &str) -> String {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = sanitize(stem, SCENARIO);
    // The topology's file stands beside it.
    if name == super::TOPOLOGY { "imported".to_owned() } else { name }
}

fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The text with whatever a name cannot hold made `_`.
fn sanitize(text: &str, longest: usize) -> String {
    let sanitize: String = text
        .trim_start_matches(|first: char| !first.is_ascii_alphanumeric())
        .chars()
        .map(|one| if is_name(&format!("a{one}")) { one } else { '_' })
        .take(longest)
        .collect();
    match sanitize.as_str() {
        "" => "imported".to_owned(),
        null if null.eq_ignore_ascii_case(NULL) => format!("{null}_"),
        _ => sanitize,
    }
}

/// A virtual server's or a pool's name as labsim takes it: no control characters, 255 bytes, and
/// none twice.
pub(super) fn objects<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const LONGEST: usize = 240;
    let mut taken = BTreeSet::new();
    let names = names.map(|name| {
        let mut plain = String::new();
        for one in name.chars() {
            if plain.len() + one.len_utf8() > LONGEST {
                break;
            }
            plain.push(if labsim_model::is_plain(one) { one } else { '_' });
        }
        if plain.is_empty() {
            plain.push('_');
        }
        unique(plain, &mut taken)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::{nodes, objects, scenario, steps};

    #[test]
    fn servers_keep_their_names_as_far_as_a_node_can_have_them() {
        let wanted = [
            Some("aaa-1"),
            None,
            Some("rs1"),
            Some("aaa-1"),
            Some("4c2a1_10_20_0_82"),
            Some("a server/1"),
            Some("client"),
            Some("-x"),
            Some("Null"),
            Some("é"),
        ];
        assert_eq!(
            nodes(wanted.into_iter()),
            [
                "aaa-1",
                "rs2",
                "rs1",
                "aaa-1_2",
                "4c2a1_10_20_0_82",
                "a_server_1",
                "client_2",
                "x",
                "Null_",
                "rs3"
            ]
        );
    }

    #[test]
    fn a_name_of_more_than_63_bytes_loses_its_middle_and_stays_unique() {
        let long = |end: &str| format!("{}{end}", "n".repeat(70));
        let (first, second) = (long("-1"), long("-2"));
        let names = nodes([Some(&*first), Some(&*second), Some(&*first)].into_iter());
        assert!(names.iter().all(|name| name.len() == 63), "{names:?}");
        assert!(names[0].ends_with("n-1") && names[0].contains("n..n"), "{names:?}");
        assert!(names[1].ends_with("n-2") && names[2].ends_with("n-1_2"), "{names:?}");
        let whole = "n".repeat(63);
        assert_eq!(nodes([Some(&*whole)].into_iter()).concat(), whole);
    }

    #[test]
    fn steps_are_named_after_virtual_servers_where_there_are_several() {
        assert_eq!(steps(&[("/P/vs 1", "login")]), ["login"]);
        let several = ["/P/vs 1", "P_vs_1", "é"].map(|name| (name, "request"));
        assert_eq!(steps(&several), ["P_vs_1", "P_vs_1_2", "imported"]);
    }

    #[test]
    fn a_scenario_is_named_after_its_file() {
        for (file, name) in [
            ("/x/bigip.conf", "bigip"),
            ("<stdin>", "stdin_"),
            ("topology.conf", "imported"),
            ("", "imported"),
            ("a b.conf", "a_b"),
        ] {
            assert_eq!(scenario(file), name);
        }
    }

    #[test]
    fn objects_keep_their_names_but_for_what_no_terminal_should_see() {
        let long = "x".repeat(300);
        let names = objects(["vs", "vs", "a\u{1b}b", "", &long].into_iter());
        assert_eq!(names[..4], ["vs", "vs_2", "a_b", "_"]);
        assert_eq!(names[4].len(), 240);
    }
}
