//! Captures as text: what tcpdump and tshark print, as people paste it.
//!
//! The text may be a whole page: prose, Markdown fences, quotes and prompts stand around the captures, and
//! there may be several. Lines of a packet that are not understood are counted and kept, never guessed.

mod clock;
mod cursor;
mod hex;
mod lines;
mod network;
mod numbers;
mod record;
mod section;
mod time;
mod transport;
mod tshark;
mod udp;
mod wrapped;

pub use lines::TextReader;
pub use section::Section;
pub use time::{Origin, TextTime};

use crate::f5::F5Trailer;
use crate::packet::Known;
use labsim_wire::pcapng::Direction;

/// A packet of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFrame {
    /// Its first line, from 1.
    pub line: u64,
    /// Its capture's place in [`TextReader::sections`].
    pub section: usize,
    /// When it was captured; `None` if the text has no times (`-t`), or shows differences of times
    /// (`-ttt`).
    pub time: Option<TextTime>,
    /// The device, in captures of several.
    pub device: Option<String>,
    /// Which way it went, seen from the host that captured it.
    pub direction: Option<Direction>,
    /// How long its frame was, if the text shows it (`-e`).
    pub original_length: Option<u32>,
    /// The VLAN of the outermost tag (`-e`).
    pub vlan: Option<u16>,
    /// What is known of the packet. Bytes say more than words.
    pub known: Known,
    /// The packet from its IP header on, if the text shows it (`-x`).
    pub bytes: Option<Vec<u8>>,
    /// What F5's tcpdump says of it.
    pub f5: Option<F5Trailer>,
}

/// What was read of a text, for those who rely on its packets being all there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextNotices {
    /// Packets whose lines were not understood.
    pub unread: u64,
    /// The first of their lines, each with its number. Not to be shown without escaping.
    pub unread_lines: Vec<(u64, String)>,
    /// Lines that are about no capture: prose.
    pub other_lines: u64,
}
