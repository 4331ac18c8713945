//! Bytes as a page with captures of tcpdump as text.
#![no_main]

use labsim_captures::{Opened, TextReader, open};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut reader = TextReader::new(bytes);
    let (mut frames, mut line) = (0, 0);
    while let Ok(Some(frame)) = reader.next_frame() {
        frames += 1;
        // Packets come in the order of their lines, each in a capture of its own line or an earlier one.
        assert!(frame.line > line);
        line = frame.line;
        assert!(reader.sections()[frame.section].line <= frame.line);
    }
    assert!(frames <= bytes.len() / 4);
    // As a file: in UTF-16, or compressed.
    if let Ok(Opened::Text(mut reader)) = open(bytes) {
        while let Ok(Some(_)) = reader.next_frame() {}
    }
});
