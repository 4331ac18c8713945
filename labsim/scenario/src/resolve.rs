//! From what is written to what is meant: names resolved, every mistake collected with its place.
//!
//! Nothing here stops at a mistake. What is wrong is left out, the rest is resolved as far as it
//! can be, and whoever asked gets the result only if there was no mistake at all.

mod address;
mod context;
mod exchange;
mod expectations;
mod families;
mod forwarders;
mod frames;
mod impairments;
mod links;
mod load_balancers;
mod lookup;
mod members;
mod monitors;
mod mtu;
mod packet;
mod passage;
mod persistence;
mod pools;
mod processes;
mod quantity;
mod radius;
mod radius_servers;
mod real_servers;
mod routes;
mod rows;
mod running;
mod scenario;
mod servers;
mod snat;
mod steps;
mod subnets;
mod sysctls;
mod tacacs_login;
mod tacacs_servers;
mod topology;
mod tunnels;
mod virtual_servers;
mod wiring;

pub(crate) use scenario::{Surroundings, scenario};
pub(crate) use topology::{Resolved, topology};

use crate::file::Losses;
use crate::model::Place;
use crate::text::{counted, is_plain};
use labsim_yaml::{Document, Located, Mistake, Span};

/// Most mistakes that are collected; more than that help nobody.
const MOST: usize = 200;

/// The mistakes of one file, and of those that it extends.
pub(crate) struct Report<'s> {
    document: &'s Document,
    mistakes: Vec<Mistake>,
    /// What is allowed, and cannot work.
    warnings: Vec<Mistake>,
    /// What could not be read of a file that has mistakes in its shape; `None` for one that has
    /// none.
    losses: Option<Losses>,
}

impl<'s> Report<'s> {
    /// None so far.
    pub(crate) fn new(document: &'s Document, losses: Option<Losses>) -> Self {
        Self { document, mistakes: Vec::new(), warnings: Vec::new(), losses }
    }

    /// Adds one.
    pub(crate) fn at(&mut self, span: Span, message: impl Into<String>) {
        // In a file with mistakes in its shape, values at the default place are made up.
        let is_made_up = self.losses.is_some() && span == Span::default();
        if !is_made_up && self.mistakes.len() < MOST {
            self.mistakes.push(self.document.mistake(span, message));
        }
    }

    /// Adds a warning: about what may be meant so, because it is to be shown that it cannot work.
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        if self.warnings.len() < MOST {
            self.warnings.push(self.document.mistake(span, message));
        }
    }

    /// Adds one that says that there is no `name`, which is written as a key: unless it may only
    /// not have been read.
    pub(crate) fn absent(&mut self, span: Span, name: &str, message: impl Into<String>) {
        let may_be_lost = self.losses.as_ref().is_some_and(|losses| {
            losses.keys.contains(name)
                || losses.others
                    && self.mistakes.len() < MOST
                    && self.document.sources().any(|source| is_key(source.text(), name))
        });
        if !may_be_lost {
            self.at(span, message);
        }
    }

    /// Adds one that says that `text` is nowhere mentioned, with the same caution.
    pub(crate) fn unmentioned(&mut self, span: Span, text: &str, message: impl Into<String>) {
        let may_be_lost = self.lacks_some()
            && self.mistakes.len() < MOST
            && self.document.sources().any(|source| source.text().contains(text));
        if !may_be_lost {
            self.at(span, message);
        }
    }

    /// Adds one that follows from something not being there: unless anything was left out.
    pub(crate) fn empty(&mut self, span: Span, message: impl Into<String>) {
        if !self.lacks_some() {
            self.at(span, message);
        }
    }

    /// Whether something was left out of the file that was read.
    pub(crate) fn lacks_some(&self) -> bool {
        self.losses.as_ref().is_some_and(|losses| !losses.is_empty())
    }

    /// Adds what `checked` complains about, and passes on what it approves of.
    pub(crate) fn take<T>(&mut self, span: Span, checked: Result<T, String>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(message) => {
                self.at(span, message);
                None
            }
        }
    }

    /// Complains about more than `limit` of something; the limits keep a file from asking for
    /// unbounded work.
    pub(crate) fn limit(&mut self, span: Span, number: usize, limit: usize, what: &str) -> bool {
        if number > limit {
            self.at(span, format!("{}; at most {limit} are allowed", counted(number, what)));
        }
        number <= limit
    }

    /// A text that is shown or sent: not empty, not too long, no control characters.
    pub(crate) fn plain(&mut self, text: &Located<String>, what: &str, limit: usize) -> bool {
        let message = if text.is_empty() {
            format!("an empty {what}; write 1 to {limit} bytes")
        } else if text.len() > limit {
            format!("this {what} has {} bytes; at most {limit} are allowed", text.len())
        } else if !text.chars().all(is_plain) {
            format!("this {what} holds a control character; write it on one line, without any")
        } else {
            return true;
        };
        self.at(text.span, message);
        false
    }

    /// Where a value stands: the file and the line.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { file: self.document.source_of(span).name().to_owned(), line: span.line() }
    }

    /// `line 7`, or `line 7 of parts/servers.yaml` if that is another file than the one that is
    /// spoken about.
    pub(crate) fn line(&self, span: Span, spoken_about: Span) -> String {
        let line = span.line();
        if span.is_in_file_of(spoken_about) {
            format!("line {line}")
        } else {
            format!("line {line} of {}", self.document.source_of(span).name())
        }
    }

    /// All mistakes, and all warnings.
    pub(crate) fn into_parts(self) -> (Vec<Mistake>, Vec<Mistake>) {
        (self.mistakes, self.warnings)
    }
}

/// Whether `name` stands somewhere before a colon.
fn is_key(text: &str, name: &str) -> bool {
    let is_of_name = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    !name.is_empty()
        && text.match_indices(name).any(|(start, _)| {
            let rest = text[start + name.len()..].trim_start_matches(['"', '\'']).trim_start();
            let before = start.checked_sub(1).and_then(|before| text.as_bytes().get(before));
            let mut rest = rest.chars();
            let is_key = rest.next() == Some(':') && rest.next().is_none_or(char::is_whitespace);
            is_key && !is_of_name(before)
        })
}
