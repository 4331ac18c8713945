//! What a terminal shows of a line with escape sequences and control characters (ECMA-48).

/// A line as a terminal shows it.
pub(super) struct Shown {
    pub(super) text: String,
    /// Whether there were escape sequences or control characters.
    pub(super) had_escapes: bool,
    /// Whether backspaces went over a pager's prompt.
    pub(super) had_prompt: bool,
}

/// Most columns that one sequence moves the cursor by.
const COLUMNS: usize = 1000;

/// Executes a line's escape sequences; blanks that do not break are blanks.
pub(super) fn shown(line: &str, is_prompt: impl Fn(&str) -> bool) -> Shown {
    if line.chars().all(|c| c != '\u{a0}' && (c == '\t' || !c.is_control())) {
        return Shown { text: line.to_owned(), had_escapes: false, had_prompt: false };
    }
    let mut screen = Screen { cells: Vec::new(), cursor: 0 };
    let (mut had_escapes, mut had_prompt) = (false, false);
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\u{a0}' => screen.put(' '),
            '\u{8}' => {
                if screen.cursor == screen.cells.len() {
                    had_prompt |= is_prompt(&screen.cells.iter().collect::<String>());
                }
                screen.cursor = screen.cursor.saturating_sub(1);
                had_escapes = true;
            }
            '\u{1b}' => {
                rest = screen.escape(rest);
                had_escapes = true;
            }
            '\u{9b}' => {
                rest = screen.control_sequence(rest);
                had_escapes = true;
            }
            '\t' => screen.put('\t'),
            one if one.is_control() => had_escapes = true,
            one => screen.put(one),
        }
    }
    Shown { text: screen.cells.into_iter().collect(), had_escapes, had_prompt }
}

/// One line of a terminal.
struct Screen {
    cells: Vec<char>,
    /// Where the next character goes; at most the number of cells.
    cursor: usize,
}

impl Screen {
    fn put(&mut self, character: char) {
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = character,
            None => self.cells.push(character),
        }
        self.cursor += 1;
    }

    /// What follows an escape character, and is not shown; returns the text behind it.
    fn escape<'t>(&mut self, rest: &'t str) -> &'t str {
        let Some(kind) = rest.chars().next() else { return rest };
        let behind = &rest[kind.len_utf8()..];
        match kind {
            '[' => self.control_sequence(behind),
            // A title or the like ends with BEL or ESC \; without an end it is no sequence.
            ']' | 'P' | '^' | '_' | 'X' => {
                let end = behind.find(['\u{7}', '\u{1b}']).map(|at| &behind[at..]);
                end.map_or(behind, |end| {
                    end.strip_prefix('\u{7}').or(end.strip_prefix("\u{1b}\\")).unwrap_or(end)
                })
            }
            // A character set is named by one more character.
            '(' | ')' | '*' | '+' | '#' | '%' => {
                behind.chars().next().map_or(behind, |set| &behind[set.len_utf8()..])
            }
            '0'..='~' => behind,
            _ => rest,
        }
    }

    /// Parameters up to a final byte. Returns the text behind it.
    fn control_sequence<'t>(&mut self, rest: &'t str) -> &'t str {
        let end = rest.find(|c: char| !(' '..='?').contains(&c)).unwrap_or(rest.len());
        let (parameters, behind) = rest.split_at(end);
        let Some(last) = behind.chars().next().filter(|last| ('@'..='~').contains(last)) else {
            return behind;
        };
        let columns = parameters.parse().unwrap_or(1).clamp(1, COLUMNS);
        match last {
            'K' if ["", "0"].contains(&parameters) => self.cells.truncate(self.cursor),
            'K' if parameters == "2" => {
                self.cells.clear();
                self.cursor = 0;
            }
            'D' => self.cursor = self.cursor.saturating_sub(columns),
            'C' => (0..columns).for_each(|_| self.right()),
            'G' => {
                self.cursor = 0;
                (1..columns).for_each(|_| self.right());
            }
            _ => {}
        }
        &behind[last.len_utf8()..]
    }

    fn right(&mut self) {
        if self.cursor == self.cells.len() {
            self.cells.push(' ');
        }
        self.cursor += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_line_is_what_a_terminal_shows_of_it() {
        for (line, text) in [
            ("\u{1b}[1;32mltm\u{1b}[0m pool\u{1b}[K p {", "ltm pool p {"),
            ("\u{1b}]0;root@lb1\u{7}ltm pool", "ltm pool"),
            ("\u{1b}]0;root@lb1\u{1b}\\ltm pool", "ltm pool"),
            ("\u{1b}(Bltm\u{1b}=", "ltm"),
            ("poll\u{8}\u{8}ol", "pool"),
            ("listx\u{1b}[D\u{1b}[K", "list"),
            ("a\u{a0}b", "a b"),
            ("ab\u{1b}[2Kc", "c"),
            ("a\u{1b}[3Cb", "a   b"),
            ("ab\u{1b}[1GX", "Xb"),
            ("a\u{7}\u{0}b\u{1b}", "ab"),
            ("\u{1b}]0;no end", "0;no end"),
            ("\u{1b}[31", ""),
            ("\u{8}\u{8}a", "a"),
        ] {
            assert_eq!(shown(line, |_| false).text, text, "{line:?}");
        }
    }

    #[test]
    fn a_prompt_that_is_gone_over_is_known() {
        let line = "--More--\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}        \u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}port";
        let shown = shown(line, |text| text == "--More--");
        assert!(shown.had_prompt);
        assert_eq!(shown.text.trim_end(), "port");
    }

    #[test]
    fn movements_are_bounded() {
        let line = "\u{1b}[99999999999C\u{1b}[999999C".repeat(3);
        assert!(shown(&line, |_| false).text.len() <= 6000);
    }
}
