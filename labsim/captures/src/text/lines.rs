//! Divides a text into packets, captures and what stands around them.

use super::clock::Clock;
use super::hex::Hex;
use super::numbers::Numbers;
use super::record::begins;
use super::section::{About, Section, has_option};
use super::wrapped::read;
use super::{TextFrame, TextNotices};
use crate::fragment::inside_fragment;
use crate::packet::{Known, Packet, Transport};
use labsim_wire::decode::{Content, Decoded, decode_network};
use labsim_wire::link::{self, Link};
use std::io::{self, BufRead, Read};

/// The longest line that is read, in bytes; what is longer is cut.
const MAX_LINE: u64 = 1 << 16;

/// Lines of one packet at most, those of its bytes aside, and of them those that are not indented: each may
/// have been wrapped in two ways.
const MAX_LINES: usize = 64;
const MAX_LOOSE_LINES: usize = 12;

/// Bytes of one packet's lines at most.
const MAX_TEXT: usize = 1 << 14;

/// Captures of one text at most; further ones belong to the last.
const MAX_SECTIONS: usize = 4096;

/// Lines that were not understood and are kept at most.
const MAX_UNREAD: usize = 100;

/// Reads a text. Use [`TextReader::next_frame`] until it says `None` or an error.
#[derive(Debug)]
pub struct TextReader<R> {
    input: R,
    /// The number of the line that was read last.
    line: u64,
    sections: Vec<Section>,
    /// Whether the next packet begins a capture of its own.
    is_apart: bool,
    /// Whether the last capture has a packet yet.
    has_begun: bool,
    numbers: Numbers,
    record: Option<Record>,
    /// A packet that was read and not given yet.
    ready: Option<TextFrame>,
    clock: Clock,
    notices: TextNotices,
    is_ended: bool,
}

/// The lines of a packet.
#[derive(Debug)]
struct Record {
    line: u64,
    /// Quotes (`> `) before its first line.
    quotes: usize,
    first: String,
    /// Further lines, and whether they are indented.
    others: Vec<(bool, String)>,
    hex: Hex,
}

impl Record {
    /// Whether no packet has more lines than this: what follows is something else.
    fn is_full(&self) -> bool {
        let loose = self.others.iter().filter(|(is_indented, _)| !is_indented).count();
        let length: usize = self.others.iter().map(|(_, line)| line.len()).sum();
        self.others.len() >= MAX_LINES || loose >= MAX_LOOSE_LINES || length >= MAX_TEXT
    }
}

impl<R: BufRead> TextReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            sections: Vec::new(),
            is_apart: true,
            has_begun: false,
            numbers: Numbers::default(),
            record: None,
            ready: None,
            clock: Clock::default(),
            notices: TextNotices::default(),
            is_ended: false,
        }
    }

    /// The captures of the packets that were read so far.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// What was noticed so far.
    #[must_use]
    pub fn notices(&self) -> &TextNotices {
        &self.notices
    }

    /// The next packet; `None` at the end of the text.
    ///
    /// # Errors
    /// Those of the input.
    pub fn next_frame(&mut self) -> io::Result<Option<TextFrame>> {
        loop {
            if let Some(frame) = self.ready.take() {
                return Ok(Some(frame));
            }
            match self.next_line()? {
                Some(line) => self.take(&line),
                None if self.is_ended => return Ok(None),
                None => {
                    self.is_ended = true;
                    self.flush();
                }
            }
        }
    }

    /// A line without its end; what is no UTF-8 is replaced.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if bytes.last() != Some(&b'\n') {
            self.skip_line()?;
        }
        let text = String::from_utf8_lossy(&bytes);
        // The mark that some editors begin a text with.
        Ok(Some(without_escapes(text.trim_start_matches('\u{feff}').trim_end())))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(length);
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, line: &str) {
        let (quotes, plain) = without_quotes(line, usize::MAX);
        if plain.trim().is_empty() {
            self.flush();
        } else if is_fence(plain) {
            self.flush();
            self.is_apart = true;
        } else if begins(plain) {
            self.flush();
            let first = plain.trim().to_owned();
            let (others, hex) = (Vec::new(), Hex::default());
            self.record = Some(Record { line: self.line, quotes, first, others, hex });
        } else if let Some(about) = About::of(plain.trim()) {
            self.flush();
            self.about(about);
        } else if let Some(record) = &mut self.record {
            let (_, own) = without_quotes(line, record.quotes);
            if record.hex.line(own) {
                return;
            }
            let is_indented = own.starts_with([' ', '\t']);
            record.others.push((is_indented, own.trim().to_owned()));
            if record.is_full() {
                self.flush();
            }
        } else {
            self.other();
        }
    }

    /// A line that is about no capture: what follows it is apart from what was before.
    fn other(&mut self) {
        self.notices.other_lines += 1;
        self.is_apart = true;
    }

    fn about(&mut self, about: About) {
        match about {
            About::Command { prompt, command } => {
                let all_absolute = has_option(&command, 'S');
                self.begin(true, Some(all_absolute));
                if let Some(section) = self.sections.last_mut() {
                    (section.prompt, section.command) = (Some(prompt), Some(command));
                }
            }
            About::Banner { interface, file, link, snap_length } => {
                let is_of_command = !self.has_begun
                    && !self.is_apart
                    && self
                        .sections
                        .last()
                        .is_some_and(|it| it.link.is_none() && it.command.is_some());
                if !is_of_command {
                    self.begin(true, None);
                }
                if let Some(section) = self.sections.last_mut() {
                    (section.interface, section.file) = (interface, file);
                    (section.link, section.snap_length) = (link, snap_length);
                }
            }
            About::Dropped(count) => {
                if let Some(section) = self.sections.last_mut() {
                    section.dropped = Some(count);
                }
                self.is_apart = true;
            }
            About::End => self.is_apart = true,
            About::Other => {}
        }
    }

    /// Begins a capture: whether the text shows it from tcpdump's first packet on, and whether all its
    /// numbers are absolute.
    fn begin(&mut self, from_start: bool, are_absolute: Option<bool>) {
        if self.sections.len() < MAX_SECTIONS {
            self.sections.push(Section { line: self.line, ..Section::default() });
        }
        self.numbers = Numbers::begin(from_start, are_absolute);
        (self.is_apart, self.has_begun, self.clock) = (false, false, Clock::default());
    }

    /// Reads the record that has ended, if there is one.
    fn flush(&mut self) {
        let Some(record) = self.record.take() else { return };
        let bytes = record.hex.finish();
        let Some((mut parsed, used)) = read(&record.first, &record.others) else {
            if record.first.contains("IP") {
                self.numbers.miss_one();
            }
            self.notices.unread += 1;
            if self.notices.unread_lines.len() < MAX_UNREAD {
                self.notices.unread_lines.push((record.line, record.first));
            }
            return;
        };
        if self.is_apart {
            self.begin(false, None);
            if let Some(section) = self.sections.last_mut() {
                section.line = record.line;
            }
        }
        self.has_begun = true;
        let command = self.sections.last().and_then(|it| it.command.as_deref());
        let time = parsed.time.and_then(|time| self.clock.time(time, parsed.is_row, command));
        if let Known::Ip(packet) = &mut parsed.known {
            let (source, destination) = (packet.innermost().source, packet.innermost().destination);
            // What those of tshark's rows are relative to is not shown.
            if let (false, Transport::Tcp(tcp)) = (parsed.is_row, &mut packet.transport) {
                self.numbers.resolve(source, destination, tcp);
            }
        }
        let network = bytes.and_then(|bytes| network(&parsed.known, bytes));
        let (known, bytes) = match network {
            Some((known, bytes)) => (known, Some(bytes)),
            None => (parsed.known, None),
        };
        self.ready = Some(TextFrame {
            line: record.line,
            section: self.sections.len().saturating_sub(1),
            time,
            device: parsed.device,
            direction: parsed.direction,
            original_length: parsed.original_length,
            vlan: parsed.vlan,
            known,
            bytes,
            f5: parsed.f5,
        });
        let left = record.others.get(used..).unwrap_or_default();
        for _ in left.iter().filter(|(is_indented, _)| !is_indented) {
            self.other();
        }
    }
}

/// What bytes say, if they are those of the packet that the words describe: from the IP header on, or with
/// the link layer (`-xx`).
fn network(words: &Known, bytes: Vec<u8>) -> Option<(Known, Vec<u8>)> {
    let Known::Ip(words) = words else { return None };
    [Link::Raw, Link::Ethernet, Link::Sll2, Link::Sll].into_iter().find_map(|link| {
        let header = link::parse(link, &bytes)?;
        let network = bytes.get(header.length..)?;
        // The text does not show how long the frame was.
        let content = decode_network(header.ethertype, network, usize::MAX);
        let Content::Ip(_) = content else { return None };
        let known = Known::of(&Decoded { link: None, content }).with_datagram(network);
        match inside_fragment(&known, network).unwrap_or(known) {
            Known::Ip(packet) if is_same(words, &packet) => {
                Some((Known::Ip(packet), network.to_vec()))
            }
            _ => None,
        }
    })
}

fn is_same(one: &Packet, other: &Packet) -> bool {
    (one.outermost.source, one.outermost.destination)
        == (other.outermost.source, other.outermost.destination)
}

/// A line without the quotes (`> `) before it, `most` of them at most, and their number.
fn without_quotes(line: &str, most: usize) -> (usize, &str) {
    let (mut count, mut rest) = (0, line);
    while count < most
        && let Some(quoted) = rest.trim_start().strip_prefix('>')
    {
        rest = quoted.strip_prefix(' ').unwrap_or(quoted);
        count += 1;
    }
    (count, rest)
}

/// A fence of Markdown.
fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// A line without colours and other control sequences of terminals.
fn without_escapes(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            text.push(character);
        } else if characters.next() == Some('[') {
            // Parameters, and a letter that ends them.
            let _ = characters.by_ref().find(|it| ('@'..='~').contains(it));
        }
    }
    text
}
