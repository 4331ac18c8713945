//! Bytes as a foreign capture of any form and compression, and its frames.
#![no_main]

use labsim_captures::Reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let is_packed = reader.compression().is_some();
    let (mut frames, mut size) = (0usize, 0usize);
    while let Ok(Some(frame)) = reader.next_frame() {
        frames += 1;
        size += frame.bytes.len();
        // What is not compressed holds its frames, each with a header.
        assert!(is_packed || 16 * frames + size <= bytes.len());
        assert!(frame.network <= frame.bytes.len());
        assert!(frame.point.0 < reader.points().len());
        let _ = frame.known();
        // A bomb takes time, and no memory: the first megabytes of it are enough.
        if size > 4 << 20 || frames > 10_000 {
            return;
        }
    }
});
