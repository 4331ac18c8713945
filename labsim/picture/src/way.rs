//! What a picture shows of a packet's way, without places.

use crate::lab::Lab;

/// The way of a packet, and of its answer, over a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// What the picture is called.
    pub title: String,
    /// In the order of time.
    pub hops: Vec<Hop>,
    /// How it ended, in sentences.
    pub ends: Vec<WayEnd>,
}

/// From an interface to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where it was sent; `None` if that was not seen.
    pub from: Option<Stop>,
    /// Where it arrived; `None` if it was seen at no other node. A hop within a node, such as out of
    /// a tunnel, has only one of both.
    pub to: Option<Stop>,
    /// Whether it is the answer's.
    pub is_answer: bool,
    /// The hop in words: `client to router`.
    pub what: String,
    /// The headers on this hop, outermost first.
    pub headers: Vec<Header>,
}

/// A place where a packet was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Position in [`Lab::nodes`].
    pub node: usize,
    /// Position in [`crate::Node::rows`]; `None` of an interface that the box does not list.
    pub row: Option<usize>,
}

/// A header, drawn round those within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whether there is another IP header within: it is a tunnel's.
    pub is_tunnel: bool,
    /// What it says.
    pub fields: Vec<HeaderField>,
}

/// A field of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderField {
    /// Name and value: `TTL 63`.
    pub text: String,
    /// Whether it was not so on the hop before.
    pub is_changed: bool,
}

/// How a way ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayEnd {
    /// Where.
    pub at: Option<Stop>,
    /// In a sentence.
    pub text: String,
    /// Whether the packet was lost there, as was shown.
    pub is_lost: bool,
}

impl Hop {
    /// Whether it is in a tunnel.
    #[must_use]
    pub fn is_tunnelled(&self) -> bool {
        self.headers.iter().any(|header| header.is_tunnel)
    }
}

impl Way {
    /// The way in sentences, for those who do not see the picture.
    #[must_use]
    pub fn description(&self) -> String {
        let mut sentences: Vec<String> = Vec::new();
        for (place, hop) in self.hops.iter().enumerate() {
            let fields = |header: &Header| {
                let texts: Vec<&str> =
                    header.fields.iter().map(|field| field.text.as_str()).collect();
                texts.join(", ")
            };
            let headers: Vec<String> = hop.headers.iter().map(fields).collect();
            let headers = headers.join(" [");
            let colon = if headers.is_empty() { "" } else { ": " };
            sentences.push(format!("{}: {}{colon}{headers}.", place + 1, hop.what));
        }
        sentences.extend(self.ends.iter().map(|end| format!("{}.", end.text)));
        sentences.join(" ")
    }
}

impl Lab {
    /// An interface of a node; `None` without such a node.
    #[must_use]
    pub fn stop(&self, node: &str, interface: &str) -> Option<Stop> {
        let position = self.nodes.iter().position(|one| one.name == node)?;
        let rows = &self.nodes.get(position)?.rows;
        Some(Stop { node: position, row: rows.iter().position(|row| row.label == interface) })
    }
}
