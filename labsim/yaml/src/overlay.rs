//! One tree laid over another: mappings key by key, everything else as a whole.

use std::collections::HashMap;

use labsim_codes::file;

use crate::collector::Collector;
use crate::messages::quote;
use crate::scalar::is_null;
use crate::tree::{Kind, Node, NodeId, Tree};

/// Lays `over` on `base`. The key `own` of the base's document is left out: it belongs to each file
/// for itself. A key that `null` takes out must have been in the base, which is called `named`.
pub(crate) fn overlay(
    over: &Tree,
    base: &Tree,
    own: &str,
    named: &str,
    collector: &mut Collector,
) -> Tree {
    let mut overlay = Overlay { over, base, named, collector, nodes: Vec::new() };
    overlay.merge(Tree::ROOT, Tree::ROOT, Some(own));
    Tree { nodes: overlay.nodes }
}

struct Overlay<'a> {
    over: &'a Tree,
    base: &'a Tree,
    named: &'a str,
    collector: &'a mut Collector,
    nodes: Vec<Node>,
}

impl Overlay<'_> {
    fn merge(&mut self, over: NodeId, base: NodeId, own: Option<&str>) -> NodeId {
        let (upper, lower) = match (self.over.kind(over), self.base.kind(base)) {
            (Kind::Map(upper), Kind::Map(lower)) => (upper, lower),
            _ => return copy(&mut self.nodes, self.over, over),
        };
        let mut laid: HashMap<&str, (NodeId, NodeId)> =
            upper.iter().map(|(key, value)| (self.over.text(*key), (*key, *value))).collect();
        let id = self.nodes.len();
        self.nodes.push(Node { span: self.over.span(over), kind: Kind::Broken, last: id });
        let mut entries = Vec::with_capacity(upper.len() + lower.len());
        for (key, value) in lower {
            let text = self.base.text(*key);
            if own == Some(text) {
                continue;
            }
            match laid.remove(text) {
                None => {
                    let key = copy(&mut self.nodes, self.base, *key);
                    entries.push((key, copy(&mut self.nodes, self.base, *value)));
                }
                Some((_, value)) if takes_out(self.over, value) => {}
                Some((key, above)) => {
                    let key = copy(&mut self.nodes, self.over, key);
                    entries.push((key, self.merge(above, *value, None)));
                }
            }
        }
        for (key, value) in upper {
            let text = self.over.text(*key);
            if laid.remove(text).is_none() {
                continue;
            }
            if takes_out(self.over, *value) {
                let message = format!(
                    "`null` takes a key out, and {} has no {} here; take this line out",
                    self.named,
                    quote(text)
                );
                self.collector.add(self.over.span(*key), file::EXTENDS_INVALID, message);
                continue;
            }
            let key = copy(&mut self.nodes, self.over, *key);
            entries.push((key, copy(&mut self.nodes, self.over, *value)));
        }
        let last = self.nodes.len() - 1;
        self.nodes[id].kind = Kind::Map(entries);
        self.nodes[id].last = last;
        id
    }
}

fn takes_out(tree: &Tree, value: NodeId) -> bool {
    matches!(tree.kind(value), Kind::Scalar { text, plain: true } if is_null(text))
}

/// Copies a node and all that it holds; a tree nests as deep as its file may.
pub(crate) fn copy(nodes: &mut Vec<Node>, tree: &Tree, id: NodeId) -> NodeId {
    let new = nodes.len();
    nodes.push(Node { span: tree.span(id), kind: Kind::Broken, last: new });
    let kind = match tree.kind(id) {
        Kind::List(items) => {
            Kind::List(items.iter().map(|item| copy(nodes, tree, *item)).collect())
        }
        Kind::Map(entries) => {
            let mut copies = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key = copy(nodes, tree, *key);
                copies.push((key, copy(nodes, tree, *value)));
            }
            Kind::Map(copies)
        }
        simple => simple.clone(),
    };
    let last = nodes.len() - 1;
    nodes[new].kind = kind;
    nodes[new].last = last;
    new
}
