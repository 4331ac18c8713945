//! The options of ipvsadm (ipvsadm(8), ipvsadm.c).

use super::lines::Line;
use crate::lvs::words::Word;
use crate::place::Place;
use crate::report::Report;
use labsim_model::quote;

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Required,
    /// The next word, unless that is an option (`-p`).
    Optional,
}

/// An option's letter (a blank where it has none), its long name and its value.
type Known = (char, &'static str, Value);

/// The commands: what is to be done.
const COMMANDS: &[Known] = &[
    ('A', "add-service", Value::None),
    ('E', "edit-service", Value::None),
    ('D', "delete-service", Value::None),
    ('C', "clear", Value::None),
    ('R', "restore", Value::None),
    ('S', "save", Value::None),
    ('a', "add-server", Value::None),
    ('e', "edit-server", Value::None),
    ('d', "delete-server", Value::None),
    ('L', "list", Value::None),
    ('l', "list", Value::None),
    ('Z', "zero", Value::None),
    (' ', "set", Value::None),
    (' ', "start-daemon", Value::Required),
    (' ', "stop-daemon", Value::Required),
    ('h', "help", Value::None),
    ('v', "version", Value::None),
];

const OPTIONS: &[Known] = &[
    ('t', "tcp-service", Value::Required),
    ('u', "udp-service", Value::Required),
    (' ', "sctp-service", Value::Required),
    ('f', "fwmark-service", Value::Required),
    ('s', "scheduler", Value::Required),
    ('p', "persistent", Value::Optional),
    ('M', "netmask", Value::Required),
    ('r', "real-server", Value::Required),
    ('g', "gatewaying", Value::None),
    ('i', "ipip", Value::None),
    ('m', "masquerading", Value::None),
    ('w', "weight", Value::Required),
    ('x', "u-threshold", Value::Required),
    ('y', "l-threshold", Value::Required),
    (' ', "tun-type", Value::Required),
    (' ', "tun-port", Value::Required),
    (' ', "tun-nocsum", Value::None),
    (' ', "tun-csum", Value::None),
    (' ', "tun-remcsum", Value::None),
    ('o', "ops", Value::None),
    (' ', "pe", Value::Required),
    ('b', "sched-flags", Value::Required),
    ('6', "ipv6", Value::None),
    ('4', "ipv4", Value::None),
    ('n', "numeric", Value::None),
    ('c', "connection", Value::None),
    (' ', "stats", Value::None),
    (' ', "rate", Value::None),
    (' ', "exact", Value::None),
    (' ', "thresholds", Value::None),
    (' ', "persistent-conn", Value::None),
    (' ', "tun-info", Value::None),
    (' ', "timeout", Value::None),
    (' ', "daemon", Value::None),
    (' ', "sort", Value::None),
    (' ', "nosort", Value::None),
    (' ', "mcast-interface", Value::Required),
    (' ', "syncid", Value::Required),
    (' ', "sync-maxlen", Value::Required),
    (' ', "mcast-group", Value::Required),
    (' ', "mcast-port", Value::Required),
    (' ', "mcast-ttl", Value::Required),
];

/// An option that is written.
#[derive(Debug)]
pub(super) struct Written {
    /// Its long name.
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) value: Option<Word>,
}

/// A command with its options.
#[derive(Debug)]
pub(super) struct Command {
    /// Its long name, such as `add-service`.
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// Each once.
    pub(super) options: Vec<Written>,
    /// What belongs to no option: the times of `--set`.
    pub(super) arguments: Vec<Word>,
}

impl Command {
    /// An option by its long name.
    pub(super) fn get(&self, name: &str) -> Option<&Written> {
        self.options.iter().find(|option| option.name == name)
    }

    /// An option's value.
    pub(super) fn value(&self, name: &str) -> Option<&Word> {
        self.get(name)?.value.as_ref()
    }
}

/// Reads a line; `None`, with an error, if ipvsadm would refuse it.
pub(super) fn parse(line: &Line, report: &mut Report<'_>) -> Option<Command> {
    let mut command: Option<&'static str> = None;
    let (mut options, mut arguments): (Vec<Written>, Vec<Word>) = (Vec::new(), Vec::new());
    let mut words = line.words.iter().peekable();
    while let Some(word) = words.next() {
        let (known, mut glued) = match known(word, report)? {
            Found::Options(known) => (known, None),
            Found::Value => {
                if command == Some("set") {
                    arguments.push(word.clone());
                    continue;
                }
                let message = format!("{} belongs to no option; remove it", quote(&word.text));
                return report.reject(word.place, message);
            }
            Found::WithValue(known, value) => (known, Some(value)),
        };
        for (_, name, takes) in known {
            let is_next = |next: &&Word| takes == Value::Required || !next.text.starts_with('-');
            let value = match takes {
                Value::None => None,
                _ if glued.is_some() => glued.take(),
                Value::Required | Value::Optional => words.next_if(is_next).cloned(),
            };
            if takes == Value::Required && value.is_none() {
                let message = format!("`--{name}` has no value; write it behind");
                return report.reject(word.place, message);
            }
            if COMMANDS.iter().any(|(_, command, _)| *command == name) {
                if command.replace(name).is_some() {
                    let message =
                        "a line has one command; write the second one on a line of its own";
                    return report.reject(word.place, message);
                }
            } else if options.iter().any(|other| other.name == name) {
                let message = format!("`--{name}` is written twice; keep one");
                return report.reject(word.place, message);
            } else {
                options.push(Written { name, place: word.place, value });
            }
        }
        if let Some(value) = glued {
            let message = format!("this option has no value; remove {}", quote(&value.text));
            return report.reject(word.place, message);
        }
    }
    let Some(name) = command else {
        let message = "no command is in this line; ipvsadm needs one, such as -A or -a";
        return report.reject(line.place, message);
    };
    Some(Command { name, place: line.place, options, arguments })
}

/// What a word is.
enum Found {
    /// Options: one by its long name, or letters.
    Options(Vec<Known>),
    /// An option with its value in the same word: `--weight=1`, `-w1`.
    WithValue(Vec<Known>, Word),
    /// No option.
    Value,
}

/// Finds a word's options; `None`, with an error, if one is unknown.
fn known(word: &Word, report: &mut Report<'_>) -> Option<Found> {
    let all = || COMMANDS.iter().chain(OPTIONS);
    let value = |text: &str| Word { text: text.to_owned(), place: word.place };
    let mut unknown = |option: &str| {
        let message = format!("ipvsadm has no option {}; see ipvsadm(8)", quote(option));
        report.reject(word.place, message)
    };
    if let Some(long) = word.text.strip_prefix("--") {
        let (name, after) = match long.split_once('=') {
            Some((name, after)) => (name, Some(after)),
            None => (long, None),
        };
        let Some(known) = all().find(|(_, long, _)| *long == name) else {
            return unknown(&word.text);
        };
        return Some(match after {
            Some(after) => Found::WithValue(vec![*known], value(after)),
            None => Found::Options(vec![*known]),
        });
    }
    let Some(letters) = word.text.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
        return Some(Found::Value);
    };
    let mut found = Vec::new();
    for (at, letter) in letters.char_indices() {
        let Some(known) = all().find(|(short, ..)| *short == letter && letter != ' ') else {
            return unknown(&format!("-{letter}"));
        };
        found.push(*known);
        let rest = &letters[at + letter.len_utf8()..];
        if known.2 != Value::None && !rest.is_empty() {
            return Some(Found::WithValue(found, value(rest)));
        }
    }
    Some(Found::Options(found))
}
