//! Bytes as a capture file, and the packets in it as frames.
#![no_main]

use labsim_wire::decode::{LinkType, decode};
use labsim_wire::pcapng::{Block, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let mut blocks = 1;
    while let Ok(Some(block)) = reader.next_block() {
        blocks += 1;
        // A block has a type and its length twice.
        assert!(12 * blocks <= bytes.len(), "{blocks} blocks in {} bytes", bytes.len());
        if let Block::Packet { bytes: packet, .. } = block {
            assert!(packet.len() <= bytes.len());
            let _ = decode(LinkType::Ethernet, &packet, packet.len());
            let _ = decode(LinkType::Raw, &packet, packet.len());
        }
    }
});
