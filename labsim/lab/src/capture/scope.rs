//! What of a lab is captured: the kernel's part of the choice, which costs other frames nothing, and the rest.

use super::points::{Layout, PointPlan};
use labsim_scenario::model::{Captures, Direction, FrameMatch, InterfaceName, NodeName};
use labsim_sys::filter::{Instruction, MAX_INSTRUCTIONS};
use labsim_wire::decode::{Decoded, decode};
use labsim_wire::ethernet::ethertype;
use labsim_wire::frame_store::StoredFrame;
use labsim_wire::protocol;

/// Compares a frame with header fields.
type Matches = fn(&FrameMatch, Direction, &Decoded) -> bool;

/// What is captured; everything by default.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    captures: Captures,
    /// `None` if there is nothing to be compared.
    matches: Option<Matches>,
}

/// The kernel's part, for one node.
pub(super) struct Programs {
    /// Lets through what may be captured; `None` for everything.
    pub(super) taken: Option<Vec<Instruction>>,
    /// Lets through frames that the other does not; `None` if there are none.
    pub(super) left_out: Option<Vec<Instruction>>,
}

/// A GRE device of the kernel's hands captures the outer header as well, which is cut off later: at most 60
/// bytes of IPv4, and 16 of GRE.
const OUTER: u32 = 128;
/// Instructions beside those of the interfaces.
const OTHERS: usize = 16;

const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_PROTOCOL` and `SKF_AD_IFINDEX`, and `SKF_NET_OFF` (linux/filter.h).
const PROTOCOL: u32 = (-0x1000i32) as u32;
const INTERFACE: u32 = (-0x1000i32 + 8) as u32;
const NETWORK: u32 = (-0x10_0000i32) as u32;
/// Of IPv4's header.
const IP_PROTOCOL: u32 = 9;
const WHOLE: u32 = u32::MAX;
const NOTHING: u32 = 0;

const fn load(code: u16, value: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, value }
}

/// Goes on with the next instruction if the value is this, and skips it if not.
const fn when(value: u32) -> Instruction {
    Instruction { code: JUMP_EQUAL, jump_true: 0, jump_false: 1, value }
}

const fn give(bytes: u32) -> Instruction {
    load(RETURN, bytes)
}

impl Scope {
    /// Of a scenario.
    #[must_use]
    pub fn new(captures: Captures, matches: Matches) -> Self {
        let matches = (!captures.filter.is_empty()).then_some(matches);
        Self { captures, matches }
    }

    /// Whether anything is left out.
    pub(super) fn is_partial(&self) -> bool {
        !self.captures.is_complete()
    }

    /// Whether frames of an interface are kept.
    pub(super) fn takes(&self, node: &NodeName, interface: &InterfaceName) -> bool {
        self.captures.takes(node, interface)
    }

    /// How many of a lab's interfaces.
    pub(super) fn count(&self, layout: &Layout) -> usize {
        let is_taken = |point: &&PointPlan| {
            layout.nodes.get(point.node).is_some_and(|node| self.takes(node, &point.interface))
        };
        layout.points.iter().filter(is_taken).count()
    }

    /// What is kept of a frame.
    pub(super) fn cut<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let most = self.captures.snaplen.and_then(|most| usize::try_from(most).ok());
        most.and_then(|most| bytes.get(..most)).unwrap_or(bytes)
    }

    /// Whether a frame passes the filter.
    pub(super) fn passes(&self, direction: Direction, frame: &StoredFrame<'_>) -> bool {
        let Some(matches) = self.matches else { return true };
        let length = usize::try_from(frame.original_length).unwrap_or(usize::MAX);
        let decoded = decode(frame.link, frame.bytes, length);
        self.captures.filter.iter().any(|filter| matches(filter, direction, &decoded))
    }

    /// The kernel's part, for the node of that place.
    pub(super) fn programs(&self, layout: &Layout, node: usize) -> Programs {
        let bytes = self.captures.snaplen.map_or(WHOLE, |most| most.saturating_add(OUTER));
        let whole = Programs { taken: None, left_out: None };
        let Some(name) = layout.nodes.get(node) else { return whole };
        let all = layout.points.iter().filter(|point| point.node == node);
        let taken = all.filter(|point| self.takes(name, &point.interface));
        let interfaces: Vec<u32> = taken.map(|point| point.index).collect();
        // The reader leaves out what a longer program would.
        if self.captures.points.is_none() || interfaces.len() * 2 + OTHERS > MAX_INSTRUCTIONS {
            let cut = self.captures.snaplen.map(|_| vec![give(bytes)]);
            return Programs { taken: cut, ..whole };
        }
        Programs {
            taken: Some(program(&interfaces, bytes, WHOLE, NOTHING)),
            left_out: Some(program(&interfaces, NOTHING, NOTHING, WHOLE)),
        }
    }
}

/// How much is let through of frames of these interfaces, of labsim's markers at others, and of other frames.
fn program(interfaces: &[u32], of_these: u32, of_markers: u32, of_others: u32) -> Vec<Instruction> {
    let mut program = vec![load(LOAD_WORD, INTERFACE)];
    program.extend(interfaces.iter().flat_map(|index| [when(*index), give(of_these)]));
    program.extend([
        load(LOAD_WORD, PROTOCOL),
        when(ethertype::MARKER.into()),
        give(of_markers),
        // Skips the instruction that gives nothing if it is IPv4.
        Instruction {
            code: JUMP_EQUAL,
            jump_true: 1,
            jump_false: 0,
            value: ethertype::IPV4.into(),
        },
        give(of_others),
        load(LOAD_BYTE, NETWORK.wrapping_add(IP_PROTOCOL)),
        when(protocol::MARKER.into()),
        give(of_markers),
        give(of_others),
    ]);
    program
}
