//! The text form of metric families: metadata, samples, escaping.

use std::fmt::Write as _;

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A count that only rises.
    Counter,
    /// A count of bytes: the name ends with the unit.
    ByteCounter,
    /// A value that rises and falls.
    Gauge,
}

/// Metrics text under construction.
#[derive(Debug)]
pub(super) struct Text {
    prefix: &'static str,
    text: String,
}

impl Text {
    /// Every family's name begins with `prefix`.
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, text: String::new() }
    }

    /// Adds a family with its samples, each with labels as [`label`] writes them, or with none.
    pub(super) fn family(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (String, u64)>,
    ) {
        let Self { prefix, text } = self;
        let (word, suffix) = match kind {
            Kind::Counter | Kind::ByteCounter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {prefix}{name} {word}");
        if kind == Kind::ByteCounter {
            let _ = writeln!(text, "# UNIT {prefix}{name} bytes");
        }
        let _ = writeln!(text, "# HELP {prefix}{name} {}", escape(help));
        for (labels, value) in samples {
            let _ = match labels.as_str() {
                "" => writeln!(text, "{prefix}{name}{suffix} {value}"),
                labels => writeln!(text, "{prefix}{name}{suffix}{{{labels}}} {value}"),
            };
        }
    }

    /// The complete text.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// `name="value"`
pub(super) fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", escape(value))
}

/// Backslash, line feed and double quote are written with a backslash.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' => escaped.push_str("\\\""),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Kind, Text, label};

    #[test]
    fn a_family_is_metadata_and_samples_and_the_end_is_marked() {
        let mut text = Text::new("x_");
        text.family("a", Kind::Counter, "Says \"a\".", [(String::new(), 1)]);
        text.family("b_bytes", Kind::ByteCounter, "B.", [(label("l", "v\\\n\""), 2)]);
        text.family("c", Kind::Gauge, "C.", []);
        let expected = "# TYPE x_a counter\n# HELP x_a Says \\\"a\\\".\nx_a_total 1\n\
            # TYPE x_b_bytes counter\n# UNIT x_b_bytes bytes\n# HELP x_b_bytes B.\n\
            x_b_bytes_total{l=\"v\\\\\\n\\\"\"} 2\n\
            # TYPE x_c gauge\n# HELP x_c C.\n# EOF\n";
        assert_eq!(text.finish(), expected);
    }
}
