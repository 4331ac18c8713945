//! Captures as other programs would have written them.

use super::Desk;
use labsim_captures::{Frame, Reader};
use std::fs::File;

/// The capture of a scenario that was run.
pub(crate) fn capture_of(desk: &Desk, scenario: &str) -> String {
    let file = format!("scenarios/{scenario}.yaml");
    desk.labsim(&["run", &file, "--out", "out"]).exits(0);
    let name = scenario.rsplit('/').next().unwrap();
    format!("out/{name}/capture.pcapng")
}

/// A classic pcap file with nanoseconds, of frames that begin with an Ethernet header: time, length, bytes.
pub(crate) fn pcap<'a>(frames: impl IntoIterator<Item = (u64, u32, &'a [u8])>) -> Vec<u8> {
    let mut pcap = Vec::new();
    for word in [0xa1b2_3c4d, 4 << 16 | 2, 0, 0, 65_535, 1_u32] {
        pcap.extend(word.to_le_bytes());
    }
    for (time_ns, length, bytes) in frames {
        let (seconds, ns) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000);
        for word in [seconds, ns, bytes.len() as u64, u64::from(length)] {
            pcap.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        pcap.extend(bytes);
    }
    pcap
}

/// The frames of a capture, each with the name of its point.
pub(crate) fn frames(desk: &Desk, capture: &str) -> Vec<(String, Frame)> {
    let mut reader = Reader::new(File::open(desk.path(capture)).unwrap()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let name = reader.points()[frame.point.0].name.clone().unwrap_or_default();
        frames.push((name, frame));
    }
    frames
}

/// Writes one point of a lab's capture as a classic pcap file, on a clock that is ahead, its frames cut.
pub(crate) fn split(desk: &Desk, capture: &str, point: &str, to: &str, ahead_s: i64, cut: usize) {
    let frames = frames(desk, capture);
    let of_point = frames.iter().filter(|(name, _)| name == point);
    let moved = of_point.map(|(_, frame)| {
        let time = frame.time_ns.unwrap().checked_add_signed(ahead_s * 1_000_000_000);
        let bytes = &frame.bytes[..frame.bytes.len().min(cut)];
        (time.unwrap(), frame.original_length, bytes)
    });
    desk.write(to, pcap(moved));
}
