//! `labsim merge`.

use crate::exit::Exit;
use crate::{args, execute, output, results};
use labsim_report::{Partitions, ResultsOptions, ResultsWriter, RunDocument, Sinks};

/// Puts the results of a run's partitions together, as if one machine had run it.
pub(crate) fn merge(args: &args::Merge, log: &args::LogArgs) -> Exit {
    let partitions = match Partitions::open(&args.dirs) {
        Ok(partitions) => partitions,
        Err(errors) => {
            errors.into_iter().for_each(output::error);
            return Exit::Invalid;
        }
    };
    let invalid = |error: String| {
        output::error(error);
        Exit::Invalid
    };
    if let Some(out) = args.out.as_deref().filter(|out| partitions.contains(out)) {
        let out = out.display();
        return invalid(format!(
            "{out} is one of the folders to be merged; name another one for --out"
        ));
    }
    let manifest = partitions.manifest();
    let document = RunDocument::new(manifest.host.clone(), manifest.scenarios.clone());
    let mut sinks = match results::document_sink(&args.documents, document) {
        Ok(sink) => Vec::from_iter(sink),
        Err(error) => return invalid(error),
    };
    if let Some(out) = &args.out {
        // What there is was written by the partitions, pcap files included.
        let written = ResultsWriter::create(out, manifest, ResultsOptions::default());
        let copied = written
            .map_err(|error| error.to_string())
            .and_then(|mut writer| partitions.copy(&mut writer).map_err(|error| error.to_string()));
        if let Err(error) = copied {
            return invalid(error);
        }
    }
    sinks.insert(0, execute::terminal(log, false, 0, labsim_report::Again::Run(String::new())));
    let sinks = Sinks::new(sinks);
    let replayed = partitions.replay(&mut |record| sinks.replay(&record));
    for part in partitions.missing_parts() {
        output::error(format_args!("partition {part} is missing: none of the folders holds it"));
    }
    for (name, why) in partitions.missing() {
        output::error(format_args!("{name} has no result: {why}"));
    }
    let failures = sinks.failures();
    failures.iter().for_each(output::error);
    match replayed {
        Err(error) => invalid(error.to_string()),
        Ok(_) if !failures.is_empty() => Exit::Invalid,
        Ok(_) if manifest.scenarios.is_empty() => Exit::Success,
        Ok(_) if partitions.has_rejected_files() => Exit::Invalid,
        Ok(totals) if totals.interrupted > 0 => Exit::Interrupted,
        Ok(totals) => Exit::of(&totals, args.flaky_ok),
    }
}
