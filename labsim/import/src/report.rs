//! What is found while a configuration is read: errors, what is left out, warnings.

use crate::address::check_unicast;
use crate::place::{Files, Place};
use crate::{Left, Line, Note};
use labsim_codes::file;
use labsim_model::quote;
use labsim_yaml::Diagnostics;
use std::net::IpAddr;

/// Most errors that are collected.
const MOST: usize = 200;

/// Errors, omissions and warnings of an import.
pub(crate) struct Report<'s> {
    files: Files<'s>,
    diagnostics: Diagnostics,
    not_imported: Vec<(Place, Note)>,
    warnings: Vec<(Place, Note)>,
    left_out: Vec<(Place, &'static str)>,
}

impl<'s> Report<'s> {
    /// Nothing so far.
    pub(crate) fn new(files: Files<'s>) -> Self {
        Self {
            files,
            diagnostics: Diagnostics::new(),
            not_imported: Vec::new(),
            warnings: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The files.
    pub(crate) fn files(&self) -> &Files<'s> {
        &self.files
    }

    /// Reports an error, which stops the import.
    pub(crate) fn diagnostic(&mut self, place: Place, message: impl Into<String>) {
        if self.diagnostics.len() < MOST {
            self.diagnostics.push(self.files.diagnostic(place, file::IMPORT_INVALID, message));
        }
    }

    /// As [`diagnostic`](Self::diagnostic), in place of a value.
    pub(crate) fn reject<T>(&mut self, place: Place, message: impl Into<String>) -> Option<T> {
        self.diagnostic(place, message);
        None
    }

    /// As [`not_imported`](Self::not_imported), in place of a value.
    pub(crate) fn skip<T>(
        &mut self,
        place: Place,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Option<T> {
        self.not_imported(place, what, why);
        None
    }

    /// Adds what `checked` complains about, and passes on what it approves of.
    pub(crate) fn check<T>(&mut self, place: Place, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|message| self.diagnostic(place, message)).ok()
    }

    /// An address that a host can have, if the text is one. The reason is reported otherwise; an address of
    /// one link leaves `what` out.
    pub(crate) fn address(&mut self, place: Place, text: &str, what: &str) -> Option<IpAddr> {
        match text.parse() {
            Ok(IpAddr::V6(address)) if address.is_unicast_link_local() => {
                let why = "it is a link-local address; the lab's have global ones";
                self.skip(place, what, why)
            }
            Ok(address) => self.check(place, check_unicast(address)),
            Err(_) => {
                let message =
                    format!("{} is not an address; write one such as 10.1.1.51", quote(text));
                self.reject(place, message)
            }
        }
    }

    /// Lists what is not imported.
    pub(crate) fn not_imported(
        &mut self,
        place: Place,
        what: impl Into<String>,
        why: impl Into<String>,
    ) {
        let note = self.note(place, what.into(), why.into());
        self.not_imported.push((place, note));
    }

    /// Lists a warning about what is imported.
    pub(crate) fn warn(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        let note = self.note(place, what.into(), why.into());
        self.warnings.push((place, note));
    }

    /// Counts a line, or a part of one, that is no configuration but came along with it.
    pub(crate) fn left_out(&mut self, place: Place, kind: &'static str) {
        self.left_out.push((place, kind));
    }

    fn note(&self, place: Place, what: String, why: String) -> Note {
        Note { file: self.files.name(place).to_owned(), line: self.files.line(place), what, why }
    }

    /// The line of a place.
    pub(crate) fn line(&self, place: Place) -> Line {
        Line { file: self.files.name(place).to_owned(), number: self.files.line(place) }
    }

    /// `file:line`.
    pub(crate) fn at(&self, place: Place) -> String {
        format!("{}:{}", self.files.name(place), self.files.line(place))
    }

    /// Whether there are errors.
    pub(crate) fn has_errors(&self) -> bool {
        !self.diagnostics.is_empty()
    }

    /// The errors alone.
    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        self.diagnostics
    }

    /// What was left out of these kinds, where that is all that there is to say.
    pub(crate) fn not_imported_as_diagnostics(&self, kinds: &[&str]) -> Diagnostics {
        let of_kind =
            |(_, note): &&(Place, Note)| kinds.iter().any(|kind| note.what.starts_with(kind));
        let notes = self.not_imported.iter().filter(of_kind).take(MOST);
        notes
            .map(|(place, Note { what, why, .. })| {
                self.files.diagnostic(*place, file::IMPORT_EMPTY, format!("{what}: {why}"))
            })
            .collect()
    }

    /// What came along and is no configuration, by file and place.
    pub(crate) fn take_left_out(&mut self) -> Vec<Left> {
        let mut all = std::mem::take(&mut self.left_out);
        all.sort_unstable();
        all.dedup();
        let left = all.into_iter().map(|(place, kind)| Left {
            file: self.files.name(place).to_owned(),
            line: self.files.line(place),
            kind,
        });
        left.collect()
    }

    /// What was left out, and the warnings, each by file and place.
    pub(crate) fn into_notes(self) -> (Vec<Note>, Vec<Note>) {
        let sorted = |mut notes: Vec<(Place, Note)>| {
            notes.sort_by_key(|(place, _)| *place);
            notes.into_iter().map(|(_, note)| note).collect()
        };
        (sorted(self.not_imported), sorted(self.warnings))
    }
}
