//! Names for nodes, steps and files, made of what a configuration calls things.

use std::collections::BTreeSet;
use std::path::Path;

/// Longest name of a node (`IFNAMSIZ`, netdevice(7)), a step and a scenario in labsim.
const NODE: usize = 15;
const STEP: usize = 60;
const SCENARIO: usize = 100;
/// Nodes that every lab has, and the word for the server that answered.
const TAKEN: [&str; 4] = ["client", "router", "lb", "real_server"];
/// YAML's word for nothing, in any case.
const NULL: &str = "null";

/// Names for the real servers: their own where a node can have it, else `rs1`, `rs2`, …
pub(super) fn nodes<'a>(wanted: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let wanted: Vec<Option<&str>> = wanted.collect();
    let usable = |name: &&str| {
        is_name(name)
            && name.len() <= NODE
            && !TAKEN.contains(name)
            && !name.eq_ignore_ascii_case(NULL)
    };
    // Names that servers bring along go before those that are made up.
    let mut taken: BTreeSet<String> = wanted
        .iter()
        .flatten()
        .filter(|name| usable(name))
        .map(|name| (*name).to_owned())
        .collect();
    let (mut given, mut number) = (BTreeSet::new(), 0);
    let mut made_up = move || {
        loop {
            number += 1;
            let name = format!("rs{number}");
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    let names = wanted.into_iter().map(|name| match name.filter(usable) {
        Some(name) if given.insert(name) => name.to_owned(),
        _ => made_up(),
    });
    names.collect()
}

/// Names for steps: `login` for the only one, else after the virtual servers.
pub(super) fn steps(virtuals: &[&str]) -> Vec<String> {
    if virtuals.len() == 1 {
        return vec!["login".to_owned()];
    }
    let mut taken = BTreeSet::new();
    let names = virtuals.iter().map(|name| {
        let name = tame(name, STEP - 6);
        let mut unique = name.clone();
        let mut number = 1;
        while !taken.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    });
    names.collect()
}

/// The scenario's name, after a file.
pub(super) fn scenario(file: &str) -> String {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = tame(stem, SCENARIO);
    // The topology's file stands beside it.
    if name == super::TOPOLOGY { "imported".to_owned() } else { name }
}

fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The text with whatever a name cannot hold made `_`.
fn tame(text: &str, longest: usize) -> String {
    let tame: String = text
        .trim_start_matches(|first: char| !first.is_ascii_alphanumeric())
        .chars()
        .map(|one| if is_name(&format!("a{one}")) { one } else { '_' })
        .take(longest)
        .collect();
    if tame.is_empty() { "imported".to_owned() } else { tame }
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
            plain.push(if crate::text::is_plain(one) { one } else { '_' });
        }
        if plain.is_empty() {
            plain.push('_');
        }
        let mut unique = plain.clone();
        let mut number = 1;
        while !taken.insert(unique.clone()) {
            number += 1;
            unique = format!("{plain}_{number}");
        }
        unique
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::{nodes, objects, scenario, steps};

    #[test]
    fn servers_keep_the_names_that_a_node_can_have() {
        let wanted = [
            Some("aaa-1"),
            None,
            Some("rs1"),
            Some("aaa-1"),
            Some("a name that is too long"),
            Some("client"),
            Some("-x"),
            Some("Null"),
        ];
        assert_eq!(
            nodes(wanted.into_iter()),
            ["aaa-1", "rs2", "rs1", "rs3", "rs4", "rs5", "rs6", "rs7"]
        );
    }

    #[test]
    fn steps_are_named_after_virtual_servers_where_there_are_several() {
        assert_eq!(steps(&["/P/vs 1"]), ["login"]);
        assert_eq!(steps(&["/P/vs 1", "P_vs_1", "é"]), ["P_vs_1", "P_vs_1_2", "imported"]);
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
