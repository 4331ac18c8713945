//! The listening end of a control socket: binding, access, removal.

use crate::Address;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, getsockopt, sockopt::PeerCredentials,
};
use nix::sys::socket::{bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Temporary names that are tried in the folder of a socket file.
const TEMPORARY_NAMES: u32 = 64;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens at the address.
    #[error(
        "the control socket {0} is in use, for example by a forwarder in this network namespace; \
         choose another with `--control @NAME` or `--control PATH`"
    )]
    InUse(Address),
    /// The path names something else.
    #[error("{0} exists and is not a socket; choose another path with `--control PATH`")]
    NotASocket(Address),
    /// The kernel refused the socket.
    #[error("cannot create the control socket {address}: {source}")]
    System {
        /// The address.
        address: Address,
        /// The kernel's error.
        source: io::Error,
    },
}

/// A control socket.
#[derive(Debug)]
pub struct Listener(UnixListener);

/// The file of a control socket, if it has one. Dropping this removes the file, unless another
/// file has taken its name.
#[derive(Debug)]
pub struct SocketFile(Option<OwnedFile>);

#[derive(Debug)]
struct OwnedFile {
    path: PathBuf,
    id: FileId,
}

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl Listener {
    /// Listens at an address. A file has mode 0600 and replaces the socket of a killed forwarder.
    /// The path has to be about ten bytes shorter than `sun_path` (unix(7)), for a temporary name
    /// in the same folder.
    ///
    /// # Errors
    /// The reason, and the remedy.
    pub fn bind(address: &Address) -> Result<(Self, SocketFile), BindError> {
        let system = |source| BindError::System { address: address.clone(), source };
        match address {
            Address::Name(_) => {
                match UnixListener::bind_addr(&address.to_socket().map_err(system)?) {
                    Ok(socket) => Ok((Self(socket), SocketFile(None))),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        Err(BindError::InUse(address.clone()))
                    }
                    Err(error) => Err(system(error)),
                }
            }
            Address::File(path) => {
                let (socket, temporary) = bind_temporary(path).map_err(system)?;
                let id = FileId::of(&temporary).map_err(system)?;
                let named = give_name(address, &temporary, path);
                // The name stays with the same socket; a failure leaves nothing behind.
                let removed = fs::remove_file(&temporary);
                named?;
                removed.map_err(system)?;
                let file = OwnedFile { path: path.clone(), id };
                Ok((Self(socket), SocketFile(Some(file))))
            }
        }
    }

    /// The next client; `None` for one of another user. The own user and root are allowed.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.0.accept()?;
        Ok(is_trusted(&stream).then_some(stream))
    }
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(OwnedFile { path, id }) = &self.0
            && FileId::of(path).is_ok_and(|present| present == *id)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the other end is a process of the own user, or of root.
pub(crate) fn is_trusted(stream: &UnixStream) -> bool {
    let peer = getsockopt(stream, PeerCredentials);
    peer.is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

/// Binds a socket whose file only its owner can use. The file gets the mode that the socket has (Linux,
/// net/unix/af_unix.c), so that nobody can open it in between, and other threads' files keep theirs.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(socket.into())
}

/// Binds a socket under a temporary name in the folder of `path`.
fn bind_temporary(path: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let process = std::process::id();
    for number in 0..TEMPORARY_NAMES {
        let temporary = path.with_file_name(format!(".lb{process}.{number}"));
        match bind_private(&temporary) {
            Ok(socket) => return Ok((socket, temporary)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no temporary name is free in its folder"))
}

/// Gives the socket at `temporary` its final name, in one step that never replaces a file: link(2)
/// fails if the name exists. Only the socket of a killed forwarder is moved away before.
fn give_name(address: &Address, temporary: &Path, path: &Path) -> Result<(), BindError> {
    let system = |source| BindError::System { address: address.clone(), source };
    let link = || match fs::hard_link(temporary, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(system(error)),
    };
    if link()? {
        return Ok(());
    }
    let stale = find_stale(address, path)?;
    remove_stale(temporary, path, stale).map_err(system)?;
    if link()? { Ok(()) } else { Err(BindError::InUse(address.clone())) }
}

/// The socket at `path`, if no process listens there.
fn find_stale(address: &Address, path: &Path) -> Result<FileId, BindError> {
    let system = |source| BindError::System { address: address.clone(), source };
    let id = FileId::of(path).map_err(system)?;
    if !fs::symlink_metadata(path).map_err(system)?.file_type().is_socket() {
        return Err(BindError::NotASocket(address.clone()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(id),
        _ => Err(BindError::InUse(address.clone())),
    }
}

/// Removes the file at `path` if it is still the stale one. Moving it away first makes the check
/// and the removal concern the same file; another file goes back to its name.
fn remove_stale(temporary: &Path, path: &Path, stale: FileId) -> io::Result<()> {
    let mut aside = temporary.as_os_str().to_owned();
    aside.push("s");
    let aside = PathBuf::from(aside);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    if FileId::of(&aside)? != stale {
        // Does not replace a third file, which is in use then.
        let _ = fs::hard_link(&aside, path);
    }
    fs::remove_file(&aside)
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
