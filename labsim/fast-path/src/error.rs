//! Why the fast path cannot start or go on, and what to do about it.

use labsim_sys::Errno;
use std::error::Error as StdError;
use std::io;
use std::net::IpAddr;

/// Why the fast path cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel was built without bpf(2), or a filter of system calls hides it.
    #[error(
        "{what}: this kernel has no bpf(2) ({source}); use one with CONFIG_BPF_SYSCALL, or the packet ring"
    )]
    Unsupported {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// bpf(2) is not for this user.
    #[error(
        "{what}: bpf(2) is not allowed ({source}); run as root outside of user namespaces, or grant CAP_BPF \
         and CAP_NET_ADMIN (in a container: --cap-add BPF --cap-add NET_ADMIN, and a seccomp profile that \
         allows bpf), or use the packet ring"
    )]
    NotPermitted {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel's verifier does not take the program.
    #[error(
        "this kernel does not accept the fast path's program ({source}): {log}; use Linux 6.1 or newer, or \
         the packet ring"
    )]
    Rejected {
        /// What the kernel said.
        source: io::Error,
        /// The end of the verifier's report.
        log: String,
    },
    /// The kernel refuses something else.
    #[error("{what}: {source}")]
    System {
        /// What was tried, and what it needs.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The program in this binary is not what the loader expects.
    #[error("the fast path's program cannot be read: {0}")]
    Object(String),
    /// The program compares no more services of one address.
    #[error(
        "the virtual servers at {address}, which the host has too, take {services} separate port ranges, \
         and the fast path compares at most 32; use fewer ranges, remove the address from the host, or use \
         the packet ring"
    )]
    TooManyServices {
        /// The address.
        address: IpAddr,
        /// As many ranges.
        services: usize,
    },
    /// More addresses than were asked for.
    #[error(
        "the fast path has room for {room} addresses, and the engine has {addresses}; use the packet ring"
    )]
    TooManyAddresses {
        /// As many as it holds.
        room: u32,
        /// As many as there are.
        addresses: usize,
    },
}

impl Error {
    /// An error of aya's about a call.
    pub(crate) fn call(what: &str, error: impl StdError + 'static) -> Self {
        match os_error(&error) {
            Some(errno) => Self::errno(what, errno),
            None => Self::Object(format!("{what}: {error}")),
        }
    }

    /// A refusal of bpf(2)'s.
    pub(crate) fn errno(what: &str, errno: Errno) -> Self {
        let (what, source) = (what.to_owned(), io::Error::from(errno));
        match errno {
            Errno::ENOSYS => Self::Unsupported { what, source },
            Errno::EPERM | Errno::EACCES => Self::NotPermitted { what, source },
            _ => Self::System { what, source },
        }
    }
}

/// The kernel's error at the bottom of one of aya's.
pub(crate) fn os_error(error: &(dyn StdError + 'static)) -> Option<Errno> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(errno) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(Errno::from_raw(errno));
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Errno, Error, os_error};
    use std::io;

    #[test]
    fn a_refusal_is_named_by_what_the_kernel_said() {
        let kind = |errno| match Error::errno("it", errno) {
            Error::Unsupported { .. } => "unsupported",
            Error::NotPermitted { .. } => "not permitted",
            _ => "other",
        };
        assert_eq!(kind(Errno::ENOSYS), "unsupported");
        assert_eq!((kind(Errno::EPERM), kind(Errno::EACCES)), ("not permitted", "not permitted"));
        assert_eq!(kind(Errno::E2BIG), "other");
    }

    #[test]
    fn the_kernels_error_is_found_below_others() {
        let source = io::Error::from_raw_os_error(Errno::ENOSYS as i32);
        let error = Error::System { what: "it".to_owned(), source };
        assert_eq!(os_error(&error), Some(Errno::ENOSYS));
        assert_eq!(os_error(&Error::Object("it".to_owned())), None);
    }
}
