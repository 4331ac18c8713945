//! From what is written to what is meant: names resolved, every error collected with its place.
//!
//! Nothing here stops at an error. What is wrong is left out, the rest is resolved as far as it
//! can be, and the caller gets the result only if there was no error at all.

mod address;
mod captures;
mod context;
mod exchange;
mod exercise;
mod expectations;
mod filters;
mod frames;
mod impairments;
mod ipvs;
mod load_balancers;
mod lookup;
mod mtu;
mod path;
mod processes;
mod quantity;
mod radius_servers;
mod real_servers;
mod routes;
mod rows;
mod scenario;
mod servers;
mod services;
mod steps;
mod subnets;
mod sysctls;
mod tacacs_servers;
mod tags;
mod topology;
mod tunnels;
mod wiring;

pub(crate) use exercise::TEMPTING;
pub(crate) use frames::lone as lone_match;
pub(crate) use scenario::{TopologyContext, scenario};
pub(crate) use topology::{Resolved, topology};

use crate::model::Place;
use crate::text::{counted, is_plain};
use labsim_codes::{Code, file};
use labsim_model::{KeyPath, Problem};
use labsim_yaml::{Diagnostic, Diagnostics, Document, Located, Omitted, Span};
use std::collections::HashSet;

/// The key that makes a scenario an exercise.
pub(crate) const EXERCISE: &str = "exercise";
/// Most errors that are collected.
const MOST: usize = 200;

/// The errors of one file, and of those that it extends.
pub(crate) struct Report<'s> {
    document: &'s Document,
    diagnostics: Vec<Diagnostic>,
    /// What is allowed, and cannot work.
    warnings: Vec<Diagnostic>,
    /// What could not be read of a file that has errors in its shape; `None` for one that has
    /// none.
    omitted: Option<Omitted>,
    /// Lines and columns of the errors in its shape.
    unread: HashSet<(usize, usize)>,
    /// Whether the file's steps are of a lab that is up, whose state is not the file's: what does not fit
    /// that state is not looked for.
    is_live: bool,
}

impl<'s> Report<'s> {
    /// None so far.
    pub(crate) fn new(document: &'s Document, unread: &Diagnostics, omitted: Omitted) -> Self {
        Self {
            document,
            diagnostics: Vec::new(),
            warnings: Vec::new(),
            omitted: (!unread.is_empty()).then_some(omitted),
            unread: unread.iter().map(|one| (one.line, one.column)).collect(),
            is_live: false,
        }
    }

    /// For a step of a lab that is up.
    pub(crate) fn of_live_lab(self) -> Self {
        Self { is_live: true, ..self }
    }

    /// Whether the steps are of a lab that is up.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Adds one.
    pub(crate) fn at(&mut self, span: Span, code: Code, message: impl Into<String>) {
        // In a file with errors in its shape, values at the default place are made up.
        let is_made_up = self.omitted.is_some() && span == Span::default();
        let is_skipped = self.is_live && code == file::STEP_ORDER;
        if !is_made_up && !is_skipped && self.diagnostics.len() < MOST {
            self.diagnostics.push(self.document.diagnostic(span, code, message));
        }
    }

    /// Adds what a check of the model found in the part of the file that stands at `root`: unless
    /// the value could not be read, which is an error already.
    pub(crate) fn problem(&mut self, root: &[&str], problem: Problem) {
        let Problem { path, message, code, missing } = problem;
        let span = self.span_of(root, &path);
        let may_be_lost = match missing.as_deref() {
            Some("") => self.lacks_some(),
            Some(name) => self.may_be_lost(name),
            None => false,
        };
        if !may_be_lost && !self.unread.contains(&(span.line(), span.column())) {
            self.at(span, code, message);
        }
    }

    /// Adds one, unless its place has an error already.
    pub(crate) fn first_at(&mut self, span: Span, code: Code, message: impl Into<String>) {
        let place = (span.line(), span.column());
        let is_of_place = |one: &Diagnostic| (one.line, one.column) == place;
        if !self.unread.contains(&place) && !self.diagnostics.iter().any(is_of_place) {
            self.at(span, code, message);
        }
    }

    /// The place of a value of the part of the file that stands at `root`.
    pub(crate) fn span_of(&self, root: &[&str], path: &KeyPath) -> Span {
        let keys = root.iter().copied().chain(path.keys().iter().map(String::as_str));
        self.document.span_of(&keys.collect::<Vec<_>>())
    }

    /// Whether a value of the part of the file that stands at `root` is written there.
    pub(crate) fn is_written(&self, root: &[&str], path: &KeyPath) -> bool {
        let keys = root.iter().copied().chain(path.keys().iter().map(String::as_str));
        self.document.has(&keys.collect::<Vec<_>>())
    }

    /// Adds a warning: about what may be meant so, because it is to be shown that it cannot work.
    pub(crate) fn warn(&mut self, span: Span, code: Code, message: impl Into<String>) {
        if self.warnings.len() < MOST {
            self.warnings.push(self.document.diagnostic(span, code, message));
        }
    }

    /// Adds one that says that there is no `name`, which is written as a key: unless it may only
    /// not have been read.
    pub(crate) fn absent(&mut self, span: Span, name: &str, message: impl Into<String>) {
        if !self.may_be_lost(name) {
            self.at(span, file::UNKNOWN_NAME, message);
        }
    }

    fn may_be_lost(&self, name: &str) -> bool {
        self.omitted.as_ref().is_some_and(|omitted| {
            omitted.keys.contains(name)
                || omitted.others
                    && self.diagnostics.len() < MOST
                    && self.document.sources().any(|source| is_key(source.text(), name))
        })
    }

    /// Adds one that says that `text` is nowhere mentioned, with the same caution.
    pub(crate) fn unmentioned(&mut self, span: Span, text: &str, message: impl Into<String>) {
        let may_be_lost = self.lacks_some()
            && self.diagnostics.len() < MOST
            && self.document.sources().any(|source| source.text().contains(text));
        if !may_be_lost {
            self.at(span, file::UNLINKED_INTERFACE, message);
        }
    }

    /// Adds one that follows from something not being there: unless anything was left out.
    pub(crate) fn empty(&mut self, span: Span, message: impl Into<String>) {
        if !self.lacks_some() {
            self.at(span, file::MISSING_VALUE, message);
        }
    }

    /// Whether something was left out of the file that was read.
    pub(crate) fn lacks_some(&self) -> bool {
        self.omitted.as_ref().is_some_and(|omitted| !omitted.is_empty())
    }

    /// Whether all of the file's values could be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.omitted.is_none()
    }

    /// Adds what `checked` complains about, and passes on what it approves of.
    pub(crate) fn take<T>(&mut self, span: Span, checked: Result<T, String>) -> Option<T> {
        self.take_as(span, file::INVALID_VALUE, checked)
    }

    /// The same, with the code of the complaint.
    pub(crate) fn take_as<T>(
        &mut self,
        span: Span,
        code: Code,
        checked: Result<T, String>,
    ) -> Option<T> {
        checked.map_err(|message| self.at(span, code, message)).ok()
    }

    /// Complains about more than `limit` of something; the limits keep a file from asking for
    /// unbounded work.
    pub(crate) fn limit(&mut self, span: Span, number: usize, limit: usize, what: &str) -> bool {
        if number > limit {
            self.at(
                span,
                file::TOO_MANY,
                format!("{}; at most {limit} are allowed", counted(number, what)),
            );
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
        self.at(text.span, file::INVALID_VALUE, message);
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

    /// All errors, and all warnings.
    pub(crate) fn into_parts(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        (self.diagnostics, self.warnings)
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
