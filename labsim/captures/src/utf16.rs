//! Text in UTF-16 as UTF-8: PowerShell redirects output so (about_Redirection), with a byte order mark first.

use std::io::{self, Read};

/// Bytes that are decoded at once.
const CHUNK: u64 = 1 << 13;

/// The order of a unit's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// By the mark that a text begins with.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xfe, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] => Some(Self::Big),
            _ => None,
        }
    }
}

/// A text as UTF-8. What is no UTF-16 is replaced.
#[derive(Debug)]
pub(crate) struct Utf16<R> {
    input: R,
    order: Order,
    /// UTF-8 that was decoded, and how much of it was given.
    text: Vec<u8>,
    given: usize,
    /// The first half of a pair, whose second one comes next.
    half: Option<u16>,
}

impl<R: Read> Utf16<R> {
    pub(crate) fn new(order: Order, input: R) -> Self {
        Self { input, order, text: Vec::new(), given: 0, half: None }
    }

    /// Decodes the next bytes; nothing is left of the input if there is no text then.
    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        while self.text.is_empty() {
            let mut bytes = Vec::new();
            // An odd byte is read at the input's end only.
            let read = (&mut self.input).take(CHUNK).read_to_end(&mut bytes)?;
            let unit = |pair: &[u8]| match (pair, self.order) {
                (&[first, second], Order::Little) => u16::from_le_bytes([first, second]),
                (&[first, second], Order::Big) => u16::from_be_bytes([first, second]),
                // Half of a unit.
                _ => 0xfffd,
            };
            let mut units: Vec<u16> = self.half.take().into_iter().collect();
            units.extend(bytes.chunks(2).map(unit));
            let is_half = |unit: &u16| (0xd800..0xdc00).contains(unit);
            if read > 0 && units.last().is_some_and(is_half) {
                self.half = units.pop();
            }
            let decoded = char::decode_utf16(units);
            let text: String =
                decoded.map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            self.text.extend(text.bytes());
            if read == 0 {
                break;
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.given >= self.text.len() {
            self.fill()?;
        }
        let rest = self.text.get(self.given..).unwrap_or_default();
        let length = rest.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(rest) {
            *to = *from;
        }
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(order: Order, bytes: &[u8]) -> String {
        let mut text = String::new();
        Utf16::new(order, bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn both_orders_of_bytes_are_read() {
        let units: Vec<u16> = "→ zwölf 🦀\r\n".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(decoded(Order::Little, &little), "→ zwölf 🦀\r\n");
        assert_eq!(decoded(Order::Big, &big), "→ zwölf 🦀\r\n");
    }

    #[test]
    fn a_pair_is_read_across_chunks_and_what_is_broken_is_replaced() {
        let chunk = usize::try_from(CHUNK).unwrap();
        let text = "a".repeat(chunk / 2 - 1) + "🦀";
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(Order::Little, &bytes), text);
        let cut = bytes.get(..bytes.len() - 1).unwrap();
        assert!(decoded(Order::Little, cut).ends_with("a\u{fffd}\u{fffd}"));
        assert_eq!(decoded(Order::Little, &[0x3d, 0xd8]), "\u{fffd}");
    }
}
