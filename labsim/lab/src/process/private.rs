//! Processes with a folder of their own, of which nothing outlives labsim however it ends.
//!
//! Such a process has a mount namespace, in which its files lie on a tmpfs, and a PID namespace,
//! in which whatever it starts dies with it (mount_namespaces(7), pid_namespaces(7)). The kernel
//! takes both away with the last process in them, after a kill -9 of labsim as well.

mod folder;
mod household;

pub(super) use folder::TemporaryFolder as Temporary;

use super::{Child, bind_to_labsim};
use crate::lab::Node;
use folder::{Files, TemporaryFolder};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// What is started, and the files that it finds in its folder.
#[derive(Debug)]
pub struct Private {
    /// The program, its arguments, environment and streams; not its working directory.
    pub command: Command,
    /// Texts by relative path. Folders in between are made; mode 0700 all of them.
    pub files: BTreeMap<PathBuf, String>,
}

impl Node {
    /// Starts a process inside the node as [`Node::spawn`] does, in a private folder that it
    /// begins in. `prepare` is told the folder's path.
    ///
    /// The folder is `/dev/shm/labsim` on a tmpfs that only the process and its children see. Where
    /// the kernel refuses such a mount it is a folder of mode 0700 among the temporary files, which
    /// is removed with the handle; only a kill -9 of labsim leaves that one behind. Where it
    /// refuses a PID namespace, children that left the process's group outlive it.
    ///
    /// # Errors
    /// Those of [`Command::spawn`], and of writing the files.
    pub fn spawn_private(&self, prepare: impl Fn(&str) -> Private) -> io::Result<Child> {
        let mounted = || {
            let Private { mut command, files } = prepare(folder::MOUNTED);
            let files = Files::new(&files)?;
            bind_to_labsim(&mut command);
            household::keep(&mut command);
            folder::mount(&mut command, files);
            self.start(&mut command)
        };
        // What failed does not show whether it was the mount or the program: the second way tells.
        mounted().or_else(|_| self.spawn_in_temporary_folder(&prepare))
    }

    fn spawn_in_temporary_folder(&self, prepare: impl Fn(&str) -> Private) -> io::Result<Child> {
        let folder = TemporaryFolder::create()?;
        let path = folder.path().to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        let Private { mut command, files } = prepare(path);
        folder.fill(&files)?;
        command.current_dir(folder.path());
        bind_to_labsim(&mut command);
        household::keep(&mut command);
        let mut child = self.start(&mut command)?;
        child.folder = Some(folder);
        Ok(child)
    }
}

impl Child {
    /// Asks the process and its group to end (SIGTERM). Whether they do is theirs.
    pub fn terminate(&self) {
        if self.tracked.is_unreaped() {
            // Nobody has waited for the leader, so the group's number is still its own.
            let _ = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        }
    }

    /// Kills the process and its group, without waiting; its handle still does that.
    pub fn kill_group(&self) {
        self.tracked.kill();
    }
}
