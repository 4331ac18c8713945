//! TCP options one by one (RFC 9293, 3.1; RFC 2018; RFC 7323).

use crate::bytes::be32;

/// One TCP option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Padding.
    NoOperation,
    /// Maximum segment size (RFC 9293).
    Mss(u16),
    /// Window scale (RFC 7323).
    WindowScale(u8),
    /// Selective acknowledgements are understood (RFC 2018).
    SackPermitted,
    /// Time stamps (RFC 7323): own value, echoed value.
    Timestamps(u32, u32),
    /// Any other, or one of the above with a length that is not its own.
    Other {
        /// The option's kind.
        kind: u8,
        /// What follows kind and length.
        data: &'a [u8],
    },
}

/// The options of a header; ends at the end-of-list option and at the first that is broken.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    #[inline]
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = TcpOption<'a>;

    #[inline]
    fn next(&mut self) -> Option<TcpOption<'a>> {
        let (&kind, after) = self.rest.split_first()?;
        match kind {
            0 => {
                self.rest = &[];
                None
            }
            1 => {
                self.rest = after;
                Some(TcpOption::NoOperation)
            }
            _ => {
                let length = usize::from(*after.first()?);
                // `get` refuses a length below two and one beyond the header.
                let data = self.rest.get(2..length);
                let Some(data) = data else {
                    self.rest = &[];
                    return None;
                };
                self.rest = &self.rest[length..];
                Some(match (kind, data) {
                    (2, &[a, b]) => TcpOption::Mss(u16::from_be_bytes([a, b])),
                    (3, &[shift]) => TcpOption::WindowScale(shift),
                    (4, &[]) => TcpOption::SackPermitted,
                    (8, data) if data.len() == 8 => {
                        TcpOption::Timestamps(be32(data, 0), be32(data, 4))
                    }
                    _ => TcpOption::Other { kind, data },
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(bytes: &[u8]) -> Vec<TcpOption<'_>> {
        Options::new(bytes).collect()
    }

    #[test]
    fn the_options_of_the_documents_syn_are_read() {
        let bytes = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
        use TcpOption::{Mss, NoOperation, SackPermitted, WindowScale};
        assert_eq!(
            options(&bytes),
            [Mss(1460), NoOperation, WindowScale(8), NoOperation, NoOperation, SackPermitted]
        );
    }

    #[test]
    fn broken_options_end_the_list() {
        assert_eq!(options(&[1, 2, 0, 9, 9]), [TcpOption::NoOperation]);
        assert_eq!(options(&[1, 2, 1, 9, 9]), [TcpOption::NoOperation]);
        assert_eq!(options(&[2, 9, 1]), []);
        assert_eq!(options(&[2]), []);
        assert_eq!(options(&[0, 2, 4, 5, 180]), []);
        assert_eq!(options(&[2, 3, 5]), [TcpOption::Other { kind: 2, data: &[5] }]);
    }
}
