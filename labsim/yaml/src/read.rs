//! Reads a text into a type.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use crate::notes::Notes;
use crate::run::{self, Outcome};
use crate::source::{locate, too_large};
use crate::tree::Tree;
use crate::{Mistakes, SIZE_LIMIT, Source, Span, parse};

/// Reads YAML into a type.
///
/// Unknown keys, wrong types, missing and repeated keys, and what the type's own `Deserialize`
/// says are all found in one go; at most 100 are reported. A syntax error ends the search.
///
/// A mistake that only follows from another one is not reported. Rarely, that hides a mistake of
/// its own until the first one is corrected: a second missing key of a mapping whose first missing
/// value has a type of which no example can be guessed.
///
/// # Errors
/// Every mistake with its place.
pub fn read<T: DeserializeOwned>(source: &Source) -> Result<T, Mistakes> {
    if source.text().len() > SIZE_LIMIT {
        return Err(too_large(source.name()).into());
    }
    let (tree, notes) = parsed(source, 0).map_err(|notes| notes.into_mistakes(&[source]))?;
    whole(&tree, notes, &[source])
}

/// The value of a tree without mistakes.
pub(crate) fn whole<T: DeserializeOwned>(
    tree: &Tree,
    notes: Notes,
    sources: &[&Source],
) -> Result<T, Mistakes> {
    match run::read(tree, notes, false) {
        Outcome { value: Some(value), notes, .. } if notes.is_empty() => Ok(value),
        Outcome { notes, .. } => Err(notes.into_mistakes(sources)),
    }
}

/// What can be read of a file, for a caller who looks for further mistakes in it.
#[derive(Debug)]
pub struct Partial<T> {
    /// The value without what is wrong; nothing if the whole is wrong, as after a syntax error.
    ///
    /// Nothing in it is made up. A list lacks its wrong items, a mapping its wrong entries, and a
    /// field that has a default has it in place of a wrong value; what cannot do without a wrong or
    /// missing part is left out as a whole.
    pub value: Option<T>,
    /// Every mistake, as [`read`] reports them; if there are none, the value is whole.
    pub mistakes: Mistakes,
    /// What the value lacks.
    pub lost: Lost,
}

/// What was left out of a [`Partial`] value: it stands in the file, and is not to be called missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// The keys of entries of mappings with any keys.
    pub keys: BTreeSet<String>,
    /// Items of lists, values of fields, or what stands under a misspelt key.
    pub others: bool,
}

impl Lost {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.others
    }
}

/// Reads what can be read of YAML into a type, and reports every mistake as [`read`] does.
#[must_use]
pub fn read_partly<T: DeserializeOwned>(source: &Source) -> Partial<T> {
    if source.text().len() > SIZE_LIMIT {
        let lost = Lost { others: true, ..Lost::default() };
        return Partial { value: None, mistakes: too_large(source.name()).into(), lost };
    }
    match parsed(source, 0) {
        Ok((tree, notes)) => partly(Some(&tree), notes, &[source]),
        Err(notes) => partly(None, notes, &[source]),
    }
}

/// What can be read of a tree; of none, if the text is no YAML.
pub(crate) fn partly<T: DeserializeOwned>(
    tree: Option<&Tree>,
    notes: Notes,
    sources: &[&Source],
) -> Partial<T> {
    let Some(tree) = tree else {
        let lost = Lost { others: true, ..Lost::default() };
        return Partial { value: None, mistakes: notes.into_mistakes(sources), lost };
    };
    let Outcome { value, notes, mut lost } = run::read(tree, notes, true);
    lost.others |= value.is_none();
    Partial { value, mistakes: notes.into_mistakes(sources), lost }
}

/// The tree of a text and the mistakes in it so far; `file` is its number in the document.
pub(crate) fn parsed(source: &Source, file: u32) -> Result<(Tree, Notes), Notes> {
    let text = source.text();
    let mut notes = Notes::default();
    if let Some(offset) = text.find('\0') {
        let message = "a NUL byte: this is no text file; name a YAML file";
        notes.add(Span { file, ..locate(text, offset) }, message);
        return Err(notes);
    }
    let tree = parse::parse(source, &mut notes);
    notes.stand_in(file);
    match tree {
        Some(mut tree) => {
            tree.stands_in(file);
            Ok((tree, notes))
        }
        None => Err(notes),
    }
}
