//! Syslog's messages, as far as both formats agree (RFC 5424 6.2.1, RFC 3164 4.1.1): a priority in
//! angle brackets, and a text.

use std::fmt;

/// Facility and severity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priority {
    /// 0 to 23.
    pub facility: u8,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
}

/// Reads the priority that a message begins with; `None` if it begins with none.
#[must_use]
pub fn priority(message: &[u8]) -> Option<Priority> {
    let rest = message.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
    let digits = rest.get(..end)?;
    // No leading zero (RFC 3164 4.1.1).
    if digits.is_empty() || digits.len() > 1 && digits.first() == Some(&b'0') {
        return None;
    }
    let mut value: u16 = 0;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        value = value * 10 + u16::from(digit);
    }
    let value = u8::try_from(value).ok().filter(|value| *value < 192)?;
    Some(Priority { facility: value / 8, severity: value % 8 })
}

/// `facility 16, severity 6`.
impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "facility {}, severity {}", self.facility, self.severity)
    }
}

#[cfg(test)]
mod tests {
    use super::{Priority, priority};

    #[test]
    fn a_message_begins_with_its_priority() {
        let local0_info = Priority { facility: 16, severity: 6 };
        assert_eq!(priority(b"<134>1 - - - - - - hello"), Some(local0_info));
        assert_eq!(local0_info.to_string(), "facility 16, severity 6");
        assert_eq!(priority(b"<0>x"), Some(Priority { facility: 0, severity: 0 }));
        assert_eq!(priority(b"<191>"), Some(Priority { facility: 23, severity: 7 }));
        for wrong in ["", "<", "<>", "<192>", "<999>", "<1000>", "<01>", "<1", "1>", "<-1>", "<1a>"]
        {
            assert_eq!(priority(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
