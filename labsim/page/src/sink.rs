//! The file that holds the page.

use crate::configurations::Configurations;
use crate::details::Details;
use crate::document::page;
use labsim_event::{Event, EventRecord, Sink, SinkError};
use labsim_report::{Change, Output, OutputError, RunDocument};
use std::io;
use std::path::{Path, PathBuf};

/// The page cannot be written.
#[derive(Debug)]
pub struct PageError {
    /// As it was named.
    pub path: PathBuf,
    /// Why not.
    pub reason: OutputError,
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the page {} cannot be written: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for PageError {}

/// Writes a run as a page. From the start the file is one with nothing run; it is replaced, in one step, when
/// the run ends.
pub struct PageFile {
    document: RunDocument,
    details: Vec<Details>,
    path: PathBuf,
    output: Output,
    /// Where configurations come from, if they have their secrets.
    secrets: Option<Configurations>,
}

impl PageFile {
    /// Writes the page with nothing run, in place of an earlier file, and makes its folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(document: RunDocument, path: &Path) -> Result<Self, PageError> {
        Self::begin(document, path, None)
    }

    /// The same with configurations that have their secrets, in a file that this user alone may read.
    ///
    /// # Errors
    /// It cannot be written, or is no regular file.
    pub fn create_with_secrets(
        document: RunDocument,
        path: &Path,
        configurations: Configurations,
    ) -> Result<Self, PageError> {
        Self::begin(document, path, Some(configurations))
    }

    fn begin(
        document: RunDocument,
        path: &Path,
        secrets: Option<Configurations>,
    ) -> Result<Self, PageError> {
        let fail = |reason| PageError { path: path.to_owned(), reason };
        let open = if secrets.is_some() { Output::open_private } else { Output::open };
        let output = open(path).map_err(fail)?;
        let details = document.scenarios.iter().map(|_| Details::default()).collect();
        let file = Self { document, details, path: path.to_owned(), output, secrets };
        file.write(false).map_err(|error| fail(error.into()))?;
        Ok(file)
    }

    fn write(&self, is_last: bool) -> io::Result<()> {
        let page = page(&self.document, &self.details, self.secrets.is_some());
        self.output.write(is_last, |out| out.write_all(page.as_bytes()))
    }

    /// Writes the page as far as the run has come, for the last time.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&self) -> Result<(), PageError> {
        let fail = |error: io::Error| PageError { path: self.path.clone(), reason: error.into() };
        self.write(true).map_err(fail)
    }

    /// Adds an event. Returns whether the run has ended.
    pub fn add(&mut self, record: &EventRecord) -> bool {
        if let Some(name) = &record.scenario {
            let count = self.document.scenarios.len();
            let mut scenarios = self.document.scenarios.iter();
            let place = scenarios.position(|scenario| scenario.id.name == *name);
            if let Some((place, details)) =
                place.and_then(|place| Some((place, self.details.get_mut(place)?)))
            {
                details.add(record, &format!("s{place}"), count);
                if let (Event::ScenarioLoaded { .. }, Some(whole)) = (&record.event, &self.secrets)
                {
                    details.configuration = whole.take(name);
                }
            }
        }
        self.document.update(record) == Change::End
    }
}

impl Sink for PageFile {
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        if !self.add(record) {
            return Ok(());
        }
        let fail =
            |source| SinkError { target: format!("the page {}", self.path.display()), source };
        self.write(true).map_err(fail)
    }
}
