//! What a document holds: its values and their places, without the types that they are read as.

use crate::Span;

/// A node of a [`Tree`]. A collection's number is smaller than those of all that it holds.
pub(crate) type NodeId = usize;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    /// The largest number of a node within this one; its own for a scalar.
    pub(crate) last: NodeId,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// No value where one could stand: `key:` and nothing more.
    Nothing,
    /// `plain` is a scalar without quotes, and no block scalar either.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<NodeId>),
    /// Keys are scalars, each once.
    Map(Vec<(NodeId, NodeId)>),
    /// A value with an error that is reported already.
    Broken,
}

/// A document: of one file, or of several that are laid over one another.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// The document's own node.
    pub(crate) const ROOT: NodeId = 0;

    /// Says which of the document's files it is of.
    pub(crate) fn stands_in(&mut self, file: u32) {
        self.nodes.iter_mut().for_each(|node| node.span.file = file);
    }

    pub(crate) fn kind(&self, id: NodeId) -> &Kind {
        self.nodes.get(id).map_or(&Kind::Broken, |node| &node.kind)
    }

    pub(crate) fn span(&self, id: NodeId) -> Span {
        self.nodes.get(id).map_or_else(Span::default, |node| node.span)
    }

    /// A scalar's text, as a key has it.
    pub(crate) fn text(&self, id: NodeId) -> &str {
        match self.kind(id) {
            Kind::Scalar { text, .. } => text,
            _ => "",
        }
    }
}
