//! Opens a file whatever it is: a capture, or a text with captures in it.

use crate::error::ReadError;
use crate::form::NoCapture;
use crate::reader::{Reader, Unpacked};
use crate::text::TextReader;
use crate::utf16::{Order, Utf16};
use std::fmt;
use std::io::{BufReader, Read};

/// The reader that a file needs.
pub enum Opened<'a> {
    /// Of a capture.
    Frames(Box<Reader<'a>>),
    /// For text. Whether it shows any packet is known once it has been read.
    Text(Box<TextReader<BufReader<Box<dyn Read + 'a>>>>),
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(reader) => reader.fmt(f),
            Self::Text(_) => f.debug_struct("TextReader").finish_non_exhaustive(),
        }
    }
}

/// Opens a file of any form, compressed or not. It need not be buffered.
///
/// # Errors
/// [`ReadError`] if it is neither a capture nor text; what it is is named.
pub fn open<'a>(input: impl Read + 'a) -> Result<Opened<'a>, ReadError> {
    let unpacked = Unpacked::new(input)?;
    match unpacked.form() {
        Ok(form) => {
            let reader = Reader::plain(form, unpacked.compression, unpacked.input)?;
            Ok(Opened::Frames(Box::new(reader)))
        }
        Err(
            ReadError::NoCapture(NoCapture::Unknown(_))
            | ReadError::NoCaptureInside(NoCapture::Unknown(_)),
        ) if is_text(&unpacked.head) || Order::of(&unpacked.head).is_some() => {
            let input: Box<dyn Read + 'a> = match Order::of(&unpacked.head) {
                Some(order) => Box::new(Utf16::new(order, unpacked.input)),
                None => Box::new(unpacked.input),
            };
            let input = BufReader::with_capacity(1 << 16, input);
            Ok(Opened::Text(Box::new(TextReader::new(input))))
        }
        Err(error) => Err(error),
    }
}

/// Whether a file that begins with these bytes is text in ASCII, UTF-8 or an older 8-bit code. Texts of
/// terminals have a control character here and there, and none has a zero byte.
fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: &&u8| **byte < b' ' && !matches!(**byte, b'\t'..=b'\r' | 0x1b);
    !head.contains(&0) && head.iter().filter(is_control).count() * 16 <= head.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_captures_and_from_other_files() {
        let opened = |bytes: &'static [u8]| open(bytes);
        assert!(matches!(opened(b"# A page\n\x1b[1mbold\x1b[0m\n"), Ok(Opened::Text(_))));
        assert!(matches!(
            opened(b"\x1b]0;title of a terminal\x07$ tcpdump\n"),
            Ok(Opened::Text(_))
        ));
        assert!(matches!(opened("Zähler\r\n".as_bytes()), Ok(Opened::Text(_))));
        for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n", b"\0\0\0\0\0\0", b"\x7fELF\x02\x01\x01\0"] {
            let error = opened(bytes).unwrap_err();
            assert!(matches!(error, ReadError::NoCapture(_)), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn a_text_of_powershell_is_read_as_any_other() {
        let text = "$ tcpdump -nn\r\n10:00:00.000000 IP 192.0.2.7 > 198.51.100.9: ICMP echo request, \
                    id 1, seq 2, length 64\r\n";
        let mark = [0xff, 0xfe].into_iter();
        let utf16: Vec<u8> = mark.chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bytes in [utf16, format!("\u{feff}{text}").into_bytes()] {
            let Ok(Opened::Text(mut reader)) = open(&bytes[..]) else { panic!("no text") };
            let frame = reader.next_frame().unwrap().unwrap();
            assert_eq!((frame.line, reader.sections()[0].line), (2, 1));
        }
    }

    #[test]
    fn a_text_of_three_bytes_is_one() {
        assert!(matches!(open(&b"ok\n"[..]), Ok(Opened::Text(_))));
    }
}
