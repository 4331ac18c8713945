//! Values that a frame's fields are compared with: sets of addresses, TCP flags.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// Addresses that a field may hold: any address of any of these prefixes. A single address is a
/// host prefix. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressMatch(Vec<IpNet>);

impl AddressMatch {
    /// A set of prefixes; `None` for an empty one, which nothing matches.
    #[must_use]
    pub fn new(prefixes: Vec<IpNet>) -> Option<Self> {
        (!prefixes.is_empty()).then_some(Self(prefixes))
    }

    /// Whether `address` is one of these.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|prefix| prefix.contains(&address))
    }

    /// The prefixes, in the file's order.
    #[must_use]
    pub fn prefixes(&self) -> &[IpNet] {
        &self.0
    }
}

impl From<IpAddr> for AddressMatch {
    fn from(address: IpAddr) -> Self {
        Self(vec![IpNet::from(address)])
    }
}

/// `10.1.1.51 or 10.1.1.52`; host prefixes without their length.
impl fmt::Display for AddressMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, prefix) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" or ")?;
            }
            if prefix.prefix_len() == prefix.max_prefix_len() {
                write!(f, "{}", prefix.addr())?;
            } else {
                write!(f, "{prefix}")?;
            }
        }
        Ok(())
    }
}

/// The TCP flags of a segment, as the header's byte holds them (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

/// tcpdump's letters in the order in which it prints them.
const LETTERS: [(char, u8); 8] = [
    ('F', 0x01),
    ('S', 0x02),
    ('R', 0x04),
    ('P', 0x08),
    ('.', 0x10),
    ('U', 0x20),
    ('E', 0x40),
    ('W', 0x80),
];

impl TcpFlags {
    /// Reads flags as tcpdump(1) prints them: `S`, `S.`, `.`, `P.`, `FP.`, `R.`, `none`; in any order.
    ///
    /// # Errors
    /// What is wrong, and the remedy.
    pub fn parse(text: &str) -> Result<Self, String> {
        const HINT: &str = "write them as tcpdump does, such as `S`, `S.`, `.`, `P.`, `F.` or `R.`";
        if text == "none" {
            return Ok(Self(0));
        }
        if text.is_empty() {
            return Err(format!("no TCP flags; {HINT}, or `none`"));
        }
        let mut byte = 0;
        for letter in text.chars() {
            let Some(&(_, bit)) = LETTERS.iter().find(|(known, _)| *known == letter) else {
                return Err(format!("`{}` is not a valid TCP flag; {HINT}", letter.escape_debug()));
            };
            if byte & bit != 0 {
                return Err(format!("the TCP flag `{letter}` is given twice; {HINT}"));
            }
            byte |= bit;
        }
        Ok(Self(byte))
    }
}

/// As tcpdump(1) prints them.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String =
            LETTERS.iter().filter(|(_, bit)| self.0 & bit != 0).map(|(letter, _)| letter).collect();
        f.pad(if letters.is_empty() { "none" } else { &letters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_byte_is_read_back_as_it_was_shown() {
        for byte in 0..=u8::MAX {
            let flags = TcpFlags(byte);
            assert_eq!(TcpFlags::parse(&flags.to_string()), Ok(flags));
        }
    }

    #[test]
    fn flags_are_shown_in_the_order_of_tcpdump() {
        assert_eq!(TcpFlags(0x12).to_string(), "S.");
        assert_eq!(TcpFlags(0x19).to_string(), "FP.");
        assert_eq!(TcpFlags(0).to_string(), "none");
    }

    #[test]
    fn unknown_and_doubled_flags_are_refused() {
        assert!(
            TcpFlags::parse("SA")
                .is_err_and(|text| text.starts_with("`A` is not a valid TCP flag"))
        );
        assert!(TcpFlags::parse("SS").is_err_and(|text| text.contains("twice")));
        assert!(TcpFlags::parse("").is_err());
    }

    #[test]
    fn an_address_set_holds_its_prefixes_and_nothing_else() {
        let set = AddressMatch::new(vec![
            "10.1.1.51/32".parse().unwrap(),
            "10.2.0.0/16".parse().unwrap(),
        ])
        .unwrap();
        assert!(set.contains("10.1.1.51".parse().unwrap()));
        assert!(set.contains("10.2.3.4".parse().unwrap()));
        assert!(!set.contains("10.1.1.52".parse().unwrap()));
        assert_eq!(set.to_string(), "10.1.1.51 or 10.2.0.0/16");
        assert_eq!(AddressMatch::new(Vec::new()), None);
    }
}
