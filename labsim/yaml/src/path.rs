//! A value, and its place, by the keys that lead to it.

use crate::Span;
use crate::tree::{Kind, NodeId, Tree};

/// The place of the value that `keys` lead to from the root, an item of a list by its number from
/// 0; or of the innermost value on the way that the document has.
pub(crate) fn find(tree: &Tree, keys: &[impl AsRef<str>]) -> Span {
    let mut here = Tree::ROOT;
    for wanted in keys.iter().map(AsRef::as_ref) {
        match below(tree, here, wanted) {
            Some(next) => here = next,
            None => break,
        }
    }
    tree.span(here)
}

/// The value that `keys` lead to from the root, if the document has it.
pub(crate) fn node(tree: &Tree, keys: &[impl AsRef<str>]) -> Option<NodeId> {
    keys.iter().try_fold(Tree::ROOT, |here, wanted| below(tree, here, wanted.as_ref()))
}

fn below(tree: &Tree, here: NodeId, wanted: &str) -> Option<NodeId> {
    match tree.kind(here) {
        Kind::Map(entries) => {
            entries.iter().find(|(key, _)| tree.text(*key) == wanted).map(|(_, value)| *value)
        }
        Kind::List(items) => wanted.parse().ok().and_then(|n: usize| items.get(n).copied()),
        _ => None,
    }
}
