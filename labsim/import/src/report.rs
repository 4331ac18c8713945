//! What is found while a configuration is read: mistakes, what is left out, warnings.

use crate::Note;
use crate::place::{Files, Place};
use labsim_yaml::Mistakes;

/// Most mistakes that are collected; more than that help nobody.
const MOST: usize = 200;

/// Everything that is to be told about an import.
pub(crate) struct Report<'s> {
    files: Files<'s>,
    mistakes: Mistakes,
    left_out: Vec<(Place, Note)>,
    warnings: Vec<(Place, Note)>,
}

impl<'s> Report<'s> {
    /// Nothing so far.
    pub(crate) fn new(files: Files<'s>) -> Self {
        Self { files, mistakes: Mistakes::new(), left_out: Vec::new(), warnings: Vec::new() }
    }

    /// The files.
    pub(crate) fn files(&self) -> &Files<'s> {
        &self.files
    }

    /// Something is wrong: nothing can be imported.
    pub(crate) fn mistake(&mut self, place: Place, message: impl Into<String>) {
        if self.mistakes.len() < MOST {
            self.mistakes.push(self.files.mistake(place, message));
        }
    }

    /// Adds what `checked` complains about, and passes on what it approves of.
    pub(crate) fn take<T>(&mut self, place: Place, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|message| self.mistake(place, message)).ok()
    }

    /// Something is not carried over.
    pub(crate) fn leave(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        let note = self.note(place, what.into(), why.into());
        self.left_out.push((place, note));
    }

    /// Something is carried over, and a person should look at it.
    pub(crate) fn warn(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        let note = self.note(place, what.into(), why.into());
        self.warnings.push((place, note));
    }

    fn note(&self, place: Place, what: String, why: String) -> Note {
        Note { file: self.files.name(place).to_owned(), line: self.files.line(place), what, why }
    }

    /// `file:line`.
    pub(crate) fn at(&self, place: Place) -> String {
        format!("{}:{}", self.files.name(place), self.files.line(place))
    }

    /// Whether anything is wrong.
    pub(crate) fn is_bad(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// The mistakes alone.
    pub(crate) fn into_mistakes(self) -> Mistakes {
        self.mistakes
    }

    /// What was left out of these kinds, where that is all that there is to say.
    pub(crate) fn left_out_as_mistakes(&self, kinds: &[&str]) -> Mistakes {
        let of_kind =
            |(_, note): &&(Place, Note)| kinds.iter().any(|kind| note.what.starts_with(kind));
        let notes = self.left_out.iter().filter(of_kind).take(MOST);
        notes
            .map(|(place, Note { what, why, .. })| {
                self.files.mistake(*place, format!("{what}: {why}"))
            })
            .collect()
    }

    /// What was left out, and the warnings, each by file and place.
    pub(crate) fn into_notes(self) -> (Vec<Note>, Vec<Note>) {
        let sorted = |mut notes: Vec<(Place, Note)>| {
            notes.sort_by_key(|(place, _)| *place);
            notes.into_iter().map(|(_, note)| note).collect()
        };
        (sorted(self.left_out), sorted(self.warnings))
    }
}
