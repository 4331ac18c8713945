//! Reads a text into a type.

use serde::de::DeserializeOwned;

use crate::notes::Notes;
use crate::source::{locate, too_large};
use crate::{Mistakes, SIZE_LIMIT, Source, mistake, parse, run};

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
    let text = source.text();
    if text.len() > SIZE_LIMIT {
        return Err(too_large(source.name()).into());
    }
    if let Some(offset) = text.find('\0') {
        let message = "a NUL byte: this is no text file; name a YAML file";
        return Err(mistake(source, locate(text, offset), message).into());
    }
    let mut notes = Notes::default();
    let Some(tree) = parse::parse(source, &mut notes) else {
        return Err(notes.into_mistakes(source));
    };
    match run::read(&tree, notes) {
        (Some(value), notes) if notes.is_empty() => Ok(value),
        (_, notes) => Err(notes.into_mistakes(source)),
    }
}
