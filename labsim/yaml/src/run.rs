//! One attempt after another to read a file into a type, each without what the last one stumbled on.
//!
//! serde's derived code ends at the first mistake. So a mistake is noted, its value is taken out,
//! and the file is read again, until nothing is left to stumble on. Where a value that was taken
//! out or is missing cannot be left out, a [stand-in](crate::stand_in) is read in its place, so
//! that what stands beside it and around it is still examined. No mistake is noted that may only
//! follow from another one: a type's own complaint about a collection in which something was taken
//! out or stands in.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::deserializer::At;
use crate::failure::{Failure, Place, Slot, What};
use crate::notes::Notes;
use crate::stand_in;
use crate::tree::{Kind, NodeId, Tree};
use crate::words::{expected, found, list, meant, quote};

/// How many values are read before the search for further mistakes is given up: about a second.
const WORK_LIMIT: usize = 4_000_000;

/// What is known of the file so far.
#[derive(Debug)]
pub(crate) struct Run<'t> {
    pub(crate) tree: &'t Tree,
    notes: RefCell<Notes>,
    /// Values that are not read again.
    out: RefCell<BTreeSet<NodeId>>,
    /// Collections in which a key was dropped or something stands in.
    changed: RefCell<BTreeSet<NodeId>>,
    /// The stand-ins, and how many were tried before.
    stand_ins: RefCell<BTreeMap<(NodeId, Slot), usize>>,
    /// Keys that are missing because they are misspelt.
    misspelt: RefCell<BTreeSet<(NodeId, String)>>,
    work: Cell<usize>,
}

/// Reads the tree; the value, unless there are mistakes, which are noted.
pub(crate) fn read<T: DeserializeOwned>(tree: &Tree, notes: Notes) -> (Option<T>, Notes) {
    let out = tree.nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, Kind::Broken));
    let run = Run {
        tree,
        notes: RefCell::new(notes),
        out: RefCell::new(out.map(|(id, _)| id).collect()),
        changed: RefCell::default(),
        stand_ins: RefCell::default(),
        misspelt: RefCell::default(),
        work: Cell::new(0),
    };
    let value = loop {
        if run.is_out(Tree::ROOT) || run.notes.borrow().is_full() {
            break None;
        }
        match T::deserialize(At { run: &run, node: Tree::ROOT }) {
            Ok(value) => break Some(value),
            Err(failure) => run.learn(failure.or_at(Tree::ROOT)),
        }
    };
    (value, run.notes.into_inner())
}

impl Run<'_> {
    pub(crate) fn is_out(&self, node: NodeId) -> bool {
        self.out.borrow().contains(&node)
    }

    /// Counts one value read.
    pub(crate) fn work(&self) -> Result<(), Failure> {
        self.work.set(self.work.get() + 1);
        if self.work.get() > WORK_LIMIT { Err(What::Tired.into()) } else { Ok(()) }
    }

    /// How many stand-ins were tried in a slot; nothing if none is needed there.
    pub(crate) fn stand_in(&self, node: NodeId, slot: Slot) -> Option<usize> {
        self.stand_ins.borrow().get(&(node, slot)).copied()
    }

    /// How many stand-ins were tried in a slot that needs one.
    pub(crate) fn need_stand_in(&self, node: NodeId, slot: Slot) -> usize {
        self.changed.borrow_mut().insert(node);
        *self.stand_ins.borrow_mut().entry((node, slot)).or_insert(0)
    }

    /// The keys of a structure that something stands in for.
    pub(crate) fn fields_standing_in(&self, node: NodeId) -> Vec<(&'static str, usize)> {
        let stand_ins = self.stand_ins.borrow();
        let of_node = stand_ins.range((node, Slot::Field(""))..(node, Slot::Item(0)));
        of_node
            .filter_map(|((_, slot), tried)| match slot {
                Slot::Field(name) => Some((*name, *tried)),
                _ => None,
            })
            .collect()
    }

    /// Notes a mistake about a part of `collection` that is then read as if it were not there.
    pub(crate) fn drop_part(&self, collection: NodeId, part: NodeId, message: String) {
        self.notes.borrow_mut().add(self.tree.span(part), message);
        self.changed.borrow_mut().insert(collection);
    }

    /// Notes a key that is not allowed in a mapping.
    pub(crate) fn unknown_key(&self, map: NodeId, key: NodeId, allowed: &[&'static str]) {
        let given = self.tree.text(key);
        let Kind::Map(entries) = self.tree.kind(map) else { return };
        let free = allowed
            .iter()
            .copied()
            .filter(|name| !entries.iter().any(|(key, _)| self.tree.text(*key) == *name));
        let slip = meant(given, free);
        let mut message = format!("unknown key {}", quote(given));
        if let Some(name) = slip {
            self.misspelt.borrow_mut().insert((map, name.to_owned()));
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

    /// Whether something within `node` was taken out or stands in.
    fn is_changed_within(&self, node: NodeId) -> bool {
        let within = self.tree.within(node);
        self.changed.borrow().range(within.clone()).next().is_some()
            || self.out.borrow().range(within).next().is_some()
    }

    /// Takes from a failed reading what the next one does otherwise. Each call takes a value out,
    /// adds a stand-in or tries the next one; all of these are bounded, so the reading ends.
    fn learn(&self, failure: Failure) {
        let node = match failure.place {
            Some(Place::Node(node)) => node,
            Some(Place::StandIn(node, slot)) => return self.next_stand_in(node, slot),
            None => Tree::ROOT,
        };
        let message = match failure.what {
            What::Said(message) => Some(message),
            What::Custom(message) => Some(message).filter(|_| !self.is_changed_within(node)),
            What::Expected(serde) => self.expected(node, &serde),
            What::MissingKey(key) => match self.missing(node, key) {
                Some(message) => message,
                None => return,
            },
            What::UnknownKey(key, allowed) => {
                if let Kind::Map(entries) = self.tree.kind(node)
                    && let Some((key, value)) =
                        entries.iter().find(|(node, _)| self.tree.text(*node) == key)
                    && !self.is_out(*value)
                {
                    self.unknown_key(node, *key, allowed);
                    self.out.borrow_mut().insert(*value);
                    return;
                }
                None
            }
            What::RepeatedKey(key) => {
                Some(format!("the key {} is given under two of its names; keep one", quote(key)))
            }
            What::Tired => {
                self.notes.borrow_mut().add_more();
                self.out.borrow_mut().insert(Tree::ROOT);
                return;
            }
        };
        if let Some(message) = message {
            self.notes.borrow_mut().add(self.tree.span(node), message);
        }
        self.out.borrow_mut().insert(node);
    }

    fn expected(&self, node: NodeId, serde: &str) -> Option<String> {
        let found = found(self.tree.kind(node));
        match expected(serde) {
            _ if self.is_changed_within(node) => None,
            Some(expected) => Some(format!("expected {expected}, found {found}")),
            None => Some(format!("{found} is not allowed here; see the file format's description")),
        }
    }

    /// A key is missing: nothing more to do if something can stand in for it, or else what to say
    /// of the whole mapping, if anything.
    fn missing(&self, node: NodeId, key: &'static str) -> Option<Option<String>> {
        let follows = self.misspelt.borrow().contains(&(node, key.to_owned()))
            || matches!(self.tree.kind(node), Kind::Map(entries) if entries
                .iter()
                .any(|(name, value)| self.tree.text(*name) == key && self.is_out(*value)));
        let message = (!follows).then(|| format!("the key {} is missing here; add it", quote(key)));
        if self.stand_in(node, Slot::Field(key)).is_some() {
            return Some(message);
        }
        if let Some(message) = message {
            self.notes.borrow_mut().add(self.tree.span(node), message);
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
            let gone = if let Slot::Key(value) = slot { value } else { node };
            self.out.borrow_mut().insert(gone);
        }
    }
}
