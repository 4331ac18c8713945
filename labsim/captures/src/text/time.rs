//! tcpdump's time stamps: `-t` to `-ttttt`.

use super::cursor::Cursor;

/// A time as a text shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextTime {
    /// Nanoseconds since the origin.
    pub ns: u64,
    /// What they are counted from.
    pub origin: Origin,
}

/// What a time is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// 1970, in UTC (`-tt`).
    Epoch,
    /// 1970, in the time zone of the host that printed the text (`-tttt`).
    LocalEpoch,
    /// Midnight, in the time zone of the host that printed the text.
    Midnight,
    /// The first packet of the capture (`-ttt`, `-ttttt`).
    FirstPacket,
}

/// Reads a time stamp and the space behind it.
pub(super) fn time(cursor: &mut Cursor<'_>) -> Option<TextTime> {
    let mut ahead = *cursor;
    let found = date_and_time(&mut ahead).or_else(|| {
        ahead = *cursor;
        time_of_day(&mut ahead).map(|ns| TextTime { ns, origin: Origin::Midnight })
    });
    let found = found.or_else(|| {
        ahead = *cursor;
        let ns = seconds(&mut ahead)?;
        Some(TextTime { ns, origin: Origin::Epoch })
    })?;
    ahead.need(" ")?;
    ahead.spaces();
    *cursor = ahead;
    Some(found)
}

pub(super) fn date_and_time(cursor: &mut Cursor<'_>) -> Option<TextTime> {
    let (year, month, day) =
        (digits(cursor, 4, "-")?, digits(cursor, 2, "-")?, digits(cursor, 2, " ")?);
    let days = days_since_1970(year, month, day)?;
    let ns = days.checked_mul(86_400_000_000_000)?.checked_add(time_of_day(cursor)?)?;
    Some(TextTime { ns, origin: Origin::LocalEpoch })
}

pub(super) fn time_of_day(cursor: &mut Cursor<'_>) -> Option<u64> {
    let (hours, minutes) = (digits(cursor, 2, ":")?, digits(cursor, 2, ":")?);
    let seconds = digits(cursor, 2, ".")?;
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    Some((hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + fraction(cursor)?)
}

/// Seconds since 1970: ten digits until 2286.
fn seconds(cursor: &mut Cursor<'_>) -> Option<u64> {
    let seconds = digits(cursor, 10, ".")?;
    Some(seconds * 1_000_000_000 + fraction(cursor)?)
}

/// Exactly `count` digits with `end` behind them.
fn digits(cursor: &mut Cursor<'_>, count: usize, end: &str) -> Option<u64> {
    let run = cursor.run(|character| character.is_ascii_digit())?;
    cursor.need(end)?;
    (run.len() == count).then(|| run.parse().ok())?
}

/// Six or nine digits, in nanoseconds.
fn fraction(cursor: &mut Cursor<'_>) -> Option<u64> {
    let run = cursor.run(|character| character.is_ascii_digit())?;
    let number: u64 = run.parse().ok()?;
    match run.len() {
        6 => Some(number * 1000),
        9 => Some(number),
        _ => None,
    }
}

/// Days since 1970 of a date after it (Hinnant's `days_from_civil`).
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=2500).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, ns, origin) in [
            ("23:14:09.162109 IP", 83_649_162_109_000, Origin::Midnight),
            ("00:00:00.000000001 IP", 1, Origin::Midnight),
            ("1763860449.162109 IP", 1_763_860_449_162_109_000, Origin::Epoch),
            ("2025-11-23 01:14:09.162109 IP", 1_763_860_449_162_109_000, Origin::LocalEpoch),
            ("2024-02-29 00:00:00.000000 IP", 1_709_164_800_000_000_000, Origin::LocalEpoch),
        ] {
            let mut cursor = Cursor::new(text);
            assert_eq!(time(&mut cursor), Some(TextTime { ns, origin }), "{text}");
            assert_eq!(cursor.rest, "IP");
        }
        for text in [
            "23:14:09 IP",
            "24:00:00.000000 IP",
            "1.2.3.4 IP",
            "12:30.500000 IP",
            "",
            "23:14:09.162109",
        ] {
            assert_eq!(time(&mut Cursor::new(text)), None, "{text}");
        }
    }
}
