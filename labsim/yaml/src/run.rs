//! One attempt after another to read a file into a type, each without what the last one stumbled on.
//!
//! serde's derived code ends at the first mistake. So a mistake is noted, its value is taken out,
//! and the file is read again, until nothing is left to stumble on. Where a value that was taken
//! out or is missing cannot be left out, a [stand-in](crate::stand_in) is read in its place, so
//! that what stands beside it and around it is still examined. No mistake is noted that may only
//! follow from another one: a type's own complaint about a collection in which something was taken
//! out or stands in.
//!
//! Once a mistake is noted the value itself is of no use, so items and entries that were read well
//! are left out of later attempts, unless the type complains that they are missing. The time is
//! thus that of one attempt for the whole file, and of a short one for each mistake.
//!
//! For a caller who wants what can be read of a file with mistakes, further attempts follow without
//! stand-ins: what lacks a part that it needs is taken out as a whole.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::deserializer::At;
use crate::failure::{Failure, Place, Slot, What};
use crate::notes::Notes;
use crate::read::Lost;
use crate::stand_in;
use crate::tree::{Kind, NodeId, Tree};
use crate::words::{expected, found, list, meant, quote};

/// How many values are read before the search for further mistakes is given up: about a second.
const WORK_LIMIT: usize = 2_000_000;

/// What earlier attempts found out about a node.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// A mistake: not read again.
    out: bool,
    /// Was read well.
    well: bool,
    /// A collection in which a wrong part is left out or something stands in.
    changed: bool,
    /// A collection that lacks parts because they were read well.
    short: bool,
    /// A collection that is to be read with the parts that were read well.
    whole: bool,
}

/// What the attempts are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The value of a file without mistakes.
    Value,
    /// Further mistakes, after a first one.
    Mistakes,
    /// What is without mistakes in a file that has some.
    Rest,
}

/// What is known of the file so far.
#[derive(Debug)]
pub(crate) struct Run<'t> {
    pub(crate) tree: &'t Tree,
    notes: RefCell<Notes>,
    known: RefCell<Vec<Known>>,
    /// The stand-ins, and how many were tried before.
    stand_ins: RefCell<BTreeMap<(NodeId, Slot), usize>>,
    /// Keys that are missing because they are misspelt.
    misspelt: RefCell<BTreeSet<(NodeId, String)>>,
    aim: Cell<Aim>,
    lost: RefCell<Lost>,
    work: Cell<usize>,
}

/// What came of reading a tree.
pub(crate) struct Outcome<T> {
    pub(crate) value: Option<T>,
    pub(crate) notes: Notes,
    pub(crate) lost: Lost,
}

/// Reads the tree: the value of one without mistakes, or the notes of them and, where `partly`,
/// the rest of the value.
pub(crate) fn read<T: DeserializeOwned>(tree: &Tree, notes: Notes, partly: bool) -> Outcome<T> {
    let known = tree
        .nodes
        .iter()
        .map(|node| Known { out: matches!(node.kind, Kind::Broken), ..Known::default() })
        .collect();
    let run = Run {
        tree,
        notes: RefCell::new(notes),
        known: RefCell::new(known),
        stand_ins: RefCell::default(),
        misspelt: RefCell::default(),
        aim: Cell::new(Aim::Value),
        lost: RefCell::default(),
        work: Cell::new(0),
    };
    let mut value = run.attempts();
    if run.aim.get() == Aim::Mistakes || !run.stand_ins.borrow().is_empty() {
        value = None;
        if partly {
            run.aim.set(Aim::Rest);
            run.work.set(0);
            value = run.attempts();
        }
    }
    Outcome { value, notes: run.notes.into_inner(), lost: run.lost.into_inner() }
}

impl Run<'_> {
    /// Reads until there is nothing left to stumble on, or nothing left.
    fn attempts<T: DeserializeOwned>(&self) -> Option<T> {
        while !self.is_out(Tree::ROOT) {
            if self.aim.get() != Aim::Rest && self.notes.borrow().is_full() {
                self.notes.borrow_mut().add_more();
                self.aim.set(Aim::Mistakes);
                return None;
            }
            self.lost.take();
            match T::deserialize(At { run: self, node: Tree::ROOT }) {
                Ok(value) => return Some(value),
                Err(failure) if self.aim.get() == Aim::Rest => self.give_up(&failure),
                Err(failure) => self.learn(failure),
            }
        }
        None
    }

    /// Takes the value that an attempt came to out of the rest.
    fn give_up(&self, failure: &Failure) {
        self.take_out(match failure.place {
            _ if matches!(failure.what, What::Tired) => Tree::ROOT,
            Some(Place::Node(node) | Place::StandIn(node, _)) => node,
            None => Tree::ROOT,
        });
    }

    fn known(&self, node: NodeId) -> Known {
        self.known.borrow().get(node).copied().unwrap_or_default()
    }

    fn learn_of(&self, node: NodeId, learn: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.borrow_mut().get_mut(node) {
            learn(known);
        }
    }

    pub(crate) fn is_out(&self, node: NodeId) -> bool {
        self.known(node).out
    }

    /// Whether a part of a collection is left out of this attempt.
    pub(crate) fn skips(&self, collection: NodeId, part: NodeId) -> bool {
        let Known { out, well, .. } = self.known(part);
        let spare = well && self.aim.get() == Aim::Mistakes && !self.known(collection).whole;
        if out || spare {
            self.learn_of(collection, |known| {
                known.changed |= out;
                known.short |= !out;
            });
        }
        out || spare
    }

    /// Has collections read whole that were short; false if there were none, so that a complaint
    /// about them is not due to that.
    fn make_whole(&self, nodes: std::ops::RangeInclusive<NodeId>) -> bool {
        let mut known = self.known.borrow_mut();
        let Some(nodes) = known.get_mut(nodes) else { return false };
        let mut short = false;
        for known in nodes.iter_mut().filter(|known| known.short && !known.whole) {
            known.whole = true;
            short = true;
        }
        short
    }

    /// Whether values may be made up in place of those that are out.
    pub(crate) fn makes_up(&self) -> bool {
        self.aim.get() != Aim::Rest
    }

    /// A mapping's entry is not part of the value.
    pub(crate) fn lose_key(&self, key: NodeId) {
        // Those of a search for mistakes are of no use, and very many.
        if self.aim.get() != Aim::Mistakes {
            self.lost.borrow_mut().keys.insert(self.tree.text(key).to_owned());
        }
    }

    /// A list's item or a structure's field is not part of the value.
    pub(crate) fn lose_other(&self) {
        self.lost.borrow_mut().others = true;
    }

    /// An item or an entry's value was read well.
    pub(crate) fn is_well(&self, part: NodeId) {
        self.learn_of(part, |known| known.well = true);
    }

    /// Counts one value read.
    pub(crate) fn work(&self) -> Result<(), Failure> {
        self.work.set(self.work.get() + 1);
        if self.work.get() > WORK_LIMIT { Err(What::Tired.into()) } else { Ok(()) }
    }

    /// How many stand-ins were tried in a slot that needs one.
    pub(crate) fn need_stand_in(&self, node: NodeId, slot: Slot) -> usize {
        self.learn_of(node, |known| known.changed = true);
        *self.stand_ins.borrow_mut().entry((node, slot)).or_insert(0)
    }

    /// The keys of a structure that something stands in for.
    pub(crate) fn fields_standing_in(&self, node: NodeId) -> Vec<&'static str> {
        if !self.makes_up() {
            return Vec::new();
        }
        let stand_ins = self.stand_ins.borrow();
        let of_node = stand_ins.range((node, Slot::Field(""))..(node, Slot::Item(0)));
        of_node
            .filter_map(|((_, slot), _)| match slot {
                Slot::Field(name) => Some(*name),
                _ => None,
            })
            .collect()
    }

    fn note(&self, node: NodeId, message: impl Into<String>) {
        self.notes.borrow_mut().add(self.tree.span(node), message);
    }

    /// Notes a mistake about a part of `collection` that is then read as if it were not there.
    pub(crate) fn drop_part(&self, collection: NodeId, part: NodeId, message: String) {
        self.note(part, message);
        self.learn_of(collection, |known| known.changed = true);
    }

    /// Notes a key that is not allowed in a mapping.
    pub(crate) fn unknown_key(&self, map: NodeId, key: NodeId, allowed: &[&'static str]) {
        if self.is_out(key) {
            if self.misspelt.borrow().iter().any(|(misspelt, _)| *misspelt == map) {
                self.lose_other();
            }
            return;
        }
        self.learn_of(key, |known| known.out = true);
        let given = self.tree.text(key);
        let Kind::Map(entries) = self.tree.kind(map) else { return };
        if self.notes.borrow().is_full() {
            // The words are not wanted, and there may be very many such keys.
            return self.notes.borrow_mut().add_more();
        }
        let is_given = |name: &str| entries.iter().any(|(key, _)| self.tree.text(*key) == name);
        let slip = meant(given, allowed.iter().copied().filter(|name| !is_given(name)));
        let mut message = format!("unknown key {}", quote(given));
        if let Some(name) = slip {
            self.misspelt.borrow_mut().insert((map, name.to_owned()));
            self.lose_other();
            message += &format!("; did you mean {}?", quote(name));
        } else if allowed.is_empty() {
            message += "; no key is allowed here, take it out";
        } else {
            message += "; take it out or correct it";
        }
        if !allowed.is_empty() {
            let verb = if allowed.len() == 1 { "is" } else { "are" };
            message += &format!(" (allowed here {verb} {})", list(allowed, "and"));
        }
        self.drop_part(map, key, message);
    }

    /// Whether something within `node` was left out or stands in.
    fn is_changed_within(&self, node: NodeId) -> bool {
        let known = self.known.borrow();
        known.get(self.tree.within(node)).is_some_and(|n| n.iter().any(|n| n.changed || n.out))
    }

    /// Takes from a failed attempt what the next one does otherwise: a value is taken out, a
    /// stand-in added, or the next one tried. Each of these is bounded, so the attempts end.
    fn learn(&self, failure: Failure) {
        self.aim.set(Aim::Mistakes);
        let node = match failure.place {
            Some(Place::Node(node)) => node,
            Some(Place::StandIn(..)) if matches!(failure.what, What::Tired) => Tree::ROOT,
            Some(Place::StandIn(node, slot)) => return self.next_stand_in(node, slot),
            None => Tree::ROOT,
        };
        let complains_of = match failure.what {
            What::Custom(_) | What::Expected(_) => Some(self.tree.within(node)),
            What::MissingKey(_) => Some(node..=node),
            _ => None,
        };
        if complains_of.is_some_and(|nodes| self.make_whole(nodes)) {
            return;
        }
        let message = match failure.what {
            What::Said(message) => Some(message),
            What::Custom(message) => Some(message).filter(|_| !self.is_changed_within(node)),
            What::Expected(serde) => self.expected(node, &serde),
            What::MissingKey(key) => match self.missing(node, key) {
                Some(message) => message,
                None => return,
            },
            What::UnknownKey(allowed) => match self.map_of(node) {
                // A key that is told only as one of any, as types do that take text or a mapping.
                Some((map, value)) if !self.is_out(value) => {
                    self.unknown_key(map, node, allowed);
                    return self.take_out(value);
                }
                _ => None,
            },
            What::RepeatedKey(key) => {
                Some(format!("the key {} is given under two of its names; keep one", quote(key)))
            }
            What::Tired => {
                self.notes.borrow_mut().add_more();
                return self.take_out(Tree::ROOT);
            }
        };
        if let Some(message) = message {
            self.note(node, message);
        } else if self.notes.borrow().is_empty() {
            self.note(node, "this value is not allowed here; see the format's description");
        }
        self.take_out(node);
    }

    /// Takes a value out; the whole document if that value is out already, which would go on
    /// without end. Only a type that reads a value in two ways can come to that.
    fn take_out(&self, node: NodeId) {
        let node = if self.is_out(node) { Tree::ROOT } else { node };
        self.learn_of(node, |known| known.out = true);
    }

    /// The mapping that a key stands in, and its value.
    fn map_of(&self, key: NodeId) -> Option<(NodeId, NodeId)> {
        self.tree.nodes.iter().enumerate().find_map(|(map, node)| match &node.kind {
            Kind::Map(entries) => {
                entries.iter().find(|(name, _)| *name == key).map(|(_, value)| (map, *value))
            }
            _ => None,
        })
    }

    fn entry(&self, map: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        match self.tree.kind(map) {
            Kind::Map(entries) => {
                entries.iter().copied().find(|(name, _)| self.tree.text(*name) == key)
            }
            _ => None,
        }
    }

    fn expected(&self, node: NodeId, serde: &str) -> Option<String> {
        if self.is_changed_within(node) {
            return None;
        }
        let found = found(self.tree.kind(node));
        Some(match expected(serde) {
            Some(expected) => format!("expected {expected}, found {found}"),
            None => format!("{found} is not allowed here; see the format's description"),
        })
    }

    /// A key is missing: nothing more to do if something can stand in for it, or else what to say
    /// of the whole mapping, if anything.
    fn missing(&self, node: NodeId, key: &'static str) -> Option<Option<String>> {
        let follows = self.misspelt.borrow().contains(&(node, key.to_owned()))
            || self.entry(node, key).is_some_and(|(_, value)| self.is_out(value));
        let message = (!follows).then(|| format!("the key {} is missing here; add it", quote(key)));
        if self.stand_ins.borrow().contains_key(&(node, Slot::Field(key))) {
            return Some(message);
        }
        if let Some(message) = message {
            self.note(node, message);
        }
        self.need_stand_in(node, Slot::Field(key));
        None
    }

    fn next_stand_in(&self, node: NodeId, slot: Slot) {
        let mut stand_ins = self.stand_ins.borrow_mut();
        let tried = stand_ins.entry((node, slot)).or_insert(0);
        *tried += 1;
        if *tried >= stand_in::VARIETY {
            // Nothing fits: the whole collection goes, or the one entry with a wrong key.
            self.take_out(if let Slot::Key(value) = slot { value } else { node });
        }
    }
}
