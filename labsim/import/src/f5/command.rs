//! tmsh commands that create or change an object: `create ltm pool p members add { … }`.

use super::tree::{Block, Body, Item, Stanza, Verb, Word};
use crate::place::Place;

/// What a command does with the list behind a property's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Replace,
    Add,
    Delete,
    Modify,
}

impl Op {
    fn of(word: &str) -> Option<Self> {
        match word {
            "replace-all-with" => Some(Self::Replace),
            "add" => Some(Self::Add),
            "delete" => Some(Self::Delete),
            "modify" => Some(Self::Modify),
            _ => None,
        }
    }
}

/// The stanza that a command stands for; `None` if it names no object.
pub(super) fn stanza(items: Vec<Item>, place: Place) -> Option<Stanza> {
    let mut items = items.into_iter().peekable();
    let Some(Item::Word(verb)) = items.next() else { return None };
    let mut words: Vec<Word> = Vec::new();
    while let Some(Item::Word(mut word)) = items.next_if(|item| matches!(item, Item::Word(_))) {
        if words.is_empty() {
            word.text = word.text.trim_start_matches('/').to_owned();
        }
        words.push(word);
        if words.len() == words_of_a_name(&words) {
            break;
        }
    }
    if words.len() < words_of_a_name(&words) {
        return None;
    }
    let mut rest: Vec<Item> = items.collect();
    let block = match rest.pop() {
        Some(Item::Block(block)) if rest.is_empty() => block,
        last => {
            rest.extend(last);
            Block { place, lines: vec![rest], one_line: true }
        }
    };
    if verb.text == "modify" {
        return Some(Stanza { verb: Verb::Modify, words, body: Body::Block(block) });
    }
    let lines = changes(block).into_iter().map(|change| change.items).collect();
    let body = Body::Block(Block { place, lines, one_line: false });
    Some(Stanza { verb: Verb::List, words, body })
}

/// How many words name an object: `ltm pool NAME`, `ltm profile fastl4 NAME`.
fn words_of_a_name(words: &[Word]) -> usize {
    let has_kinds = ["profile", "persistence", "monitor", "tunnels", "data-group", "dns"];
    let second = words.get(1).map_or("", |word| word.text.as_str());
    if has_kinds.contains(&second) { 4 } else { 3 }
}

/// One property of a command: its name and its values.
struct Change {
    op: Option<Op>,
    items: Vec<Item>,
}

impl Change {
    fn key(&self) -> &str {
        key(&self.items)
    }
}

fn key(items: &[Item]) -> &str {
    match items.first() {
        Some(Item::Word(word)) => &word.text,
        _ => "",
    }
}

/// Takes a block apart into its properties.
fn changes(block: Block) -> Vec<Change> {
    // Without the words for what is done, properties are those of a stanza.
    let mut ops: Vec<(usize, Op)> = Vec::new();
    let mut count = 0;
    let mut lines = Vec::new();
    for line in block.lines {
        let mut kept: Vec<Item> = Vec::new();
        let mut items = line.into_iter().peekable();
        while let Some(item) = items.next() {
            if let (Item::Word(word), Some(Item::Block(_)), false) =
                (&item, items.peek(), kept.is_empty())
                && let Some(op) = Op::of(&word.text)
            {
                ops.push((count, op));
                continue;
            }
            kept.push(item);
            count += 1;
        }
        lines.push(kept);
    }
    let block = Block { lines, ..block };
    let lengths: Vec<usize> = block
        .properties()
        .iter()
        .map(|one| usize::from(one.key.is_some()) + one.values.len())
        .collect();
    let mut items = block.lines.into_iter().flatten();
    let mut ops = ops.into_iter().peekable();
    let mut at = 0;
    let changes = lengths.into_iter().map(|length| {
        let items = items.by_ref().take(length).collect();
        at += length;
        let op = ops.next_if(|(place, _)| *place < at).map(|(_, op)| op);
        while ops.next_if(|(place, _)| *place < at).is_some() {}
        Change { op, items }
    });
    changes.collect()
}

/// Changes an object as `modify` does.
pub(super) fn modify(object: &mut Block, change: Block) {
    let empty = Block { place: object.place, lines: Vec::new(), one_line: false };
    let before = changes(std::mem::replace(object, empty));
    let mut lines: Vec<Vec<Item>> = before.into_iter().map(|one| one.items).collect();
    for change in changes(change) {
        let opposite = match change.key() {
            "enabled" => "disabled",
            "disabled" => "enabled",
            "vlans-enabled" => "vlans-disabled",
            "vlans-disabled" => "vlans-enabled",
            _ => "",
        };
        lines.retain(|line| opposite.is_empty() || key(line) != opposite);
        let known = lines.iter_mut().find(|line| key(line) == change.key());
        match (known, change.op) {
            (Some(known), Some(op)) if op != Op::Replace => change_list(known, op, change.items),
            (None, Some(Op::Delete | Op::Modify)) => {}
            (Some(known), _) => *known = change.items,
            (None, _) => lines.push(change.items),
        }
    }
    object.lines = lines;
}

/// Changes the list of a property, such as a pool's members.
fn change_list(known: &mut Vec<Item>, op: Op, change: Vec<Item>) {
    let Some(Item::Block(change)) = change.into_iter().next_back() else { return };
    let Some(Item::Block(known)) = known.last_mut() else {
        // `members none` before.
        if op == Op::Add {
            known.truncate(1);
            known.push(Item::Block(change));
        }
        return;
    };
    let mut all = names(std::mem::take(&mut known.lines));
    for mut one in names(change.lines) {
        let at = all.iter().position(|other| key(other) == key(&one));
        match (op, at) {
            (Op::Delete, Some(at)) => {
                all.remove(at);
            }
            (Op::Modify, Some(at)) => {
                let change = one.pop();
                match (all[at].last_mut(), change) {
                    (Some(Item::Block(known)), Some(Item::Block(change))) => modify(known, change),
                    (Some(Item::Word(_)), Some(change @ Item::Block(_))) => all[at].push(change),
                    _ => {}
                }
            }
            (Op::Delete | Op::Modify, None) => {}
            (Op::Add | Op::Replace, _) => all.push(one),
        }
    }
    known.lines = all;
    known.one_line = false;
}

/// A list's names, each with the block behind it.
fn names(lines: Vec<Vec<Item>>) -> Vec<Vec<Item>> {
    let mut all: Vec<Vec<Item>> = Vec::new();
    for item in lines.into_iter().flatten() {
        match (item, all.last_mut()) {
            (Item::Block(block), Some(last)) if last.len() == 1 => last.push(Item::Block(block)),
            (item, _) => all.push(vec![item]),
        }
    }
    all
}
