//! `labsim save`: what was changed in a lab that is up, as a scenario that extends the lab's own.

mod files;

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::{load, output};
use files::Target;
use labsim_import::changes::{ChangedNode, Names, Saved, SavedFiles};
use labsim_live::{Lab, LabsFolder, LiveError, NodeStatus, Origin, Status};
use labsim_model::is_plain;
use labsim_scenario::model::{NodeName, Scenario};
use labsim_scenario::{Input, Kind};
use labsim_yaml::Sources;
use std::path::{Path, PathBuf};

/// What the files are called while they are tried.
const TRIED: &str = "saved.yaml";
const TRIED_TOPOLOGY: &str = "saved-topology.yaml";

/// Writes the changes, and says what is not among them.
pub(crate) fn save(args: &args::Save) -> Exit {
    let found = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let read = found.and_then(|lab| {
        let status = lab.status()?;
        Ok((lab.origin()?, read(&lab, &status)?, reconfigured(&status), lab))
    });
    let (origin, nodes, reconfigured, lab) = match read {
        Ok(read) => read,
        Err(error) => return fail(&error),
    };
    let lab = lab.name().as_str();
    let path = origin.first_source();
    let scenario = match labsim_scenario::load(input(&origin.sources, &path)) {
        Ok(loaded) => loaded.scenario,
        Err(diagnostics) => return load::reject(&diagnostics),
    };
    let Some(topology) = topology(&origin.sources, &scenario) else {
        output::error(format_args!("the lab `{lab}` does not know its topology's file"));
        return Exit::Failed;
    };
    let tried = Names {
        header: String::new(),
        scenario: path.clone(),
        topology: topology.clone(),
        own_topology: TRIED_TOPOLOGY.to_owned(),
        always: false,
    };
    let load = |files: &SavedFiles| {
        let mut sources = origin.sources.clone();
        sources.insert(TRIED.to_owned(), files.scenario.clone());
        sources.extend(files.topology.clone().map(|text| (TRIED_TOPOLOGY.to_owned(), text)));
        Some(labsim_scenario::load(input(&sources, TRIED)).ok()?.scenario)
    };
    let saved = Saved::new(&scenario, &nodes, &tried, &load);
    let mut left = left(&saved, &nodes);
    left.extend(reconfigured);
    for change in &left {
        output::error(format_args!("not saved: {change}"));
    }
    if saved.is_empty() {
        return match left.as_slice() {
            [] => {
                output::line(format_args!(
                    "nothing was changed since {lab} was built; no file was written"
                ));
                Exit::Success
            }
            _ => {
                output::error(
                    "a saved scenario does not begin with that, or its steps could not; no file was written",
                );
                Exit::Failed
            }
        };
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{lab}-saved.yaml")));
    let written = Target::open(&out).and_then(|target| {
        let header = header(lab, &left);
        write(&target, (&origin, &topology), header, |names| saved.files(&scenario, names))
    });
    match written {
        Ok(files) => {
            // Standard output may be the file.
            if !files.is_empty() {
                output::visible_line(format_args!(
                    "the changes of {lab} are in {}",
                    files.join(", ")
                ));
            }
            Exit::Success
        }
        Err(problem) => {
            output::error(problem);
            Exit::Invalid
        }
    }
}

/// What each node was, and is.
fn read(lab: &Lab, status: &Status) -> Result<Vec<ChangedNode>, LiveError> {
    let nodes = status.nodes.iter();
    let read = nodes.filter_map(|node| {
        let name = NodeName::new(&node.name).ok()?;
        Some(lab.setups(&node.name).map(|(built, now)| ChangedNode { name, built, now }))
    });
    read.collect()
}

/// What was changed in the configuration of what runs, members of pools among it.
fn reconfigured(status: &Status) -> Vec<String> {
    let of_node = |node: &NodeStatus| {
        let name = node.name.clone();
        node.reconfigured.clone().into_iter().map(move |change| format!("{name}: {change}"))
    };
    status.nodes.iter().flat_map(of_node).collect()
}

fn input<'a>(sources: &'a Sources, path: &'a str) -> Input<'a> {
    Input::InMemory { sources, path }
}

/// The path of the topology's file among the sources.
fn topology(sources: &Sources, scenario: &Scenario) -> Option<String> {
    let is_it = |path: &&String| {
        Path::new(path).file_stem().is_some_and(|stem| *stem == *scenario.topology.name)
            && labsim_scenario::kind(input(sources, path)).is_ok_and(|it| it == Kind::Topology)
    };
    sources.keys().find(is_it).cloned()
}

/// The changes that the files do not have.
fn left(saved: &Saved, nodes: &[ChangedNode]) -> Vec<String> {
    let of_node = |node: &ChangedNode| {
        let expected = saved.expected(&node.name).unwrap_or(&node.built);
        let name = node.name.clone();
        let changes = labsim_live::changes(expected, &node.now).into_iter();
        changes.map(move |change| format!("{name}: {change}")).collect::<Vec<_>>()
    };
    nodes.iter().flat_map(of_node).collect()
}

/// Comments, each on one line.
fn header(lab: &str, left: &[String]) -> String {
    let mut text = format!("# What was changed in the lab `{lab}`, by `labsim save`.\n");
    if !left.is_empty() {
        text.push_str(
            "# Not among it, as a saved scenario does not begin with it, or its steps could not:\n",
        );
    }
    for change in left {
        let plain = change.chars().map(|it| match is_plain(it) {
            true => it.to_string(),
            false => it.escape_debug().to_string(),
        });
        text.push_str(&format!("#   {}\n", plain.collect::<String>()));
    }
    text
}

/// Writes the files, and those that they extend if the lab's own are not there any more. Returns their
/// names.
fn write(
    target: &Target,
    (origin, topology): (&Origin, &str),
    header: String,
    files: impl Fn(&Names) -> Option<SavedFiles>,
) -> Result<Vec<String>, String> {
    let own = |what: &str| target.beside(what);
    let folder = origin.file.parent().unwrap_or(Path::new("/"));
    let is_there =
        labsim_scenario::load(&origin.file).is_ok_and(|loaded| loaded.sources == origin.sources);
    let relative = |path: &Path| target.relative(path).filter(|_| is_there);
    let on_disk = relative(&origin.file).zip(relative(&folder.join(topology)));
    let mut bases = Vec::new();
    let (scenario, base_topology, always) = match on_disk {
        Some((scenario, topology)) => (scenario, topology, false),
        None => {
            for (path, what) in
                [(origin.first_source().as_str(), "-base"), (topology, "-base-topology")]
            {
                let text = labsim_scenario::merged(input(&origin.sources, path));
                let text = text.map_err(|error| error.to_string())?;
                bases.push((own(what), text));
            }
            (own("-base"), own("-base-topology"), true)
        }
    };
    let own_topology = own("-topology");
    let names = Names {
        header,
        scenario,
        topology: base_topology,
        own_topology: own_topology.clone(),
        always,
    };
    let SavedFiles { scenario, topology } =
        files(&names).ok_or("a server of the lab cannot be written")?;
    let mut all = bases;
    all.extend(topology.map(|text| (own_topology, text)));
    target.write(&scenario, &all)
}
