//! Changes of a scenario: parts of a YAML file that is laid over it (`extends`).

use std::fmt::{self, Write as _};

/// A change of a scenario, as mappings by key. Displays as the lines of a YAML file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    entries: Vec<(String, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Mapping(Change),
    /// YAML of one line: a scalar, a list, or `null`, which takes the key out.
    Line(String),
}

impl Change {
    /// The change of the value that the keys lead to. `yaml` is a line of YAML.
    #[must_use]
    pub fn of(keys: &[&str], yaml: impl Into<String>) -> Self {
        match keys {
            [] => Self::default(),
            [key] => Self { entries: vec![((*key).to_owned(), Value::Line(yaml.into()))] },
            [key, below @ ..] => {
                let below = Value::Mapping(Self::of(below, yaml));
                Self { entries: vec![((*key).to_owned(), below)] }
            }
        }
    }

    /// This one and another value, which wins where both change the same one.
    #[must_use]
    pub fn and(mut self, keys: &[&str], yaml: impl Into<String>) -> Self {
        self.lay(&Self::of(keys, yaml));
        self
    }

    /// Lays another change over this one: mappings key by key, everything else as a whole.
    pub fn lay(&mut self, over: &Self) {
        for (key, value) in &over.entries {
            let known = self.entries.iter_mut().find(|(known, _)| known == key);
            match (known, value) {
                (Some((_, Value::Mapping(own))), Value::Mapping(over)) => own.lay(over),
                (Some((_, own)), _) => *own = value.clone(),
                (None, _) => self.entries.push((key.clone(), value.clone())),
            }
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A line for each top-level key.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |(key, value): &(String, Value)| match value {
            Value::Line(yaml) => format!("{}: {yaml}", scalar(key)),
            Value::Mapping(below) => format!("{}: {}", scalar(key), below.flow()),
        };
        self.entries.iter().map(line).collect()
    }

    fn flow(&self) -> String {
        let entries: Vec<String> = self.lines();
        format!("{{{}}}", entries.join(", "))
    }

    fn write(&self, depth: usize, text: &mut impl fmt::Write) -> fmt::Result {
        for (key, value) in &self.entries {
            let (indent, key) = ("  ".repeat(depth), scalar(key));
            match value {
                Value::Line(yaml) => writeln!(text, "{indent}{key}: {yaml}")?,
                Value::Mapping(below) => {
                    writeln!(text, "{indent}{key}:")?;
                    below.write(depth + 1, text)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(0, f)
    }
}

/// A text as a YAML scalar, in quotes where it could be taken for something else.
#[must_use]
pub(crate) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
    let mut characters = text.chars();
    let is_plain = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(plain)
        && !text.ends_with(':')
        && !["null", "true", "false", "yes", "no", "on", "off"]
            .contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    // YAML 1.2.2, 7.3.1: a double-quoted text can hold every character.
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of one line.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_merge_key_by_key_and_the_later_value_wins() {
        let mut change = Change::of(&["real_servers", "servers", "vip"], "172.16.4.99")
            .and(&["real_servers", "servers", "sysctls", "net.ipv4.conf.all.rp_filter"], "2");
        change.lay(
            &Change::of(
                &["real_servers", "servers", "sysctls", "net.ipv4.conf.all.rp_filter"],
                "0",
            )
            .and(&["impairments", "rs3:eth0"], "null"),
        );
        let expected = "real_servers:\n  servers:\n    vip: 172.16.4.99\n    sysctls:\n      \
                        net.ipv4.conf.all.rp_filter: 0\nimpairments:\n  rs3:eth0: null\n";
        assert_eq!(change.to_string(), expected);
        let lines = [
            "real_servers: {servers: {vip: 172.16.4.99, sysctls: {net.ipv4.conf.all.rp_filter: 0}}}",
            "impairments: {rs3:eth0: null}",
        ];
        assert_eq!(change.lines(), lines);
    }

    #[test]
    fn a_mapping_takes_the_place_of_a_line_and_the_other_way_round() {
        let mut change = Change::of(&["a", "b"], "1");
        change.lay(&Change::of(&["a"], "null"));
        assert_eq!(change.to_string(), "a: null\n");
        change.lay(&Change::of(&["a", "c"], "[]"));
        assert_eq!(change.to_string(), "a:\n  c: []\n");
        assert!(!change.is_empty() && Change::default().is_empty());
    }

    #[test]
    fn a_text_that_yaml_could_take_for_something_else_is_quoted() {
        for (text, expected) in [
            ("vs_tacacs-test_49", "vs_tacacs-test_49"),
            ("null", "\"null\""),
            ("49", "\"49\""),
            ("a b", "\"a b\""),
            ("x: \"y\"\n", "\"x: \\\"y\\\"\\U0000000a\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), expected);
        }
    }
}
