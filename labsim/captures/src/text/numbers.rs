//! Sequence numbers that tcpdump printed relative to a connection's first ones, made absolute again.

use crate::packet::{Number, Tcp};
use labsim_wire::tcp::Flags;
use std::collections::HashMap;
use std::net::IpAddr;

/// Connections of one text at most; numbers of further ones stay relative.
const MAX_CONNECTIONS: usize = 1 << 20;

/// Numbers this close to their connection's first one are relative, or absolute, ones.
const NEAR: u32 = 1 << 24;

/// What a text showed of the first numbers of its connections.
///
/// It repeats what tcpdump does (`print-tcp.c`): the first segment with ACK of a connection is printed with
/// absolute numbers, and so is each SYN with ACK; the others are printed relative to those. Without ACK
/// numbers are absolute. So two captures of one connection can have different bases, even within a text.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    connections: HashMap<Key, First>,
    /// `-S`: whether all numbers are absolute, once it is known.
    are_absolute: Option<bool>,
    /// Whether the text shows its connections from tcpdump's first line on.
    from_start: bool,
}

/// Both ends of a connection, the lower one first.
type Key = ((IpAddr, u16), (IpAddr, u16));

/// What is to be added to the numbers of each end, as far as the text shows it.
#[derive(Debug, Clone, Copy, Default)]
struct First {
    lower: Option<u32>,
    upper: Option<u32>,
}

impl First {
    /// Of an end, and of the other one.
    fn of(self, is_upper: bool) -> (Option<u32>, Option<u32>) {
        if is_upper { (self.upper, self.lower) } else { (self.lower, self.upper) }
    }
}

impl Numbers {
    /// Begins a text: whether it has tcpdump's banner or command line, and whether that has `-S`.
    pub(super) fn begin(from_start: bool, are_absolute: Option<bool>) -> Self {
        Self { connections: HashMap::new(), are_absolute, from_start }
    }

    /// A packet could not be read: it may have been the first of a connection.
    pub(super) fn miss_one(&mut self) {
        self.from_start = false;
    }

    /// Makes the numbers of a segment absolute, or says that they are relative.
    pub(super) fn resolve(&mut self, source: IpAddr, destination: IpAddr, tcp: &mut Tcp) {
        let flags = tcp.flags.unwrap_or_default();
        let (Some(from), Some(to)) = tcp.ports else {
            // A port's name is as good as its number, but both ends are needed to know a connection.
            relative(tcp);
            return;
        };
        let (from, to) = ((source, from), (destination, to));
        let is_reversed = from > to;
        let key = if is_reversed { (to, from) } else { (from, to) };
        if !flags.contains(Flags::ACK) {
            // Its number is the connection's first one: what follows is whole.
            if flags.contains(Flags::SYN) {
                self.connections.remove(&key);
            }
            return;
        }
        match self.connections.get(&key).copied().filter(|_| !flags.contains(Flags::SYN)) {
            Some(first) => self.add(first.of(is_reversed), tcp),
            None => {
                let first = self.first(is_reversed, flags, tcp);
                if self.connections.contains_key(&key) || self.connections.len() < MAX_CONNECTIONS {
                    self.connections.insert(key, first.unwrap_or_default());
                }
                if first.is_none() {
                    relative(tcp);
                }
            }
        }
    }

    /// The bases that a segment with ACK tells, if it is tcpdump's first of the connection. Without `-v` a
    /// bare acknowledgement has no sequence number.
    fn first(&self, is_reversed: bool, flags: Flags, tcp: &Tcp) -> Option<First> {
        let is_whole = self.from_start || self.are_absolute == Some(true);
        if !is_whole && !flags.contains(Flags::SYN) {
            return None;
        }
        let own = plain(tcp.sequence);
        let other = plain(tcp.acknowledgement).map(|number| number.wrapping_sub(1));
        let (lower, upper) = if is_reversed { (other, own) } else { (own, other) };
        Some(First { lower, upper })
    }

    fn add(&mut self, (own, other): (Option<u32>, Option<u32>), tcp: &mut Tcp) {
        for (number, base) in [(&mut tcp.sequence, own), (&mut tcp.acknowledgement, other)] {
            let Some(printed) = plain(*number) else { continue };
            let Some(base) = base else {
                let is_absolute = self.are_absolute == Some(true);
                *number = Some(if is_absolute {
                    Number::Absolute(printed)
                } else {
                    Number::Relative(printed)
                });
                continue;
            };
            let as_relative = is_near(printed);
            let as_absolute = is_near(printed.wrapping_sub(base));
            let is_absolute = match (as_relative, as_absolute) {
                (true, false) => false,
                (false, true) => true,
                _ => self.are_absolute.unwrap_or(false),
            };
            if as_relative != as_absolute {
                self.are_absolute = self.are_absolute.or(Some(is_absolute));
            }
            let absolute = if is_absolute { printed } else { base.wrapping_add(printed) };
            *number = Some(Number::Absolute(absolute));
        }
    }
}

fn is_near(number: u32) -> bool {
    !(NEAR..=u32::MAX - NEAR).contains(&number)
}

fn plain(number: Option<Number>) -> Option<u32> {
    match number? {
        Number::Absolute(number) | Number::Relative(number) => Some(number),
    }
}

fn relative(tcp: &mut Tcp) {
    for number in [&mut tcp.sequence, &mut tcp.acknowledgement] {
        *number = plain(*number).map(Number::Relative);
    }
}
