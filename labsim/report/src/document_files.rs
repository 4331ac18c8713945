//! The files that hold a run as one document: JUnit XML and JSON.

use crate::junit;
use crate::output::{Output, OutputError};
use crate::run_document::{Change, RunDocument};
use labsim_event::{EventRecord, Sink, SinkError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A format of such a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// JUnit XML: a test case for every scenario, as CI servers show them.
    Junit,
    /// The document as it is ([`RunDocument`]).
    Json,
}

impl DocumentFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::Junit => "JUnit",
            Self::Json => "JSON",
        }
    }

    fn write(self, document: &RunDocument, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Junit => junit::write(document, out),
            Self::Json => {
                serde_json::to_writer_pretty(&mut *out, document)?;
                out.write_all(b"\n")
            }
        }
    }
}

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the {} file {path} cannot be written: {reason}", .format.name())]
pub struct DocumentError {
    /// Which file.
    pub format: DocumentFormat,
    /// As it was named.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub reason: OutputError,
}

/// Writes a run into files.
///
/// A file is complete at every moment and replaced in one step: from the start it has every
/// scenario, those that have not ended with the reason, and it is written again whenever one begins
/// or ends. So a run that is interrupted, or killed, leaves what is known by then. What is not a
/// regular file, such as a FIFO or a device, takes the document once, when the run ends.
pub struct DocumentFiles {
    document: RunDocument,
    files: Vec<DocumentFile>,
}

struct DocumentFile {
    format: DocumentFormat,
    path: PathBuf,
    output: Output,
}

impl DocumentFile {
    fn write(&self, document: &RunDocument, is_last: bool) -> io::Result<()> {
        self.output.write(is_last, |out| self.format.write(document, out))
    }
}

impl DocumentFiles {
    /// Writes the files with nothing run, in place of earlier ones, and makes their folders. A
    /// symbolic link stays, and the file that it names is written.
    ///
    /// # Errors
    /// The first file that cannot be written.
    pub fn create<'a>(
        document: RunDocument,
        files: impl IntoIterator<Item = (DocumentFormat, &'a Path)>,
    ) -> Result<Self, DocumentError> {
        let mut opened: Vec<DocumentFile> = Vec::new();
        for (format, path) in files {
            let fail = |reason| DocumentError { format, path: path.to_owned(), reason };
            let output = Output::open(path).map_err(fail)?;
            if opened.iter().any(|other| other.output.is_same_file(&output)) {
                return Err(fail(OutputError::Shared));
            }
            let file = DocumentFile { format, path: path.to_owned(), output };
            file.write(&document, false).map_err(|error| fail(error.into()))?;
            opened.push(file);
        }
        Ok(Self { document, files: opened })
    }
}

impl Sink for DocumentFiles {
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let is_last = match self.document.update(record) {
            Change::Detail => return Ok(()),
            Change::Scenario => false,
            Change::End => true,
        };
        // A file that cannot be written is no reason to leave out the others.
        let written = self.files.iter().map(|file| {
            file.write(&self.document, is_last).map_err(|source| SinkError {
                target: format!("the {} file {}", file.format.name(), file.path.display()),
                source,
            })
        });
        written.fold(Ok(()), Result::and)
    }
}

#[cfg(test)]
#[path = "document_files_tests.rs"]
mod tests;
