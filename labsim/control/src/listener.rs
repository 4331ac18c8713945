//! The listening end of a control socket: made, guarded, taken away.

use crate::Address;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody has it.
    #[error(
        "the control socket {0} is another process's, a forwarder of this network namespace \
         perhaps; give another with `--control @NAME` or `--control PATH`"
    )]
    Taken(Address),
    /// Something else of that name is there.
    #[error("{0} is there and no socket; give another path with `--control PATH`")]
    NoSocket(Address),
    /// The kernel refused it.
    #[error("the control socket {address} cannot be made: {source}")]
    System {
        /// Where.
        address: Address,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A control socket.
#[derive(Debug)]
pub struct Listener(UnixListener);

/// Its file, if it has one: taken away when this is dropped.
#[derive(Debug)]
pub struct SocketFile(Option<PathBuf>);

impl Listener {
    /// Listens at an address. A file is the owner's alone; one that a killed forwarder left behind
    /// is replaced. Call it while the process has one thread: the mode of new files is the
    /// process's (umask(2)).
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn bind(address: &Address) -> Result<(Self, SocketFile), BindError> {
        let system = |source| BindError::System { address: address.clone(), source };
        let to = address.to_socket().map_err(system)?;
        let bind = || {
            let before = umask(Mode::from_bits_truncate(0o177));
            let socket = UnixListener::bind_addr(&to);
            umask(before);
            socket
        };
        let taken = |error: &io::Error| error.kind() == ErrorKind::AddrInUse;
        match (bind(), address) {
            (Ok(socket), Address::Name(_)) => Ok((Self(socket), SocketFile(None))),
            (Ok(socket), Address::File(path)) => Ok((Self(socket), SocketFile::at(path))),
            (Err(error), Address::File(path)) if taken(&error) => {
                remove_left_behind(address, path)?;
                let socket = bind().map_err(system)?;
                Ok((Self(socket), SocketFile::at(path)))
            }
            (Err(error), _) if taken(&error) => Err(BindError::Taken(address.clone())),
            (Err(error), _) => Err(system(error)),
        }
    }

    /// The next client; `None` for one whose user has no right: the own user and root have.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.0.accept()?;
        Ok(is_trusted(&stream).then_some(stream))
    }
}

impl SocketFile {
    fn at(path: &Path) -> Self {
        Self(Some(path.to_owned()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Whether the other end is a process of the own user, or of root.
pub(crate) fn is_trusted(stream: &UnixStream) -> bool {
    let peer = getsockopt(stream, PeerCredentials);
    peer.is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

/// Removes a socket that nobody listens at.
fn remove_left_behind(address: &Address, path: &Path) -> Result<(), BindError> {
    let system = |source| BindError::System { address: address.clone(), source };
    if !std::fs::symlink_metadata(path).map_err(system)?.file_type().is_socket() {
        return Err(BindError::NoSocket(address.clone()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(system)
        }
        _ => Err(BindError::Taken(address.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::{BindError, Listener};
    use crate::Address;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_the_owners_alone_replaces_one_left_behind_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let address = Address::File(path.clone());
        let first = Listener::bind(&address).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Listener::bind(&address), Err(BindError::Taken(_))));
        // As a killed process leaves it.
        let left = std::os::unix::net::UnixListener::bind(folder.path().join("left")).unwrap();
        drop(left);
        let left = Address::File(folder.path().join("left"));
        drop(Listener::bind(&left).unwrap());
        drop(first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(&path, "text").unwrap();
        assert!(matches!(Listener::bind(&address), Err(BindError::NoSocket(_))));
    }

    #[test]
    fn a_name_has_one_owner_in_its_namespace_and_leaves_nothing() {
        let name = format!("@labsim-control-test-{}", std::process::id());
        let address = Address::from(std::ffi::OsString::from(name.clone()));
        let first = Listener::bind(&address).unwrap();
        let error = Listener::bind(&address).unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains("--control"), "{error}");
        drop(first);
        Listener::bind(&address).unwrap();
    }
}
