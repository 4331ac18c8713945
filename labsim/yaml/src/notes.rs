//! The mistakes found so far in a document: each once, and not more than a person wants to read.

use std::collections::BTreeMap;

use crate::{Mistake, Mistakes, Source, Span, mistake};

/// How many mistakes of one document are told.
pub(crate) const LIMIT: usize = 100;

#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    /// By file and place.
    found: BTreeMap<(u32, usize, usize, String), Span>,
    more: bool,
}

impl Notes {
    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>) {
        let key = (span.file, span.line(), span.column(), message.into());
        if self.found.len() < LIMIT || self.found.contains_key(&key) {
            self.found.insert(key, span);
        } else {
            self.more = true;
        }
    }

    /// There are more mistakes, or there may be.
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
        for ((_, line, column, message), span) in found {
            self.found.insert((file, line, column, message), Span { file, ..span });
        }
    }

    /// Adds those of another file of the document.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.more |= other.more;
        for ((_, _, _, message), span) in other.found {
            self.add(span, message);
        }
    }

    /// As a person reads them; `sources` are the document's files.
    pub(crate) fn into_mistakes(self, sources: &[&Source]) -> Mistakes {
        let mut mistakes: Mistakes = self
            .found
            .into_iter()
            .filter_map(|((file, _, _, message), span)| {
                Some(mistake(sources.get(file as usize)?, span, message))
            })
            .collect();
        if let (true, Some(first)) = (self.more, sources.first()) {
            let message = "there may be more mistakes; correct these first";
            mistakes.push(Mistake::of_file(first.name(), message));
        }
        mistakes
    }
}
