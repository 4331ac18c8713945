//! tmsh configuration text as it is written: stanzas, blocks, words.

use crate::place::Place;
use crate::text::has_word;

/// `ltm virtual vs { … }`.
#[derive(Debug)]
pub(crate) struct Stanza {
    pub(crate) verb: Verb,
    /// What stands before the brace; at least one word.
    pub(crate) words: Vec<Word>,
    pub(crate) body: Body,
}

/// What a text does with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It shows it, or creates it.
    List,
    /// It changes some properties.
    Modify,
}

#[derive(Debug)]
pub(crate) enum Body {
    Block(Block),
    /// A program, of which only the extent is known.
    Opaque,
}

/// A word, bare or quoted.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum Item {
    Word(Word),
    Block(Block),
}

impl Item {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Word(word) => word.place,
            Self::Block(block) => block.place,
        }
    }
}

/// What stands between braces.
#[derive(Debug)]
pub(crate) struct Block {
    /// The opening brace.
    pub(crate) place: Place,
    /// What each line holds; no empty ones.
    pub(crate) lines: Vec<Vec<Item>>,
    /// Whether no line breaks inside, as in `{ type automap }`.
    pub(crate) one_line: bool,
}

/// `key value …` in a block.
#[derive(Debug)]
pub(crate) struct Property<'t> {
    /// `None` for a block that stands without a word before it.
    pub(crate) key: Option<&'t Word>,
    pub(crate) values: Vec<&'t Item>,
    pub(crate) place: Place,
}

impl<'t> Property<'t> {
    /// The key's text; empty without one.
    pub(crate) fn name(&self) -> &'t str {
        self.key.map_or("", |key| key.text.as_str())
    }

    /// The value, where there is exactly one and it is a word.
    pub(crate) fn word(&self) -> Option<&'t Word> {
        match self.values.as_slice() {
            [Item::Word(word)] => Some(word),
            _ => None,
        }
    }

    /// The value, where there is exactly one and it is a block.
    pub(crate) fn block(&self) -> Option<&'t Block> {
        match self.values.as_slice() {
            [Item::Block(block)] => Some(block),
            _ => None,
        }
    }

    /// Whether it says that there is nothing: `none` or an empty block.
    pub(crate) fn is_none(&self) -> bool {
        match self.values.as_slice() {
            [Item::Word(word)] => word.text == "none",
            [Item::Block(block)] => block.lines.is_empty(),
            _ => false,
        }
    }
}

/// Words that take no value, which matters where several properties share a line.
const FLAGS: &str = "\
    enabled disabled vlans-enabled vlans-disabled ip-forward l2-forward internal reject \
    stateless dhcp-relay up down";

impl Block {
    /// Its lines as properties: a key, and its values up to the end of the line or of a block.
    pub(crate) fn properties(&self) -> Vec<Property<'_>> {
        let mut all = Vec::new();
        for line in &self.lines {
            let mut rest = line.as_slice();
            while let Some(first) = rest.first() {
                let (key, values) = match first {
                    Item::Word(word) => (Some(word), &rest[1..]),
                    Item::Block(_) => (None, rest),
                };
                let taken = if self.one_line && !has_word(FLAGS, key.map_or("", |key| &key.text)) {
                    one_value(values)
                } else if self.one_line {
                    0
                } else {
                    up_to_block(values)
                };
                let (values, after) = values.split_at(taken);
                let place =
                    values.last().map_or(first.place(), |last| first.place().to(last.place()));
                all.push(Property { key, values: values.iter().collect(), place });
                rest = after;
            }
        }
        all
    }

    /// Its words, each with the block behind it if there is one: `{ ipip }`, `{ tcp { } udp { } }`.
    pub(crate) fn names(&self) -> Vec<(&Word, Option<&Block>)> {
        let mut all: Vec<(&Word, Option<&Block>)> = Vec::new();
        for line in &self.lines {
            // A block belongs to the word before it on its own line.
            let mut is_open = false;
            for item in line {
                match item {
                    Item::Word(word) => {
                        all.push((word, None));
                        is_open = true;
                    }
                    Item::Block(block) if is_open => {
                        if let Some((_, found)) = all.last_mut() {
                            *found = Some(block);
                        }
                        is_open = false;
                    }
                    Item::Block(_) => {}
                }
            }
        }
        all
    }
}

/// How many items are the value of a key in a line of several properties: one, more where they
/// are joined by `and`, or chosen from as in `min 1 of { a b }`.
fn one_value(items: &[Item]) -> usize {
    let word = |at: usize| match items.get(at) {
        Some(Item::Word(word)) => word.text.as_str(),
        _ => "",
    };
    if word(0) == "min" && word(2) == "of" {
        return items.len().min(4);
    }
    let mut taken = items.len().min(1);
    while word(taken) == "and" {
        taken = items.len().min(taken + 2);
    }
    taken
}

fn up_to_block(items: &[Item]) -> usize {
    items
        .iter()
        .position(|item| matches!(item, Item::Block(_)))
        .map_or(items.len(), |block| block + 1)
}
