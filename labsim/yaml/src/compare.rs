//! What two documents differ in, below given keys.

use crate::document::Document;
use crate::path;
use crate::scalar::is_null;
use crate::show::quoted;
use crate::source::visible;
use crate::tree::{Kind, NodeId, Tree};

/// A value that two documents do not have alike. Lists are compared as a whole, maps key by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The keys that lead to it from the root.
    pub keys: Vec<String>,
    /// The value in the first document, on one line; `None` if it is not there.
    pub was: Option<String>,
    /// The same in the second one.
    pub is: Option<String>,
}

/// A document, with the names of entries whose scalars are shown as `***`, as all below them.
#[derive(Clone, Copy)]
struct Side<'a> {
    tree: Option<&'a Tree>,
    hidden: &'a [&'a str],
}

impl Document {
    /// What `now` differs in from this document, at or below `keys`. Scalars at or below an entry that
    /// `hidden` names are shown as `***`.
    #[must_use]
    pub fn differences(&self, now: &Self, keys: &[&str], hidden: &[&str]) -> Vec<Difference> {
        let sides = [self, now].map(|document| Side { tree: document.tree(), hidden });
        let mut found = Vec::new();
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        compare(sides, keys, &mut found);
        found
    }
}

fn compare(sides: [Side<'_>; 2], keys: Vec<String>, found: &mut Vec<Difference>) {
    let nodes = sides.map(|side| side.node(&keys));
    let maps = [(sides[0], nodes[0]), (sides[1], nodes[1])].map(|(side, node)| side.keys(node));
    match maps {
        // A map that is not there has no keys.
        [was, is]
            if (was.is_some() || nodes[0].is_none()) && (is.is_some() || nodes[1].is_none()) =>
        {
            let mut all = was.unwrap_or_default();
            for key in is.unwrap_or_default() {
                if !all.contains(&key) {
                    all.push(key);
                }
            }
            // One that has none in both may be in one of them only.
            if all.is_empty() && nodes[0].is_some() != nodes[1].is_some() {
                found.push(difference(sides, nodes, keys));
                return;
            }
            for key in all {
                let below = keys.iter().map(String::as_str).chain([key]);
                compare(sides, below.map(str::to_owned).collect(), found);
            }
        }
        _ if !alike(sides, nodes) => found.push(difference(sides, nodes, keys)),
        _ => {}
    }
}

fn difference(sides: [Side<'_>; 2], nodes: [Option<NodeId>; 2], keys: Vec<String>) -> Difference {
    let is_hidden = |side: Side<'_>| keys.iter().any(|key| side.hidden.contains(&key.as_str()));
    let show = |at: usize| {
        let (side, node) = (sides[at], nodes[at]?);
        let mut text = String::new();
        write(side, side.tree?, node, is_hidden(side), &mut text);
        Some(text)
    };
    let (was, is) = (show(0), show(1));
    Difference { keys, was, is }
}

fn alike(sides: [Side<'_>; 2], nodes: [Option<NodeId>; 2]) -> bool {
    match (sides.map(|side| side.tree), nodes) {
        ([Some(first), Some(second)], [Some(a), Some(b)]) => same((first, a), (second, b)),
        (_, [None, None]) => true,
        _ => false,
    }
}

fn same((first, a): (&Tree, NodeId), (second, b): (&Tree, NodeId)) -> bool {
    match (first.kind(a), second.kind(b)) {
        (Kind::Scalar { text, plain }, Kind::Scalar { text: other, plain: other_plain }) => {
            // A quoted `null` is a text.
            text == other && (plain == other_plain || !is_null(text))
        }
        (Kind::List(items), Kind::List(others)) => {
            let mut pairs = items.iter().zip(others);
            items.len() == others.len() && pairs.all(|(a, b)| same((first, *a), (second, *b)))
        }
        (Kind::Map(entries), Kind::Map(others)) => {
            let has = |(key, value): &(NodeId, NodeId)| {
                let key = first.text(*key);
                let other = others.iter().find(|(other, _)| second.text(*other) == key);
                other.is_some_and(|(_, other)| same((first, *value), (second, *other)))
            };
            entries.len() == others.len() && entries.iter().all(has)
        }
        (Kind::Nothing, Kind::Nothing) => true,
        _ => false,
    }
}

impl<'a> Side<'a> {
    fn node(self, keys: &[String]) -> Option<NodeId> {
        path::node(self.tree?, keys)
    }

    /// The keys of a map.
    fn keys(self, node: Option<NodeId>) -> Option<Vec<&'a str>> {
        let tree = self.tree?;
        match tree.kind(node?) {
            Kind::Map(entries) => Some(entries.iter().map(|(key, _)| tree.text(*key)).collect()),
            _ => None,
        }
    }
}

/// A value in flow style: `{ratio: 2, profile: gre}`.
fn write(side: Side<'_>, tree: &Tree, node: NodeId, is_hidden: bool, text: &mut String) {
    match tree.kind(node) {
        Kind::Map(entries) => {
            for (place, (key, value)) in entries.iter().enumerate() {
                text.push_str(if place == 0 { "{" } else { ", " });
                let key = tree.text(*key);
                text.push_str(&scalar(key, true));
                text.push_str(": ");
                write(side, tree, *value, is_hidden || side.hidden.contains(&key), text);
            }
            text.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
        Kind::List(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                write(side, tree, *item, is_hidden, text);
            }
            text.push(']');
        }
        Kind::Scalar { .. } if is_hidden => text.push_str("***"),
        Kind::Scalar { text: value, plain } => text.push_str(&scalar(value, *plain)),
        Kind::Nothing | Kind::Broken => text.push_str("null"),
    }
}

fn scalar(text: &str, plain: bool) -> String {
    let is_visible = text.chars().all(|c| visible(c) == c && c != '\n');
    if plain && is_visible { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use crate::{Document, Source};

    fn differences(was: &str, is: &str) -> Vec<String> {
        let [was, is] = [was, is].map(|text| Document::parse(Source::new("x", text)));
        let found = was.differences(&is, &["a"], &["secret"]).into_iter();
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        found
            .map(|it| format!("{}: {} > {}", it.keys.join("."), show(it.was), show(it.is)))
            .collect()
    }

    #[test]
    fn values_are_compared_key_by_key_and_lists_as_a_whole() {
        let was = "a: {b: 1, c: [1, 2], d: {e: x, f: y}, g: same}\nz: 1\n";
        let is = "a: {g: same, b: '1', c: [2, 1], d: {e: x, h: [{i: 1}]}}\nz: 2\n";
        assert_eq!(
            differences(was, is),
            ["a.c: [1, 2] > [2, 1]", "a.d.f: y > -", "a.d.h: - > [{i: 1}]"]
        );
        assert_eq!(differences(was, was), [""; 0]);
    }

    #[test]
    fn what_is_not_there_at_all_is_named_by_its_keys() {
        assert_eq!(differences("z: 1", "a: {b: {c: 1}}"), ["a.b.c: - > 1"]);
        assert_eq!(differences("a: [1]", "z: 1"), ["a: [1] > -"]);
        assert_eq!(differences("a: {b: {}}", "a: {}"), ["a.b: {} > -"]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let (was, is) = ("a: {secret: x, l: [{secret: y}]}", "a: {secret: y, l: [{secret: z}]}");
        assert_eq!(
            differences(was, is),
            ["a.secret: *** > ***", "a.l: [{secret: ***}] > [{secret: ***}]"]
        );
    }
}
