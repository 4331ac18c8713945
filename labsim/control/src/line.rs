//! Lines of bounded length.

use crate::protocol::{Answer, LONGEST_LINE, Request};
use std::io::{self, BufRead, Read, Write};

/// The next line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A request.
    Request(Request),
    /// A line that is not a request, and why.
    Malformed(String),
    /// The end of the stream.
    End,
}

/// Reads one request. A line without a line feed is not a request.
pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        line.clear();
        stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            let long = line.len() as u64 + 1 >= LONGEST_LINE;
            let end = Line::Malformed(format!("a line of more than {LONGEST_LINE} bytes"));
            // The rest of the line must not be read as a request.
            return Ok(if long { end } else { Line::End });
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    Ok(match serde_json::from_slice(&line) {
        Ok(request) => Line::Request(request),
        Err(error) => Line::Malformed(format!("not a valid request: {error}")),
    })
}

/// Writes one answer with a single write.
pub(crate) fn write(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::{Line, read};
    use crate::protocol::{LONGEST_LINE, Request};
    use proptest::prelude::*;

    #[test]
    fn every_line_is_one_request_and_the_end_is_told() {
        let mut input: &[u8] = b"\"counters\"\r\n\n  \n\"colours\"\n{\"reload\":null}\n\"status\"";
        assert_eq!(read(&mut input).unwrap(), Line::Request(Request::Counters));
        let Line::Malformed(why) = read(&mut input).unwrap() else { panic!("a request") };
        assert!(why.contains("colours"), "{why}");
        assert_eq!(read(&mut input).unwrap(), Line::Request(Request::Reload));
        assert_eq!(read(&mut input).unwrap(), Line::End, "a line without its end is none");
    }

    #[test]
    fn a_line_of_any_length_takes_bounded_memory() {
        struct Endless(u64);
        impl std::io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0 += buffer.len() as u64;
                buffer.fill(b'[');
                Ok(buffer.len())
            }
        }
        let mut endless = std::io::BufReader::new(Endless(0));
        assert!(
            matches!(read(&mut endless).unwrap(), Line::Malformed(why) if why.contains("more than"))
        );
        assert!(endless.get_ref().0 < 2 * LONGEST_LINE);
    }

    #[test]
    fn nesting_without_end_is_no_request() {
        let mut input = vec![b'['; 100_000];
        input.push(b'\n');
        assert!(matches!(read(&mut input.as_slice()).unwrap(), Line::Malformed(_)));
    }

    proptest! {
        #[test]
        fn any_input_is_a_request_malformed_or_the_end(
            input in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut input = input.as_slice();
            while read(&mut input).unwrap() != Line::End {}
        }
    }
}
