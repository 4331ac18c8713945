//! How far a program reaches: an iRule's body is Tcl, and only its end matters here.

use super::parse::is_head;

/// How much of the text behind the opening brace belongs to the program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes, the closing brace among them.
    pub(super) length: usize,
    /// Whether that is where Tcl's counting ends.
    pub(super) by_counting: bool,
}

/// Finds the brace that closes a program; `text` begins behind the one that opens it.
///
/// Tcl(n), rule 6: between braces every brace counts, those in quotes and comments too, unless a
/// backslash stands before it. Programs that break this rule are found in the field, so counting
/// never goes beyond the line that begins the next stanza. Where it ends in the middle of
/// something, or not at all, the program ends with the last line before that stanza that holds
/// nothing but a closing brace.
pub(super) fn extent(text: &str) -> Option<Extent> {
    let text = up_to_head(text);
    let count_braces = count_braces(text);
    if let Some(length) = count_braces.filter(|length| is_blank(&text[*length..])) {
        return Some(Extent { length, by_counting: true });
    }
    last_brace(text).map(|length| Extent { length, by_counting: false })
}

/// The text before the line that begins the next stanza.
fn up_to_head(text: &str) -> &str {
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        // The first line is the rest of the one with the opening brace.
        if number > 0 && is_head(line) {
            return &text[..at];
        }
        at += line.len();
    }
    text
}

fn count_braces(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether nothing of a program is left: blank lines, comments, what a terminal shows.
fn is_blank(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    // A command such as `list ltm pool p`; a program would go on up to a brace.
    lines.all(|line| line.is_empty() || line.starts_with('#') || !line.contains('}'))
}

/// The end of the last line that is nothing but `}`.
fn last_brace(text: &str) -> Option<usize> {
    let (mut at, mut closing) = (0, None);
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "}" {
            closing = Some(at + 1);
        }
        at += line.len();
    }
    closing
}

#[cfg(test)]
mod tests {
    use super::{Extent, extent};

    /// The program, and whether it was found by counting.
    fn taken(text: &str) -> Option<(&str, bool)> {
        extent(text).map(|Extent { length, by_counting }| (&text[..length], by_counting))
    }

    #[test]
    fn escaped_braces_do_not_count_and_all_others_do() {
        for program in [
            "}",
            " when X { } }",
            "\nwhen HTTP_REQUEST {\n  set a \"\\{\"\n  # \\}\n}\n}",
            "\n# { paired } in a comment\nlog \"{\" ; # }\n}",
            "\nset a \\\\\n}",
            "\nwhen X {\n  set a \"\\{\"\n}\n}",
        ] {
            let text = format!("{program}\nltm pool p {{ }}\n");
            assert_eq!(taken(&text), Some((program, true)), "{program}");
        }
    }

    #[test]
    fn a_lone_brace_in_quotes_does_not_move_the_end() {
        for program in [
            "\nwhen HTTP_REQUEST {\n    log local0. \"{\"\n}\n}",
            "\nwhen HTTP_REQUEST {\n    log local0. \"}\"\n}\n}",
            "\n# an opening { in a comment\nwhen X {\n}\n}",
        ] {
            let text = format!("{program}\nltm pool p {{\n}}\nltm rule r {{\n}}\n");
            assert_eq!(taken(&text), Some((program, false)), "{program}");
            let alone = format!("{program}\n");
            assert_eq!(taken(&alone).map(|(text, _)| text), Some(program), "{program}");
        }
    }

    #[test]
    fn braces_that_make_up_for_each_other_in_two_programs_swallow_nothing() {
        let text = "\n log \"{\"\n}\nltm pool p {\n}\nltm rule b {\n log \"}\"\n}\n";
        assert_eq!(taken(text), Some(("\n log \"{\"\n}", false)));
    }

    #[test]
    fn a_program_without_an_end_has_none() {
        assert_eq!(taken("\nwhen X {\n  }"), None);
    }
}
