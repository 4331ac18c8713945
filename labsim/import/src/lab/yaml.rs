//! YAML text from serde's values.

use labsim_model::is_plain;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize};
use std::fmt::{self, Display, Write};

/// A value and its layout: on one line, or with each entry or item on a line of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Takes what is extended out of the file.
    Null,
    Scalar(String),
    List(Vec<Value>),
    /// A map on one line.
    Flow(Vec<Entry>),
    /// A map with an entry on each line.
    Block(Vec<Entry>),
    /// A list with an item on each line.
    Items(Vec<Value>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    key: String,
    value: Value,
    /// Stands at the end of the key's line.
    comment: String,
}

/// An entry of a block.
pub(super) fn entry(key: impl Display, value: impl Into<Value>) -> Entry {
    Entry { key: key.to_string(), value: value.into(), comment: String::new() }
}

/// A map on one line.
pub(super) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Flow(entries.map(|(key, value)| entry(key, value)).into())
}

/// A scalar.
pub(super) fn scalar(text: impl Display) -> Value {
    Value::Scalar(text.to_string())
}

/// `[a, b]`.
pub(super) fn list<T: Display>(items: &[T]) -> Value {
    Value::List(items.iter().map(scalar).collect())
}

/// One scalar as it is, or several as `[a, b]`.
pub(super) fn one_or_list<T: Display>(items: &[T]) -> Value {
    match items {
        [only] => scalar(only),
        _ => list(items),
    }
}

impl Entry {
    /// The key, and the value on one line.
    pub(super) fn on_one_line(&self) -> (String, String) {
        (self.key.clone(), self.value.on_one_line(true))
    }

    /// The same with a comment.
    pub(super) fn comment(self, comment: impl Display) -> Self {
        Self { comment: format!(" # {comment}"), ..self }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        scalar(text)
    }
}

impl From<Vec<Entry>> for Value {
    fn from(entries: Vec<Entry>) -> Self {
        Self::Block(entries)
    }
}

impl Value {
    /// What serde makes of a value.
    ///
    /// # Errors
    /// The value has a key that is not a text.
    pub(super) fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }

    /// A block with what serde makes of a value, without the keys that are as in `defaults` and
    /// are not `required`. Values in `short` are replaced by the form beside them.
    ///
    /// # Errors
    /// As [`of`](Self::of); or the value is not a map.
    pub(super) fn without_defaults<T: Serialize>(
        value: &T,
        defaults: &T,
        required: &[&str],
        short: &[(Self, Self)],
    ) -> serde_json::Result<Vec<Entry>> {
        let (value, defaults) = (Self::of(value)?, Self::of(defaults)?);
        let Self::Flow(entries) = value.shortened(short) else {
            return Err(serde_json::Error::custom("the value is not a map"));
        };
        let entries = entries.into_iter().filter_map(|Entry { key, value, .. }| {
            let default = defaults.get(&key);
            let is_default = default == Some(&value) && !required.contains(&key.as_str());
            (!is_default).then(|| entry(key, value.without(default)))
        });
        Ok(entries.collect())
    }

    fn get(&self, key: &str) -> Option<&Self> {
        let Self::Flow(entries) = self else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// A map without the entries that are as in another one.
    fn without(mut self, defaults: Option<&Self>) -> Self {
        if let (Self::Flow(entries), Some(defaults)) = (&mut self, defaults) {
            entries.retain(|entry| defaults.get(&entry.key) != Some(&entry.value));
        }
        self
    }

    fn shortened(self, short: &[(Self, Self)]) -> Self {
        if let Some((_, short)) = short.iter().find(|(long, _)| *long == self) {
            return short.clone();
        }
        match self {
            Self::Flow(entries) => {
                let entries = entries.into_iter();
                Self::Flow(entries.map(|one| entry(one.key, one.value.shortened(short))).collect())
            }
            Self::List(items) => {
                Self::List(items.into_iter().map(|item| item.shortened(short)).collect())
            }
            value => value,
        }
    }

    fn write(&self, out: &mut String, indent: usize) {
        match self {
            Self::Block(entries) => {
                for Entry { key, value, comment } in entries {
                    let _ = write!(out, "{:indent$}{}:", "", quote(key, false));
                    value.write_after_key(out, indent, comment);
                }
            }
            Self::Items(items) => {
                for item in items {
                    let start = out.len();
                    match item {
                        Self::Block(_) => item.write(out, indent + 2),
                        _ => {
                            let _ = writeln!(out, "{:indent$}  {}", "", item.on_one_line(false));
                        }
                    }
                    out.replace_range(start + indent..=start + indent, "-");
                }
            }
            _ => {
                let _ = writeln!(out, "{:indent$}{}", "", self.on_one_line(false));
            }
        }
    }

    fn write_after_key(&self, out: &mut String, indent: usize, comment: &str) {
        match self {
            Self::Block(_) | Self::Items(_) => {
                let _ = writeln!(out, "{comment}");
                self.write(out, indent + 2);
            }
            _ => {
                let _ = writeln!(out, " {}{comment}", self.on_one_line(false));
            }
        }
    }

    fn on_one_line(&self, in_flow: bool) -> String {
        let join = |parts: Vec<String>| parts.join(", ");
        match self {
            Self::Null => "null".to_owned(),
            Self::Scalar(text) => quote(text, in_flow),
            Self::List(items) | Self::Items(items) => {
                format!("[{}]", join(items.iter().map(|item| item.on_one_line(true)).collect()))
            }
            Self::Flow(entries) | Self::Block(entries) => {
                let pair = |Entry { key, value, .. }: &Entry| {
                    format!("{}: {}", quote(key, true), value.on_one_line(true))
                };
                format!("{{{}}}", join(entries.iter().map(pair).collect()))
            }
        }
    }
}

/// Sections of a file, with an empty line between them.
pub(super) fn document(header: &str, sections: Vec<Entry>) -> String {
    let mut out = header.to_owned();
    for section in sections {
        out.push('\n');
        Value::Block(vec![section]).write(&mut out, 0);
    }
    out
}

/// `text` as a YAML scalar that is read back as the same text. In flow style, between brackets, more
/// characters have a meaning.
fn quote(text: &str, in_flow: bool) -> String {
    // `10.1.1.51:49` is a scalar, and `a: b` is not.
    let is_endpoint = text.starts_with(|first: char| first.is_ascii_digit());
    let is_safe = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"_./-".contains(&byte)
            || !in_flow && b" ,'".contains(&byte)
            || is_endpoint && byte == b':'
    };
    let is_word =
        text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_/".contains(first));
    let has_end = text.ends_with([' ', ':']);
    let is_null = text.eq_ignore_ascii_case("null");
    if is_word && text.bytes().all(is_safe) && !has_end && !is_null && !text.contains(": ") {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_plain(character) => quoted.push(character),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, a boolean, a list or a map")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(scalar(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(scalar(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(scalar(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Value::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut all = Vec::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    all.push(entry(key, value));
                }
                Ok(Value::Flow(all))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::{document, entry, map, scalar};

    #[test]
    fn a_yaml_scalar_is_read_back_as_it_was() {
        for text in [
            "vs_tacacs-test_49",
            "/P/vs",
            "null",
            "~",
            "a: b",
            "1: b",
            "10:",
            "10.1.1.51:49",
            "#",
            "x #y",
            "1 #y",
            "\"\\",
            "10",
            "-",
            "é",
            "a,b]",
            "a, b's",
            "\u{7}\u{202e}",
            "true",
            " a ",
            "a ",
        ] {
            let flow = document("", vec![entry("k", map([(text, scalar(text))]))]);
            let block = document("", vec![entry("k", vec![entry(text, scalar(text))])]);
            for file in [flow, block] {
                type Map = std::collections::BTreeMap<String, String>;
                let source = labsim_yaml::Source::new("x", file.clone());
                let read: std::collections::BTreeMap<String, Map> =
                    labsim_yaml::read(&source).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(read["k"].get(text).map(String::as_str), Some(text), "{file}");
            }
        }
    }
}
