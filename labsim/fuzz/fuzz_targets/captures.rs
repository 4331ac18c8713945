//! Bytes as a foreign capture of any form and compression, and its frames.
#![no_main]

use labsim_captures::{Fragments, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let is_packed = reader.compression().is_some();
    let (mut frames, mut size) = (0usize, 0usize);
    let mut fragments = Fragments::default();
    while let Ok(Some(frame)) = reader.next_frame() {
        frames += 1;
        size += frame.bytes.len();
        // What is not compressed holds its frames, each with a header.
        assert!(is_packed || 16 * frames + size <= bytes.len());
        assert!(frame.network <= frame.bytes.len());
        assert!(frame.point.0 < reader.points().len());
        let _ = frame.known();
        if let Some(whole) = fragments.add(frame.point.0, frame.number, frame.network_layer(), None) {
            // A packet's length has 16 bits; IPv6 counts that without its header.
            assert!(whole.bytes.len() <= 65_535 + 40);
            let _ = whole.known();
        }
        // A bomb takes time, and no memory: the first megabytes of it are enough.
        if size > 4 << 20 || frames > 10_000 {
            return;
        }
    }
});
