//! Texts of files, in the languages that pictures are written in.

/// A text as XML and HTML have it, in an element or in a quoted attribute. What neither allows
/// (control characters, XML 1.0 2.2) becomes U+FFFD.
#[must_use]
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// A text between double quotes, as DOT and D2 have it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // D2 replaces `${name}` in a text.
            '$' => out.push_str("\\$"),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A text between double quotes, as Mermaid has it: entities are written with `#` and a number.
pub(crate) fn mermaid(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => out.push_str("<br>"),
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' => {
                out.push_str(&format!("#{};", u32::from(character)));
            }
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            xml("<script>&\"'\u{1b}\0</script>"),
            "&lt;script&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}&lt;/script&gt;"
        );
        assert_eq!(quoted("a\"b\\c\nd${x}"), r#""a\"b\\c\nd\${x}""#);
        assert_eq!(mermaid("<b>\"#1;\n"), "\"#60;b#62;#34;#35;1#59;<br>\"");
    }
}
