//! What a lab has in its folder: the holder's socket, and files for what enters its nodes. Made again when
//! the folder, or some of it, was removed meanwhile: the folder of a user's session goes with the user's
//! last session, and the lab does not.

use crate::error::LiveError;
use crate::folder::{Claim, HOSTS, SHELLS, SOCKET, make_folder};
use crate::shell::FILES;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use tokio::net::{UnixListener, UnixStream};

/// A lab that can be found.
pub(crate) struct Presence<'a> {
    claim: &'a mut Claim,
    hosts: String,
    listener: UnixListener,
}

impl<'a> Presence<'a> {
    /// Puts everything into the lab's folder. `hosts` is what nodes have as `/etc/hosts`.
    ///
    /// # Errors
    /// [`LiveError::Folder`].
    pub(crate) fn new(claim: &'a mut Claim, hosts: String) -> Result<Self, LiveError> {
        let listener = publish(claim, &hosts).map_err(|error| claim.folder().failure(&error))?;
        Ok(Self { claim, hosts, listener })
    }

    /// The next client.
    ///
    /// # Errors
    /// Those of accept(2).
    pub(crate) async fn client(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(client, _)| client)
    }

    /// Makes again what was removed. To be called now and then.
    ///
    /// # Errors
    /// [`LiveError::Folder`], or another lab has the name meanwhile.
    pub(crate) fn renew(&mut self) -> Result<(), LiveError> {
        self.claim.renew()?;
        let (folder, name) = (self.claim.folder(), self.claim.name());
        let is_there = |file: &str| folder.file(name, file).symlink_metadata().is_ok();
        let mut shells = FILES.iter().map(|(file, _)| format!("{SHELLS}/{file}"));
        if is_there(SOCKET) && is_there(HOSTS) && shells.all(|file| is_there(&file)) {
            return Ok(());
        }
        self.listener = publish(self.claim, &self.hosts).map_err(|error| folder.failure(&error))?;
        Ok(())
    }
}

/// The socket comes last: a client that finds it is answered.
fn publish(claim: &Claim, hosts: &str) -> io::Result<UnixListener> {
    let folder = claim.folder().open(claim.name())?;
    // A socket's path has at most 108 bytes (unix(7)), and a folder's may have more.
    let path = |file: &str| format!("/proc/self/fd/{}/{file}", folder.as_raw_fd());
    fs::write(path(HOSTS), hosts)?;
    make_folder(Path::new(&path(SHELLS)))?;
    for (name, text) in FILES {
        fs::write(path(&format!("{SHELLS}/{name}")), text)?;
    }
    match fs::remove_file(path(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path(SOCKET))
}
