//! Lines of ipvsadm: what it saves, and what people type.

use crate::lvs::words::Word;
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};

/// A prompt, or a word before the command such as `sudo`.
const PROMPT: &str = "prompt before a command";
/// A command that configures nothing, or a prompt alone.
const OTHER: &str = "prompt, or command that is no configuration";

/// A command of ipvsadm without the program's name.
#[derive(Debug)]
pub(super) struct Line {
    /// At least one.
    pub(super) words: Vec<Word>,
    pub(super) place: Place,
}

/// The commands of one file; all other lines are listed, but for comments.
pub(super) fn commands(file: usize, text: &str, report: &mut Report<'_>) -> Vec<Line> {
    let mut all = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut start = 0;
    for written in text.split_inclusive(['\n', '\r']) {
        let content = written.trim_end_matches(['\n', '\r']);
        let begin = start;
        start += written.len();
        // A backslash at a line's end goes on with the next one.
        let (content, goes_on) = match content.trim_end().strip_suffix('\\') {
            Some(content) => (content, true),
            None => (content, false),
        };
        split(file, begin, content, &mut words);
        if !goes_on {
            all.extend(line(std::mem::take(&mut words), report));
        }
    }
    all.extend(line(words, report));
    all
}

/// Adds the words of a line up to its comment. Quotes are the shell's, and taken away.
fn split(file: usize, begin: usize, line: &str, words: &mut Vec<Word>) {
    let mut at = 0;
    for written in line.split_inclusive(char::is_whitespace) {
        let (from, word) = (begin + at, written.trim_end());
        at += written.len();
        let is_comment = word.starts_with('#') && (word.len() > 1 || !words.is_empty());
        // `#` alone at the beginning may be root's prompt.
        if is_comment || (word == "#" && !line[at..].trim_start().contains("ipvsadm")) {
            return;
        }
        if !word.is_empty() {
            let place = Place::new(file, from, from + word.len());
            words.push(Word { text: word.trim_matches(['"', '\'']).to_owned(), place });
        }
    }
}

/// The command of a line, if it is one of ipvsadm.
fn line(words: Vec<Word>, report: &mut Report<'_>) -> Option<Line> {
    let place = words.first()?.place.to(words.last()?.place);
    let first = words.first()?.text.clone();
    let first = first.as_str();
    if first.starts_with('-') && first.len() > 1 {
        return Some(Line { words, place });
    }
    let program = |word: &Word| word.text.rsplit('/').next().unwrap_or_default().to_owned();
    let Some(at) = words.iter().position(|word| program(word).starts_with("ipvsadm")) else {
        if words.len() == 1 && first.ends_with(['#', '$', '>', '%']) {
            report.left_out(place, OTHER);
        } else {
            report.not_imported(place, format!("line {}", printable(first)), why(first));
        }
        return None;
    };
    let mut words = words;
    let rest = words.split_off(at + 1);
    let (name, before) = words.split_last()?;
    if !before.iter().all(is_before_command) {
        let what = format!("line {}", printable(first));
        return report.skip(place, what, "labsim does not run a shell's commands");
    }
    if before.iter().any(|word| word.text != "sudo") {
        report.left_out(place, PROMPT);
    }
    if program(name) != "ipvsadm" || rest.is_empty() {
        report.left_out(place, OTHER);
        return None;
    }
    Some(Line { words: rest, place })
}

/// A prompt's words, such as `root@lb1:~#` and `[root@lb1`, and `sudo`.
fn is_before_command(word: &Word) -> bool {
    let text = word.text.as_str();
    has_word("sudo + $ # > %", text)
        || text.ends_with(['#', '$', '>', '%', ']'])
        || text.starts_with('[')
}

/// Why a line is no command.
fn why(first: &str) -> &'static str {
    if has_word("IP Prot -> TCP UDP SCTP FWM ->", first) {
        "this is the table of `ipvsadm -L`, which has no tunnels' options and no times; give the \
         output of `ipvsadm-save -n`"
    } else {
        "it is no command of ipvsadm"
    }
}

#[cfg(test)]
mod tests {
    use super::commands;
    use crate::place::Files;
    use crate::report::Report;
    use labsim_yaml::Source;

    fn read(text: &str) -> Vec<String> {
        let sources = [Source::new("x", text)];
        let mut report = Report::new(Files::new(&sources).unwrap());
        let lines = commands(0, text, &mut report);
        let texts = lines.iter().map(|line| line.words.iter().map(|word| word.text.as_str()));
        texts.map(|words| words.collect::<Vec<_>>().join("|")).collect()
    }

    #[test]
    fn commands_are_found_behind_prompts_and_over_several_lines() {
        for (text, expected) in [
            ("-A -t 1.1.1.1:80 -s rr\n", "-A|-t|1.1.1.1:80|-s|rr"),
            ("ipvsadm -C", "-C"),
            ("root@lb1:~# ipvsadm -C", "-C"),
            ("[root@lb1 ~]# /sbin/ipvsadm -C", "-C"),
            ("$ sudo ipvsadm -C # all", "-C"),
            ("# ipvsadm -C", "-C"),
            ("ipvsadm -A \\\n  -t \"1.1.1.1:80\"", "-A|-t|1.1.1.1:80"),
        ] {
            assert_eq!(read(text), [expected], "{text}");
        }
        for text in
            ["# a comment", "#-A -t 1.1.1.1:80", "modprobe ip_vs", "ipvsadm-save -n", "", "a#"]
        {
            assert!(read(text).is_empty(), "{text}");
        }
    }
}
