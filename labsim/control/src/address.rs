//! Where a control socket is.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;

/// An abstract name in the network namespace (`@labsim-forwarder`), which ends with its process; or
/// a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An abstract name (unix(7)). Every process of the network namespace can reach it, so the
    /// peer's user is checked (`SO_PEERCRED`).
    Name(OsString),
    /// A file with mode 0600.
    File(PathBuf),
}

impl Default for Address {
    /// `@labsim-forwarder`
    fn default() -> Self {
        Self::Name("labsim-forwarder".into())
    }
}

impl From<OsString> for Address {
    /// A text that begins with `@` is a name, and any other a file's.
    fn from(text: OsString) -> Self {
        match text.as_bytes().strip_prefix(b"@") {
            Some(name) => Self::Name(OsString::from_vec(name.to_vec())),
            None => Self::File(text.into()),
        }
    }
}

impl Address {
    /// The kernel's form of the address.
    pub(crate) fn to_socket(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Name(name) => SocketAddr::from_abstract_name(name.as_bytes()),
            Self::File(path) => SocketAddr::from_pathname(path),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "@{}", name.to_string_lossy().escape_debug()),
            Self::File(path) => write!(f, "{}", path.to_string_lossy().escape_debug()),
        }
    }
}
