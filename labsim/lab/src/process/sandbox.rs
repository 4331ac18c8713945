//! Processes in a sandbox: with a folder of their own, and nothing that outlives labsim, however
//! labsim ends.

mod folder;

pub(super) use folder::TemporaryFolder;

use super::{Child, Isolation, RefusedIsolation, bind_to_labsim};
use crate::lab::Node;
use labsim_sys::child::refusals;
use labsim_sys::pid_namespace::supervise;
use labsim_sys::private_folder::{self, Files};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use tracing::info;

/// What is started, and the files that it finds in its folder.
#[derive(Debug)]
pub struct Sandboxed {
    /// The program, its arguments, environment and streams; not its working directory.
    pub command: Command,
    /// Texts by relative path. Folders in between are made; mode 0700 all of them.
    pub files: BTreeMap<PathBuf, String>,
}

impl Node {
    /// Starts a process inside the node as [`Node::spawn`] does, in a folder of its own, which is
    /// its working directory. `prepare` gets the folder's path.
    ///
    /// The process has a mount namespace, in which its files lie on a tmpfs at `/var/tmp/labsim`,
    /// and a PID namespace, in which whatever it starts dies with it (mount_namespaces(7),
    /// pid_namespaces(7)). The kernel takes both away with the last process in them, also after a
    /// `kill -9` of labsim.
    ///
    /// Where the kernel refuses the mount, the folder is one of mode 0700 among the temporary
    /// files, which is removed with the handle; only a `kill -9` of labsim leaves that one behind.
    /// [`Child::refused_isolation`] names what was refused.
    ///
    /// # Errors
    /// Those of [`Command::spawn`], and of writing the files.
    pub fn spawn_sandboxed(&self, prepare: impl Fn(&str) -> Sandboxed) -> io::Result<Child> {
        let (channel, reader) = refusals()?;
        let Sandboxed { mut command, files } = prepare(private_folder::MOUNTED);
        bind_to_labsim(&mut command);
        supervise(&mut command, channel.clone());
        private_folder::mount(&mut command, Files::new(&files)?, channel);
        let started = self.start(&mut command);
        let mut refused = reader.read();
        let no_folder = |it: &RefusedIsolation| it.isolation == Isolation::PrivateFolder;
        let mut child = match (started, refused.iter().find(|it| no_folder(it))) {
            (Err(_), Some(&no_folder)) => {
                let (child, again) = self.spawn_in_temporary_folder(&prepare)?;
                refused = again;
                refused.push(no_folder);
                child
            }
            (started, _) => started?,
        };
        for RefusedIsolation { isolation, errno } in &refused {
            let node = self.name();
            info!(%node, %isolation, %errno, "the kernel refuses an isolation to a process");
        }
        child.refused = refused;
        Ok(child)
    }

    fn spawn_in_temporary_folder(
        &self,
        prepare: impl Fn(&str) -> Sandboxed,
    ) -> io::Result<(Child, Vec<RefusedIsolation>)> {
        let folder = TemporaryFolder::create()?;
        let path = folder.path().to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        let Sandboxed { mut command, files } = prepare(path);
        folder.fill(&files)?;
        command.current_dir(folder.path());
        bind_to_labsim(&mut command);
        let (channel, reader) = refusals()?;
        supervise(&mut command, channel);
        let mut child = self.start(&mut command)?;
        child.folder = Some(folder);
        Ok((child, reader.read()))
    }
}

impl Child {
    /// Asks the process and its group to end (SIGTERM). Whether they do is theirs.
    pub fn terminate(&self) {
        if self.tracked.is_unreaped() {
            // The leader was not waited for, so the group's number is still its own.
            let _ = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        }
    }

    /// Kills the process and its group, without waiting; its handle still does that.
    pub fn kill_group(&self) {
        self.tracked.kill();
    }
}
