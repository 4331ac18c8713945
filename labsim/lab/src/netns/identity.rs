//! User and group numbers in labsim's own user namespace (user_namespaces(7)).

use labsim_sys::fork::Helper;
use nix::unistd::{getegid, geteuid, getpid};
use std::fs::{read_to_string, write};
use std::io;

/// Starts a child process that stays outside of the user namespace, with the right to map more than
/// the caller itself; it maps when it is run. Only for a caller that is root: root's files stay
/// root's, and what others own stays within root's reach, such as a volume's folder.
///
/// # Errors
/// The process cannot be started.
pub(super) fn mapper() -> io::Result<Option<Helper>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let maps = ["uid_map", "gid_map"].map(|name| (name, identity_map(name)));
    let labsim = getpid();
    let map = move || {
        for (name, map) in maps {
            // Refused without CAP_SETUID or CAP_SETGID: labsim maps itself then.
            let _ = write(format!("/proc/{labsim}/{name}"), map);
        }
    };
    Helper::start(map).map(Some)
}

/// Every number of the current user namespace, mapped to itself: the map's lines are first number
/// inside, first number outside, and how many (user_namespaces(7)).
fn identity_map(name: &str) -> String {
    let map = read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    map.lines().fold(String::new(), |mut mapped, line| {
        let mut fields = line.split_whitespace();
        if let (Some(first), _, Some(count)) = (fields.next(), fields.next(), fields.next()) {
            mapped.push_str(&format!("{first} {first} {count}\n"));
        }
        mapped
    })
}

/// The caller's numbers before it moves into the namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    uid: u32,
    gid: u32,
}

impl Caller {
    pub(super) fn current() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    pub(super) fn is_root(self) -> bool {
        self.uid == 0
    }

    /// Maps every number by `mapper`, or at least the caller, who is root inside.
    ///
    /// # Errors
    /// The file that could not be written, and why.
    pub(super) fn map_ids(self, mapper: Option<Helper>) -> Result<(), (&'static str, io::Error)> {
        if let Some(mapper) = mapper {
            mapper.run().map_err(|error| ("/proc/self/uid_map", error))?;
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
