//! Reads what files of the devices say.

use crate::exit::Exit;
use crate::import::{linux::files, reject, sources};
use crate::{args, output};
use labsim_explain::{Configuration, Host};
use labsim_import::balancer::Balancer;
use labsim_import::linux::{self, State};
use labsim_import::{Diagnostics, Source, a10, f5, ipvs};
use std::path::PathBuf;

/// Reads all files of devices. What is wrong has been printed if that fails.
pub(super) fn read(args: &args::Explain) -> Result<Configuration, Exit> {
    let mut configuration = Configuration::default();
    type Reader = fn(&[Source]) -> Result<Balancer, Diagnostics>;
    let readers: [(&[PathBuf], Reader); 3] =
        [(&args.f5, f5::read), (&args.a10, a10::read), (&args.ipvs, ipvs::read)];
    for (paths, reader) in readers.into_iter().filter(|(paths, _)| !paths.is_empty()) {
        let balancer = reader(&sources(paths)?).map_err(|error| reject(&error))?;
        configuration.balancers.push(balancer);
    }
    let mut names: Vec<&String> = args.linux.iter().map(|(name, _)| name).collect();
    names.extend(args.counters.iter().map(|(name, _)| name));
    let mut read: Vec<&String> = Vec::new();
    for name in names {
        if !read.contains(&name) {
            read.push(name);
            configuration.hosts.push(host(args, name)?);
        }
    }
    Ok(configuration)
}

/// Reads the state and the counters of one server.
fn host(args: &args::Explain, name: &str) -> Result<Host, Exit> {
    let is_of_host = |it: &&(String, PathBuf)| it.0 == name;
    let paths: Vec<PathBuf> =
        args.linux.iter().filter(is_of_host).map(|(_, path)| path.clone()).collect();
    let paths = files(&paths).map_err(|problem| {
        output::error(problem);
        Exit::Invalid
    })?;
    let of_time = |word: &str| -> Vec<PathBuf> {
        let is_of_time = |path: &&PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.to_ascii_lowercase().contains(word)
        };
        paths.iter().filter(is_of_time).cloned().collect()
    };
    let mut pairs: Vec<[Vec<PathBuf>; 2]> = args
        .counters
        .iter()
        .filter(|(node, _)| node == name)
        .map(|(_, [before, after])| [vec![before.clone()], vec![after.clone()]])
        .collect();
    if pairs.len() > 1 {
        output::error(format_args!("--counters {name}: given twice; give one pair of files"));
        return Err(Exit::Invalid);
    }
    let (before, after) = (of_time("before"), of_time("after"));
    if pairs.is_empty() && !before.is_empty() && !after.is_empty() {
        pairs.push([before, after]);
    }
    let state = if paths.is_empty() { State::default() } else { state(&paths)? };
    let counters = match pairs.pop() {
        Some([before, after]) => Some((counters(&before)?, counters(&after)?)),
        None => None,
    };
    Ok(Host { name: name.to_owned(), state, counters })
}

fn state(paths: &[PathBuf]) -> Result<State, Exit> {
    linux::read(&sources(paths)?).map_err(|error| reject(&error))
}

/// A text's counters; one without any is an error.
fn counters(paths: &[PathBuf]) -> Result<State, Exit> {
    let state = state(paths)?;
    if state.counters.is_empty() {
        let names: Vec<String> = paths.iter().map(|it| it.display().to_string()).collect();
        output::error(format_args!(
            "{}: no counters of the kernel; give what `nstat -az` prints",
            names.join(", ")
        ));
        return Err(Exit::Invalid);
    }
    Ok(state)
}
