//! The files that are named, and which of them are parts of one capture.

use crate::stream;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// An argument: a file, perhaps with a name.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: Option<String>,
    pub(super) path: PathBuf,
}

impl Input {
    /// `NAME=FILE` or `FILE`. A file whose own name has this form is a file.
    pub(super) fn new(argument: &OsStr) -> Self {
        let path = PathBuf::from(argument);
        let named = argument.to_str().and_then(|text| text.split_once('='));
        match named.filter(|(name, _)| !name.is_empty() && !name.contains('/')) {
            Some((name, file)) if !path.exists() => {
                Self { name: Some(name.to_owned()), path: file.into() }
            }
            _ => Self { name: None, path },
        }
    }

    pub(super) fn is_stdin(&self) -> bool {
        self.path == Path::new(stream::STDIN)
    }

    /// The part of a capture that it is, if its name says so.
    pub(super) fn part(&self) -> Option<Part> {
        let part = Part::of(self.path.to_str()?)?;
        Some(Part { name: self.name.clone(), ..part })
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// A file of a capture that was written in several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What the names of all its files begin with.
    start: String,
    /// The point's name, if the user gave one.
    name: Option<String>,
    number: u64,
    /// When it was begun, by its name: `20260131120000`.
    stamp: String,
}

impl Part {
    /// By the name: `NAME_00001_20260131120000.pcapng` as dumpcap writes it (`-b`), or `NAME.pcap1` as tcpdump
    /// does (`-C`), whose first file has no number.
    fn of(name: &str) -> Option<Self> {
        let packed = [".gz", ".zst", ".lz4"].iter().find_map(|it| name.strip_suffix(it));
        let (front, ending) = packed.unwrap_or(name).rsplit_once('.')?;
        let part = |start: &str, number: &str, stamp: &str| {
            let (start, name, stamp) = (start.to_owned(), None, stamp.to_owned());
            Some(Self { start, name, number: number.parse().ok()?, stamp })
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let mut words = front.rsplitn(3, '_');
        if let (Some(stamp), Some(number), Some(start)) = (words.next(), words.next(), words.next())
            && (stamp.len(), number.len()) == (14, 5)
            && is_digits(stamp)
            && is_digits(number)
        {
            return part(start, number, stamp);
        }
        let number = ending.strip_prefix("pcap").filter(|it| is_digits(it))?;
        part(front, if number.is_empty() { "0" } else { number }, "")
    }

    /// Whether this is the next file.
    pub(super) fn follows(&self, other: &Self) -> bool {
        (&self.start, &self.name) == (&other.start, &other.name)
            && other.number.checked_add(1) == Some(self.number)
            && self.stamp >= other.stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_before_a_file_unless_the_file_is_called_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a=b.pcap");
        std::fs::write(&file, "").unwrap();
        let named = Input::new(OsStr::new("client=c.txt"));
        assert_eq!((named.name.as_deref(), named.shown()), (Some("client"), "c.txt".to_owned()));
        let input = Input::new(file.as_os_str());
        assert_eq!((input.name, input.path), (None, file));
        assert!(Input::new(OsStr::new("client=-")).is_stdin());
    }

    #[test]
    fn files_of_one_capture_are_known_by_their_names() {
        let part = |name: &str| Part::of(name);
        let follows = |one: &str, other: &str| part(other).unwrap().follows(&part(one).unwrap());
        assert!(follows("d/lb_00009_20260131120000.pcapng", "d/lb_00010_20260131120100.pcapng.gz"));
        assert!(follows("lb.pcap", "lb.pcap1") && follows("lb.pcap09", "lb.pcap10"));
        assert!(!follows("lb_00001_20260131120000.pcap", "lb_00003_20260131120100.pcap"));
        assert!(!follows("lb_00001_20260131120000.pcap", "rs_00002_20260131120100.pcap"));
        assert!(!follows("lb_00001_20260131120000.pcap", "lb_00002_20260131110000.pcap"));
        assert!(!follows("lb.pcap1", "lb.pcap1"));
        for name in ["lb.txt", "lb", "lb.pcapng", "lb.pcapx", "lb_1_2.txt"] {
            assert_eq!(part(name), None, "{name}");
        }
    }
}
