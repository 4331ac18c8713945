//! Text of foreign files, on its way to a terminal or into a YAML file.

/// Characters of a foreign text that a message shows.
const SHOWN: usize = 60;

/// `text` between backquotes: shortened, and with nothing in it that a terminal would obey.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// `text`, shortened, and with nothing in it that a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN) {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a terminal shows this character, and does nothing else with it. labsim-scenario takes
/// names of such characters.
pub(crate) fn is_plain(character: char) -> bool {
    let orders = matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    !character.is_control() && !orders
}

/// `text` as a YAML scalar that is read back as the same text, in block and in flow style.
pub(crate) fn yaml(text: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let first = text.bytes().next();
    let is_word =
        first.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/');
    if is_word && text.bytes().all(is_safe) && !text.eq_ignore_ascii_case("null") {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_plain(character) => quoted.push(character),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{quoted, yaml};

    #[test]
    fn a_quoted_text_is_short_and_harmless() {
        assert_eq!(quoted("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }

    #[test]
    fn a_yaml_scalar_is_read_back_as_it_was() {
        for text in [
            "vs_tacacs-test_49",
            "/P/vs",
            "null",
            "~",
            "a: b",
            "#",
            "x #y",
            "\"\\",
            "10",
            "-",
            "é",
            "a,b]",
            "\u{7}\u{202e}",
            "true",
            " a ",
        ] {
            for file in [format!("{}: 1\n", yaml(text)), format!("{{{}: 1}}\n", yaml(text))] {
                let source = labsim_yaml::Source::new("x", file.clone());
                let map: std::collections::BTreeMap<String, u8> =
                    labsim_yaml::read(&source).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(map.keys().next().map(String::as_str), Some(text), "{file}");
            }
        }
    }
}
