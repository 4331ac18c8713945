//! The errors found so far in a document: each once, and a bounded number of them.

use std::collections::BTreeMap;

use labsim_codes::{Code, file};

use crate::{Diagnostic, Diagnostics, Source, Span};

/// Most errors of one document that are shown.
pub(crate) const LIMIT: usize = 100;

#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    /// By file and place.
    found: BTreeMap<(u32, usize, usize, String), (Span, Code)>,
    more: bool,
}

impl Collector {
    pub(crate) fn add(&mut self, span: Span, code: Code, message: impl Into<String>) {
        let key = (span.file, span.line(), span.column(), message.into());
        if self.found.len() < LIMIT || self.found.contains_key(&key) {
            self.found.insert(key, (span, code));
        } else {
            self.more = true;
        }
    }

    /// There are more errors, or there may be.
    pub(crate) fn add_more(&mut self) {
        self.more = true;
    }

    /// Nothing further will be taken up.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= LIMIT
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.more
    }

    /// Says which of the document's files they are about.
    pub(crate) fn stand_in(&mut self, file: u32) {
        let found = std::mem::take(&mut self.found);
        for ((_, line, column, message), (span, code)) in found {
            self.found.insert((file, line, column, message), (Span { file, ..span }, code));
        }
    }

    /// Adds those of another file of the document.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.more |= other.more;
        for ((_, _, _, message), (span, code)) in other.found {
            self.add(span, code, message);
        }
    }

    /// For display; `sources` are the document's files.
    pub(crate) fn into_diagnostics(self, sources: &[&Source]) -> Diagnostics {
        let mut diagnostics: Diagnostics = self
            .found
            .into_iter()
            .filter_map(|((file, _, _, message), (span, code))| {
                Some(Diagnostic::new(sources.get(file as usize)?, span, code, message))
            })
            .collect();
        if let (true, Some(first)) = (self.more, sources.first()) {
            let message = "there are more errors; correct these first";
            diagnostics.push(Diagnostic::of_file(first.name(), file::TOO_MANY, message));
        }
        diagnostics
    }
}
