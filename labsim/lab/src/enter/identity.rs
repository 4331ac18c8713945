//! Who is who in labsim's own user namespace.

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, getpid, pipe};
use std::fs::{File, read_to_string, write};
use std::io::{self, Read, Write};

/// A child process that stays outside, where the right is to map more than the caller itself.
/// Dropping it ends and reaps it.
pub(super) struct Mapper {
    child: Pid,
    go: Option<File>,
}

impl Mapper {
    /// Starts it, if the caller is root: root's files stay root's, and what others own stays within
    /// root's reach, such as a volume's folder.
    ///
    /// # Errors
    /// The process cannot be made.
    pub(super) fn start() -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let outside = ["uid_map", "gid_map"].map(|it| (it, everybody_in(it)));
        let (reader, writer) = pipe()?;
        let labsim = getpid();
        // SAFETY: callers are single-threaded, so no lock is held by anybody else; the child
        // leaves by _exit.
        match unsafe { fork() }? {
            ForkResult::Child => {
                drop(writer);
                // Its end without a byte is labsim's end, or its failure to make the namespace.
                if File::from(reader).read_exact(&mut [0]).is_ok() {
                    for (name, everybody) in outside {
                        // Refused without CAP_SETUID or CAP_SETGID: labsim maps itself then.
                        let _ = write(format!("/proc/{labsim}/{name}"), everybody);
                    }
                }
                // SAFETY: ends the child at once, without running the parent's exit handlers.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => {
                drop(reader);
                Ok(Some(Self { child, go: Some(File::from(writer)) }))
            }
        }
    }

    /// Has it write the maps of the namespace that this process has moved into.
    fn map(mut self) -> io::Result<()> {
        self.go.take().map_or(Ok(()), |mut go| go.write_all(&[1]))
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        drop(self.go.take());
        // Nobody else waits for it.
        let _ = waitpid(self.child, None);
    }
}

/// Everybody whom the present namespace knows, under the same number: the map's lines are first
/// number inside, first number outside, and how many (user_namespaces(7)).
fn everybody_in(name: &str) -> String {
    let map = read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    map.lines().fold(String::new(), |mut everybody, line| {
        let mut fields = line.split_whitespace();
        if let (Some(first), _, Some(count)) = (fields.next(), fields.next(), fields.next()) {
            everybody.push_str(&format!("{first} {first} {count}\n"));
        }
        everybody
    })
}

/// The numbers of the caller before it moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    uid: u32,
    gid: u32,
}

impl Caller {
    pub(super) fn now() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    pub(super) fn is_root(self) -> bool {
        self.uid == 0
    }

    /// Maps everybody by `mapper`, or at least the caller, who is root inside.
    ///
    /// # Errors
    /// The file that could not be written, and why.
    pub(super) fn settle(self, mapper: Option<Mapper>) -> Result<(), (&'static str, io::Error)> {
        if let Some(mapper) = mapper {
            mapper.map().map_err(|error| ("/proc/self/uid_map", error))?;
        }
        for (map, text) in [
            ("/proc/self/uid_map", format!("0 {} 1", self.uid)),
            ("/proc/self/gid_map", format!("0 {} 1", self.gid)),
        ] {
            // A map is written once.
            if read_to_string(map).is_ok_and(|written| !written.is_empty()) {
                continue;
            }
            if map.ends_with("gid_map") {
                // It may be written without privileges only after setgroups(2) was given up.
                write("/proc/self/setgroups", "deny")
                    .map_err(|error| ("/proc/self/setgroups", error))?;
            }
            write(map, text).map_err(|error| (map, error))?;
        }
        Ok(())
    }
}
