//! The mistakes found so far in one file: each once, and not more than a person wants to read.

use std::collections::BTreeMap;

use crate::{Mistake, Mistakes, Source, Span, mistake};

/// How many mistakes of one file are told.
pub(crate) const LIMIT: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Notes {
    found: BTreeMap<(usize, usize, String), Span>,
    more: bool,
}

impl Notes {
    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>) {
        let key = (span.line(), span.column(), message.into());
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

    pub(crate) fn into_mistakes(self, source: &Source) -> Mistakes {
        let mut mistakes: Mistakes = self
            .found
            .into_iter()
            .map(|((_, _, message), span)| mistake(source, span, message))
            .collect();
        if self.more {
            let message = "there may be more mistakes; correct these first";
            mistakes.push(Mistake::of_file(source.name(), message));
        }
        mistakes
    }
}
