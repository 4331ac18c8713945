//! What a reading has found so far: errors, and what was left out because of them.

use std::collections::BTreeSet;
use std::fmt::Display;

use labsim_codes::{Code, file};

use crate::collector::Collector;
use crate::messages::{found, from_to, meant, one_of, quote};
use crate::node::Node;
use crate::scalar::{Whole, whole};
use crate::tree::Kind;
use crate::{FromYaml, Span};

/// The errors of a document while it is read, for types that read themselves from it.
#[derive(Debug, Default)]
pub struct Context {
    collector: Collector,
    omitted: Omitted,
    /// Errors so far, those above the limit included.
    errors: usize,
}

/// What a value that was read from a document with errors lacks: it stands in the document, and
/// must not be reported as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omitted {
    /// The keys of entries of tables.
    pub keys: BTreeSet<String>,
    /// Whether items of lists, whole collections, or values under a misspelt key are missing.
    pub others: bool,
}

impl Omitted {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.others
    }
}

impl Context {
    pub(crate) fn new(collector: Collector) -> Self {
        Self { errors: usize::from(!collector.is_empty()), collector, omitted: Omitted::default() }
    }

    pub(crate) fn into_parts(self) -> (Collector, Omitted) {
        (self.collector, self.omitted)
    }

    pub(crate) fn omitted(&mut self) -> &mut Omitted {
        &mut self.omitted
    }

    /// How many errors were recorded so far. A type whose parts could not all be read compares this
    /// before and after, and skips its own checks.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Records an error at a place.
    pub fn error(&mut self, span: Span, code: Code, message: impl Into<String>) {
        self.errors += 1;
        self.collector.add(span, code, message);
    }

    /// Records an error whose message takes time to compose; not composed above the limit.
    pub(crate) fn error_with(&mut self, span: Span, code: Code, message: impl FnOnce() -> String) {
        self.errors += 1;
        if self.collector.is_full() {
            self.collector.add_more();
        } else {
            self.collector.add(span, code, message());
        }
    }

    /// Records that a value is not what is expected, such as `an IPv4 address, such as
    /// `192.0.2.1``.
    pub fn wrong_type(&mut self, node: Node<'_>, expected: &str) {
        self.wrong(node, expected, None);
    }

    /// The same, with a remedy. Nothing for a value that was reported before.
    pub(crate) fn wrong(&mut self, node: Node<'_>, expected: &str, remedy: Option<&str>) {
        if matches!(node.kind(), Kind::Broken) {
            return;
        }
        let nothing = matches!(node.kind(), Kind::Nothing);
        let remedy = remedy.or(nothing.then_some("write a value, or take the key out"));
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        let message = format!("expected {expected}, found {}{remedy}", found(node.kind()));
        self.error(node.span(), file::WRONG_TYPE, message);
    }

    /// The text of a scalar, or an error that names what is expected.
    pub fn text<'t>(&mut self, node: Node<'t>, expected: &str) -> Option<&'t str> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong(node, expected, None);
        }
        text
    }

    /// A text as a value of a type whose errors do not reach the user: the message names what is
    /// expected and what was found.
    pub fn parse<T: std::str::FromStr>(&mut self, node: Node<'_>, expected: &str) -> Option<T> {
        let value = self.text(node, expected)?.parse().ok();
        if value.is_none() {
            self.wrong(node, expected, None);
        }
        value
    }

    /// A value out of another one, whose error is the message. Not tried if errors were recorded
    /// since there were `errors` of them: the message could follow from those.
    pub fn convert<R, T, E: Display>(
        &mut self,
        node: Node<'_>,
        raw: Option<R>,
        errors: usize,
        convert: impl FnOnce(R) -> Result<T, E>,
    ) -> Option<T> {
        match convert(raw.filter(|_| self.errors == errors)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(node.span(), file::INVALID_VALUE, message.to_string());
                None
            }
        }
    }

    /// A whole number of a range.
    pub fn whole_number(&mut self, node: Node<'_>, low: i128, high: i128) -> Option<i128> {
        let expected = || format!("a whole number {}", from_to(low, high));
        let remedy = match node.kind() {
            Kind::Scalar { text, plain } => match whole(text) {
                Whole::Number(_) if !plain => Some("take the quotes away"),
                Whole::Number(number) if (low..=high).contains(&number) => return Some(number),
                Whole::Number(_) | Whole::Huge => {
                    let message = format!("{} is out of range; write {}", quote(text), expected());
                    self.error(node.span(), file::OUT_OF_RANGE, message);
                    return None;
                }
                Whole::LeadingZero => {
                    Some("write it without the leading zero, or as `0o…` if it is octal")
                }
                Whole::No => None,
            },
            _ => None,
        };
        self.wrong(node, &expected(), remedy);
        None
    }

    /// The items of a list that can be read; what cannot is omitted.
    pub fn list<T: FromYaml>(&mut self, node: Node<'_>) -> Option<Vec<T>> {
        let expected = "a list, such as `[a, b]`";
        let items = match node.kind() {
            Kind::List(items) => items,
            Kind::Scalar { text, .. } if !node.is_null() => {
                let list = quote(&format!("[{text}]"));
                self.wrong(node, expected, Some(&format!("write {list} for a list of one")));
                return None;
            }
            Kind::Nothing => {
                self.wrong(node, expected, Some("write `[]` for an empty one"));
                return None;
            }
            _ => {
                self.wrong(node, expected, None);
                return None;
            }
        };
        let read: Vec<T> =
            items.iter().filter_map(|item| T::from_yaml(node.at(*item), self)).collect();
        self.omitted.others |= read.len() < items.len();
        Some(read)
    }

    /// The entries of a map with any keys, in the file's order; what cannot be read is omitted.
    pub fn entries<K: FromYaml, V: FromYaml>(&mut self, node: Node<'_>) -> Option<Vec<(K, V)>> {
        let mut read = Vec::new();
        for (key, value) in self.map(node, "a map, such as `{key: value}`")? {
            // The value of a wrong key is examined all the same.
            match (K::from_yaml(node.at(*key), self), V::from_yaml(node.at(*value), self)) {
                (Some(key), Some(value)) => read.push((key, value)),
                _ => {
                    self.omitted.keys.insert(node.tree.text(*key).to_owned());
                }
            }
        }
        Some(read)
    }

    pub(crate) fn map<'t>(
        &mut self,
        node: Node<'t>,
        expected: &str,
    ) -> Option<&'t [(usize, usize)]> {
        match node.kind() {
            Kind::Map(entries) => return Some(entries),
            Kind::Nothing => self.wrong(node, expected, Some("write `{}` for an empty one")),
            _ => self.wrong(node, expected, None),
        }
        None
    }

    /// Records a word that is not one of those that are defined.
    pub(crate) fn unknown_word(&mut self, node: Node<'_>, given: &str, words: &[&str]) {
        self.error_with(node.span(), file::UNKNOWN_WORD, || {
            let slip = meant(given, words.iter().copied())
                .map_or_else(String::new, |name| format!("; did you mean {}?", quote(name)));
            format!("expected {}, found {}{slip}", one_of(words), quote(given))
        });
    }
}
