//! Bytes of a packet in lines (`-x`, `-X`, `-xx`, `-XX`).

/// Bytes of one packet that are read at most.
const MAX_BYTES: usize = 1 << 18;

/// Collects the lines of one packet.
#[derive(Debug, Default)]
pub(super) struct Hex {
    pub(super) bytes: Vec<u8>,
    /// A line is missing, or is not what it should be.
    is_broken: bool,
}

impl Hex {
    /// Reads a line, if it is one: `0x0010:  c0a8 0bc9 ac10 0463 ee8b 0031  ............`.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let Some((place, rest)) =
            line.trim_start().strip_prefix("0x").and_then(|it| it.split_once(':'))
        else {
            return false;
        };
        let Ok(place) = usize::from_str_radix(place, 16) else { return false };
        if !(4..=5).contains(&(line.trim_start().find(':').unwrap_or(0).saturating_sub(2))) {
            return false;
        }
        if place != self.bytes.len() || place > MAX_BYTES {
            self.is_broken = true;
            return true;
        }
        // Two spaces stand before the characters that the bytes are.
        let rest = rest.trim_start();
        let words = rest.split("  ").next().unwrap_or_default();
        let digits: Vec<u32> =
            words.split(' ').take(8).flat_map(str::chars).map_while(|it| it.to_digit(16)).collect();
        for pair in digits.chunks_exact(2) {
            let byte = pair.iter().fold(0, |sum, digit| sum * 16 + digit);
            self.bytes.push(u8::try_from(byte).unwrap_or(0));
        }
        true
    }

    /// The bytes, if all lines are there.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.is_broken && !self.bytes.is_empty()).then_some(self.bytes)
    }
}
