//! Lines of YAML.

use crate::text::yaml;
use std::fmt::Display;

/// A text that grows line by line.
pub(super) struct Writer(String);

impl Writer {
    /// Begins with a comment.
    pub(super) fn new(header: &str) -> Self {
        Self(header.to_owned())
    }

    /// A line, `depth` levels deep.
    pub(super) fn line(&mut self, depth: usize, text: impl Display) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(&text.to_string());
        self.0.push('\n');
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.0.push('\n');
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// One scalar as it is, or several as `[a, b]`.
pub(super) fn one_or_list<T: Display>(items: &[T]) -> String {
    match items {
        [only] => yaml(&only.to_string()),
        _ => list(items),
    }
}

/// `[a, b]`.
pub(super) fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}
