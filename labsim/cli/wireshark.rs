//! `labsim wireshark-profile`.

mod profile;

use crate::exit::Exit;
use crate::{args, graph, load, output};
use labsim_event::Event;
use labsim_model::Secret;
use labsim_report::ResultsReader;
use labsim_scenario::model::{NodeName, Scenario};
use profile::Keys;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Nodes with a colour.
const NODES: usize = 1000;
/// Permissions of a file with secrets, and of others, less the umask.
const SECRET_MODE: u32 = 0o600;
const MODE: u32 = 0o644;

/// Writes a folder with the files of a profile.
pub(crate) fn profile(args: &args::WiresharkProfile) -> Exit {
    let keys = match args.of.as_deref().filter(|_| args.with_secrets).map(keys).transpose() {
        Ok(keys) => keys.unwrap_or_default(),
        Err(exit) => return exit,
    };
    let nodes = match args.of.as_deref().map(nodes).transpose() {
        Ok(nodes) => nodes.unwrap_or_default(),
        Err(exit) => return exit,
    };
    let Some(dir) = args.dir.clone().or_else(own_folder) else {
        output::error("HOME is not set; name the profile's folder");
        return Exit::Invalid;
    };
    let files = [
        ("preferences", profile::preferences(&keys, args.deinterlace)),
        ("colorfilters", profile::colours(&nodes)),
    ];
    let mode = if args.with_secrets { SECRET_MODE } else { MODE };
    if let Err(errors) = write(&dir, &files, mode, args.force) {
        errors.into_iter().for_each(output::error);
        return Exit::Invalid;
    }
    tell(&dir, nodes.len());
    Exit::Success
}

/// Says what was written and how it is used.
fn tell(dir: &Path, nodes: usize) {
    let colours = match nodes {
        0 => "no colours: name a scenario or results with --of".to_owned(),
        nodes => format!("colours for {nodes} nodes"),
    };
    output::line(format_args!("Wireshark profile written to {} ({colours})", dir.display()));
    let is_known = dir.parent().is_some_and(|parent| parent.ends_with("profiles"));
    match dir.file_name().filter(|_| is_known) {
        Some(name) => {
            let name = name.display();
            output::line(format_args!("open a capture with: wireshark -C {name} capture.pcapng"));
        }
        None => output::line(
            "move the folder to Wireshark's `profiles` (Help > About Wireshark > Folders, Personal \
             configuration); then: wireshark -C NAME capture.pcapng",
        ),
    }
}

/// The nodes of a scenario, of a topology or of the scenarios in a folder of results.
fn nodes(of: &Path) -> Result<Vec<NodeName>, Exit> {
    let mut names: Vec<NodeName> = Vec::new();
    let mut add = |name: &str| {
        // Results may have been written by anyone.
        if let Ok(name) = NodeName::new(name)
            && names.len() < NODES
            && !names.contains(&name)
        {
            names.push(name);
        }
    };
    if !of.is_dir() {
        graph::lab(of)?.nodes.iter().for_each(|node| add(&node.name));
        return Ok(names);
    }
    let results = ResultsReader::open(of).map_err(reject)?;
    for name in results.names() {
        let replayed = results.replay(name, &mut |record| {
            if let Event::Observed { observations, .. } = &record.event {
                let points = observations.capture.points();
                points.iter().for_each(|point| add(point.node.as_str()));
            }
        });
        replayed.map_err(reject)?;
    }
    Ok(names)
}

/// The secrets of a scenario's servers.
fn keys(of: &Path) -> Result<Keys, Exit> {
    if of.is_dir() {
        let of = of.display();
        return Err(reject(format_args!(
            "{of} is a folder, and results hold no secrets; name the scenario with --of"
        )));
    }
    let Scenario { tacacs_servers, radius_servers, .. } = load::scenario(of)?;
    let key = |what: &str, secrets: Vec<&Secret>| {
        key(what, &secrets).map_err(|error| reject(format_args!("{}: {error}", of.display())))
    };
    let tacacs = key("TACACS+", tacacs_servers.values().map(|server| &server.secret).collect())?;
    let radius = key("RADIUS", radius_servers.values().map(|server| &server.secret).collect())?;
    if tacacs.is_none() && radius.is_none() {
        let of = of.display();
        return Err(reject(format_args!(
            "{of} has no servers with secrets; leave --with-secrets out"
        )));
    }
    Ok(Keys { tacacs, radius })
}

/// The one secret that Wireshark can hold. A line of its file ends at a line break, and blanks around a value
/// are no part of it.
fn key(what: &str, secrets: &[&Secret]) -> Result<Option<String>, String> {
    let Some(first) = secrets.first() else { return Ok(None) };
    if secrets.iter().any(|other| other != first) {
        return Err(format!(
            "the {what} servers have different secrets, and a profile holds one; leave --with-secrets out"
        ));
    }
    let text = first.expose_text();
    if text.chars().any(char::is_control) || text.trim() != text || text.is_empty() {
        return Err(format!(
            "a profile cannot hold the secret of the {what} servers: it is empty, begins or ends with a \
             blank, or has control characters"
        ));
    }
    Ok(Some(text.into_owned()))
}

/// The profile `labsim` of the user's Wireshark, where Wireshark looks for it.
fn own_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let wireshark = folder("WIRESHARK_CONFIG_DIR").map(PathBuf::from).or_else(|| {
        let config = folder("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(folder("HOME")?).join(".config")))?;
        Some(config.join("wireshark"))
    })?;
    Some(wireshark.join("profiles").join("labsim"))
}

/// Writes all files, or none if one of them exists and `force` is not set.
fn write(dir: &Path, files: &[(&str, String)], mode: u32, force: bool) -> Result<(), Vec<String>> {
    fs::create_dir_all(dir)
        .map_err(|error| vec![format!("cannot create {}: {error}", dir.display())])?;
    let exists = |name: &&str| dir.join(name).symlink_metadata().is_ok();
    if !force && let Some(name) = files.iter().map(|(name, _)| *name).find(exists) {
        let path = dir.join(name);
        return Err(vec![format!(
            "{} exists already; no file was written; name another folder, or replace it with --force",
            path.display()
        )]);
    }
    for (name, text) in files {
        let path = dir.join(name);
        // The earlier file is there, or the new one; a link is replaced and not followed.
        let part = dir.join(format!(".{name}.part"));
        create(&part, text, mode)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|error| vec![format!("cannot write {}: {error}", path.display())])?;
    }
    Ok(())
}

fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn reject(error: impl std::fmt::Display) -> Exit {
    output::error(error);
    Exit::Invalid
}
