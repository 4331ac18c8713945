//! The files and folders that a run's results are written to.

use crate::args::{DocumentArgs, ResultsArgs};
use labsim_event::Sink;
use labsim_page::{Configurations, PageFile};
use labsim_report::{
    DocumentFiles, DocumentFormat, ListedScenario, ResultsOptions, ResultsWriter, RunDocument,
    RunManifest, RunPartition,
};
use std::path::Path;

/// Where the results of a run go.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) sinks: Vec<Box<dyn Sink>>,
    /// Where a page with secrets takes configurations from.
    pub(crate) configurations: Option<Configurations>,
}

/// Opens everything that results of a run are written to, before anything runs.
///
/// # Errors
/// What cannot be written, in a sentence.
pub(crate) fn open(
    args: &ResultsArgs,
    scenarios: Vec<ListedScenario>,
    partition: Option<RunPartition>,
) -> Result<Results, String> {
    let ResultsArgs { out, pcap, markers, html, with_secrets, documents } = args;
    if out.is_none() && !args.lists_runs() {
        return Ok(Results::default());
    }
    let configurations = with_secrets.then(Configurations::default);
    let manifest = RunManifest::whole(host(), scenarios).with_partition(partition);
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(dir) = out {
        let options = ResultsOptions { pcap: *pcap, markers: *markers };
        let folder = ResultsWriter::create(dir, &manifest, options);
        sinks.push(Box::new(folder.map_err(|error| error.to_string())?));
    }
    let document = RunDocument::new(host(), manifest.own().cloned());
    if let Some(path) = html {
        let documents = documents.junit.iter().chain(&documents.json);
        if let Some(other) = documents.into_iter().find(|other| is_same_file(path, other)) {
            return Err(format!(
                "--html {} and another option name one file ({}); name another one",
                path.display(),
                other.display()
            ));
        }
        let document = document.clone();
        let page = match configurations.clone() {
            None => PageFile::create(document, path),
            Some(configurations) => PageFile::create_with_secrets(document, path, configurations),
        };
        sinks.push(Box::new(page.map_err(|error| error.to_string())?));
    }
    sinks.extend(document_sink(documents, document)?);
    Ok(Results { sinks, configurations })
}

/// Opens the files that hold the whole run, if any are asked for.
pub(crate) fn document_sink(
    args: &DocumentArgs,
    document: RunDocument,
) -> Result<Option<Box<dyn Sink>>, String> {
    let DocumentArgs { junit, json } = args;
    let junit = junit.as_deref().map(|path: &Path| (DocumentFormat::Junit, path));
    let json = json.as_deref().map(|path| (DocumentFormat::Json, path));
    let files: Vec<_> = junit.into_iter().chain(json).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let sink = DocumentFiles::create(document, files).map_err(|error| error.to_string())?;
    Ok(Some(Box::new(sink)))
}

/// Whether two paths name one file, which may not be there yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => std::path::absolute(one).ok() == std::path::absolute(other).ok(),
    }
}

/// The machine's name.
fn host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
