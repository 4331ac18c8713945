//! `labsim report`.

use crate::exit::Exit;
use crate::{args, output};
use labsim_page::PageFile;
use labsim_report::{ListedScenario, ResultsReader, RunDocument};

/// Writes kept results as a page.
pub(crate) fn report(args: &args::Report) -> Exit {
    let folder = match ResultsReader::open(&args.dir) {
        Ok(folder) => folder,
        Err(error) => return reject(error),
    };
    let listed = folder.names().iter().map(|name| ListedScenario {
        name: name.clone(),
        path: format!("{name}.yaml"),
        file: name.clone(),
    });
    let document = RunDocument::new(String::new(), listed);
    let mut page = match PageFile::create(document, &args.html) {
        Ok(page) => page,
        Err(error) => return reject(error),
    };
    let mut errors = 0;
    for name in folder.names() {
        let replayed = folder.replay(name, &mut |record| {
            page.add(&record);
        });
        if let Err(error) = replayed {
            // The page has what could be read of it.
            output::error(error);
            errors += 1;
        }
    }
    match page.finish() {
        Err(error) => reject(error),
        Ok(()) if errors > 0 => Exit::Invalid,
        Ok(()) => Exit::Success,
    }
}

fn reject(error: impl std::fmt::Display) -> Exit {
    output::error(error);
    Exit::Invalid
}
