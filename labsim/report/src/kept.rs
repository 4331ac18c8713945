//! Reads a folder of results back: what `labsim run --out` kept of each scenario.
//!
//! Whoever sent the folder may have made the files up: no link is followed, nothing but regular
//! files is read, and whatever a file can fill is bounded.

mod events;

use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_verdict::compare::Kept;
use labsim_verdict::{Capture, Liveness, PointId};
use labsim_wire::decode::LinkType;
use labsim_wire::pcapng::{Block, Direction, Reader};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Scenarios of a folder.
const SCENARIOS: usize = 10_000;
/// Bytes of a file that are read.
const FILE: u64 = 1 << 30;
/// Frames of a capture, and what was captured of them.
const FRAMES: usize = 4_000_000;
const BYTES: usize = 512 << 20;

/// A folder of results that was opened.
pub struct KeptFolder {
    dir: PathBuf,
    folder: OwnedFd,
    names: Vec<String>,
}

impl KeptFolder {
    /// Opens a folder of results and lists its scenarios.
    ///
    /// # Errors
    /// A sentence: it is none.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let shown = dir.display();
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = nix::fcntl::open(dir, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ENOENT => format!("{shown}: no such folder; name one that `run --out` made"),
            Errno::ENOTDIR => format!("{shown}: no folder; name one that `run --out` made"),
            _ => format!("{shown}: {}", errno.desc()),
        })?;
        let entries = dir.read_dir().map_err(|error| format!("{shown}: {error}"))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| format!("{shown}: {error}"))?;
            let kept = entry.path().join(super::folder::EVENTS).symlink_metadata().is_ok();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let (true, true, Ok(name)) = (kept, is_folder, entry.file_name().into_string()) {
                names.push(name);
            }
            if names.len() > SCENARIOS {
                return Err(format!("{shown}: more than {SCENARIOS} scenarios; compare fewer"));
            }
        }
        if names.is_empty() {
            return Err(format!("{shown}: no results in it; name a folder that `run --out` made"));
        }
        names.sort();
        Ok(Self { dir: dir.to_owned(), folder, names })
    }

    /// The scenarios in it, in the order of their names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The folder as it was named.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was kept of a scenario.
    ///
    /// # Errors
    /// A sentence for each file that cannot be read.
    pub fn read(&self, name: &str) -> Result<Kept, Vec<String>> {
        let path = self.dir.join(name);
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = openat(&self.folder, name, flags, Mode::empty())
            .map_err(|errno| vec![format!("{}: {}", path.display(), errno.desc())])?;
        let sentence = |file: &str, what: String| format!("{}: {what}", path.join(file).display());
        let mut mistakes = Vec::new();
        let events = open(&folder, super::folder::EVENTS)
            .and_then(|file| file.ok_or_else(|| "no such file".to_owned()))
            .and_then(|file| events::read(BufReader::new(file.take(FILE))));
        let capture =
            open(&folder, super::folder::CAPTURE).and_then(|file| file.map(capture).transpose());
        let mut kept = events.unwrap_or_else(|what| {
            mistakes.push(sentence(super::folder::EVENTS, what));
            Kept::default()
        });
        match capture {
            Ok(Some((capture, drops))) => {
                kept.observations.capture = capture;
                kept.observations.capture_drops = drops;
            }
            // What was not run to its end has none.
            Ok(None) if !matches!(kept.outcome.as_str(), "passed" | "failed") => {}
            Ok(None) if mistakes.is_empty() => {
                let what = "no such file, and the scenario was run to its end; run it again";
                mistakes.push(sentence(super::folder::CAPTURE, what.to_owned()));
            }
            Ok(None) => {}
            Err(what) => mistakes.push(sentence(super::folder::CAPTURE, what)),
        }
        if mistakes.is_empty() { Ok(kept) } else { Err(mistakes) }
    }
}

/// Opens a regular file; `None` if there is none of that name.
fn open(folder: &OwnedFd, name: &str) -> Result<Option<File>, String> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::ELOOP) => return Err("a link, which is not followed".to_owned()),
        Err(errno) => return Err(errno.desc().to_owned()),
    };
    let meta = file.metadata().map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("no regular file".to_owned());
    }
    if meta.len() > FILE {
        return Err(format!("it has {} bytes; at most {FILE} are read", meta.len()));
    }
    Ok(Some(file))
}

/// Reads a capture, and what each node's capture had no room for.
fn capture(file: File) -> Result<(Capture, BTreeMap<NodeName, u64>), String> {
    let broken = |error: labsim_wire::pcapng::ReadError| error.to_string();
    let mut reader = Reader::new(BufReader::new(file.take(FILE))).map_err(broken)?;
    let mut capture = Capture::new();
    let mut drops = BTreeMap::new();
    let mut size = 0;
    while let Some(block) = reader.next_block().map_err(broken)? {
        match block {
            Block::Interface { name, link, .. } => {
                let (node, interface) = point(&name)?;
                let link = match link {
                    1 => LinkType::Ethernet,
                    101 => LinkType::Raw,
                    other => return Err(format!("the interface `{name}` has link type {other}")),
                };
                let id = capture.add_point(node, interface, link);
                capture.set_liveness(id, Liveness::default());
            }
            Block::Packet { interface, time_ns, bytes, original_length, direction, .. } => {
                size += bytes.len();
                if capture.len() >= FRAMES || size > BYTES {
                    return Err(format!(
                        "it has more than {FRAMES} frames or {BYTES} bytes; compare less at a time"
                    ));
                }
                let direction = match direction {
                    Some(Direction::In) => labsim_scenario::model::Direction::In,
                    Some(Direction::Out) => labsim_scenario::model::Direction::Out,
                    None => return Err("a frame without direction; labsim writes each".to_owned()),
                };
                let point = PointId(usize::try_from(interface).unwrap_or(usize::MAX));
                capture.push(time_ns, point, direction, original_length, &bytes);
            }
            Block::Statistics { interface, dropped, .. } => {
                let place = usize::try_from(interface).unwrap_or(usize::MAX);
                if let Some(point) = capture.points().get(place)
                    && let Some(dropped) = dropped.filter(|dropped| *dropped > 0)
                {
                    *drops.entry(point.node.clone()).or_insert(0u64) += dropped;
                }
            }
            Block::Section => return Err("a second section; labsim writes one".to_owned()),
            Block::Other { .. } => {}
        }
    }
    // Files of labsim's are in time's order already; frame numbers stay those of the file.
    capture.sort();
    Ok((capture, drops))
}

fn point(name: &str) -> Result<(NodeName, InterfaceName), String> {
    let named = name.split_once(':').and_then(|(node, interface)| {
        Some((NodeName::new(node).ok()?, InterfaceName::new(interface).ok()?))
    });
    named.ok_or_else(|| format!("`{}` is no `node:interface`", name.escape_debug()))
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
