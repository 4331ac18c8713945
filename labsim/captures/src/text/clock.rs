//! What the times of a capture are counted from, as its command and its first packet tell.

use super::time::{Origin, TextTime};
use super::tshark::{Relative, relative};

/// What the times of a capture are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Clock {
    /// The first packet tells.
    #[default]
    NotKnown,
    /// Times as they stand.
    Stamps,
    /// Differences (`-ttt`), with their sum so far.
    Differences(u64),
    /// Since the first packet (`-ttttt`).
    SinceFirst,
    /// The first is zero, and no command tells which of these two they are.
    Ambiguous,
}

impl Clock {
    /// A time as the capture's clock has it; `None` if it is not known what it is counted from. `is_row`: whether
    /// tshark printed it.
    pub(super) fn time(
        &mut self,
        time: TextTime,
        is_row: bool,
        command: Option<&str>,
    ) -> Option<TextTime> {
        let is_stamp = if is_row {
            time.origin != Origin::FirstPacket
        } else {
            time.origin != Origin::Midnight
        };
        if is_stamp {
            return Some(time);
        }
        if matches!(self, Self::NotKnown) {
            *self = if is_row { Self::of_rows(command) } else { Self::of_lines(time, command) };
        }
        match self {
            Self::Differences(sum) => {
                *sum = sum.saturating_add(time.ns);
                Some(TextTime { ns: *sum, origin: Origin::FirstPacket })
            }
            Self::SinceFirst => Some(TextTime { origin: Origin::FirstPacket, ..time }),
            Self::Ambiguous => None,
            Self::Stamps | Self::NotKnown => Some(time),
        }
    }

    fn of_rows(command: Option<&str>) -> Self {
        match relative(command) {
            Relative::SinceFirst => Self::SinceFirst,
            Relative::Differences => Self::Differences(0),
            Relative::NotKnown => Self::Ambiguous,
        }
    }

    fn of_lines(first: TextTime, command: Option<&str>) -> Self {
        match command.map(time_options) {
            Some(3) => Self::Differences(0),
            Some(5) => Self::SinceFirst,
            None if first.ns == 0 => Self::Ambiguous,
            _ => Self::Stamps,
        }
    }
}

/// How many `t` a command of tcpdump's has.
fn time_options(command: &str) -> usize {
    let words = command.split_whitespace().filter_map(|word| word.strip_prefix('-'));
    let letters = words.filter(|word| word.chars().all(|letter| letter.is_ascii_alphanumeric()));
    letters.map(|word| word.matches('t').count()).sum()
}
