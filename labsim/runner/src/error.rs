//! Why a scenario could not be run to its verdict, each error with its code.

use crate::cancel::Cancellation;
use labsim_codes::{Code, run};
use labsim_lab::{BuildError, CaptureError, SysctlError};
use labsim_scenario::model::NodeName;
use std::fmt::Display;

/// The codes of [`RunError::Unsupported`]: why scenarios are skipped.
pub(crate) const UNSUPPORTED: &[Code] = &[
    run::RIGHTS_MISSING,
    run::NAMESPACE_REFUSED,
    run::CAPABILITY_MISSING,
    run::PACKET_SOCKET_MISSING,
    run::TUN_MISSING,
    run::KERNEL_TUNNEL_MISSING,
    run::KERNEL_TUNNEL_CONFLICT,
    run::NETEM_MISSING,
    run::NETEM_DIFFERS,
    run::NFTABLES_MISSING,
    run::INGRESS_FILTER_MISSING,
    run::IPVS_MISSING,
    run::IPVS_INEXPRESSIBLE,
    run::IPV6_MISSING,
    run::SYSCTL_UNKNOWN,
    run::SYSCTL_READ_ONLY,
    run::SYSCTL_APPARMOR,
    run::PROGRAM_MISSING,
];

/// Why a scenario could not be run to its verdict. Displays as a sentence with its code in
/// brackets.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine lacks something that the scenario needs: the scenario is skipped.
    #[error("{message} [{code}]")]
    Unsupported {
        /// What is missing.
        code: Code,
        /// A sentence that names it and the remedy.
        message: String,
    },
    /// Something that should work failed.
    #[error("{message} [{code}]")]
    Internal {
        /// What failed.
        code: Code,
        /// A sentence about it.
        message: String,
    },
    /// A signal ended the run.
    #[error("interrupted; the lab was torn down [{}]", run::INTERRUPTED)]
    Interrupted,
    /// It took too long.
    #[error("{message} [{code}]")]
    TimedOut {
        /// Whose time limit.
        code: Code,
        /// A sentence with the limit.
        message: String,
    },
}

impl From<Cancellation> for RunError {
    fn from(cancellation: Cancellation) -> Self {
        match cancellation {
            Cancellation::Signal => Self::Interrupted,
            Cancellation::Timeout(limit) => {
                let message = format!("{}; the lab was torn down", limit.describe());
                Self::TimedOut { code: limit.code, message }
            }
        }
    }
}

impl RunError {
    /// What is missing or failed.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unsupported { code, .. }
            | Self::Internal { code, .. }
            | Self::TimedOut { code, .. } => *code,
            Self::Interrupted => run::INTERRUPTED,
        }
    }

    /// This error followed by another one that came after it.
    pub(crate) fn and(self, other: Self) -> Self {
        let text = |error: &Self| match error {
            Self::Unsupported { message, .. } | Self::Internal { message, .. } => message.clone(),
            Self::TimedOut { message, .. } => message.clone(),
            Self::Interrupted => error.to_string(),
        };
        let message = format!("{}; also: {}", text(&self), text(&other));
        match self {
            Self::Unsupported { code, .. } => Self::Unsupported { code, message },
            Self::Internal { code, .. } => Self::Internal { code, message },
            Self::TimedOut { code, .. } => Self::TimedOut { code, message },
            // The other one is in the log.
            Self::Interrupted => Self::Interrupted,
        }
    }

    pub(crate) fn unsupported(code: Code, message: impl Into<String>) -> Self {
        debug_assert!(UNSUPPORTED.contains(&code), "{code} is missing in UNSUPPORTED");
        Self::Unsupported { code, message: message.into() }
    }

    pub(crate) fn internal(code: Code, message: impl Into<String>) -> Self {
        Self::Internal { code, message: message.into() }
    }

    /// For `map_err`: an internal error whose message is `context`, then the source.
    pub(crate) fn from_source<E: Display>(
        code: Code,
        context: impl Display,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::internal(code, format!("{context}: {error}"))
    }

    /// The lab has no such node. Valid scenarios do not get here.
    pub(crate) fn unknown_node(name: &NodeName) -> Self {
        Self::inconsistent(format!("the lab has no node `{name}`"))
    }

    /// A step does not fit the state of the lab. Only in a lab that stays up.
    pub(crate) fn step_impossible(message: impl Into<String>) -> Self {
        Self::internal(run::STEP_IMPOSSIBLE, message)
    }

    /// The run contradicts its scenario. Valid scenarios do not get here.
    pub(crate) fn inconsistent(message: impl Into<String>) -> Self {
        Self::internal(run::INCONSISTENT, message)
    }
}

impl From<BuildError> for RunError {
    fn from(error: BuildError) -> Self {
        let message = error.to_string();
        let unsupported = match &error {
            // Not a property of the machine: another run, or fewer jobs, may succeed.
            BuildError::Namespace { source, .. } if is_out_of_descriptors(source) => {
                return Self::internal(run::PROCESS_LIMIT, message);
            }
            BuildError::Namespace { .. } => run::NAMESPACE_REFUSED,
            BuildError::Capability { .. } => run::CAPABILITY_MISSING,
            BuildError::Tun { .. } => run::TUN_MISSING,
            BuildError::NoKernelTunnel { .. } => run::KERNEL_TUNNEL_MISSING,
            BuildError::NotAsSet { .. } => run::NETEM_DIFFERS,
            BuildError::NoFilter { .. } => run::NFTABLES_MISSING,
            BuildError::Sysctl { source, .. } => match source {
                SysctlError::Unknown { .. } => run::SYSCTL_UNKNOWN,
                SysctlError::ReadOnly { .. } => run::SYSCTL_READ_ONLY,
                SysctlError::AppArmor { .. } => run::SYSCTL_APPARMOR,
                SysctlError::Refused { .. } | SysctlError::Differs { .. } => {
                    return Self::internal(run::SYSCTL_REJECTED, message);
                }
            },
            BuildError::Refused { .. } | BuildError::NoCarrier { .. } => {
                return Self::internal(run::BUILD_FAILED, message);
            }
            BuildError::Process { .. } => return Self::internal(run::PROCESS_LIMIT, message),
        };
        Self::unsupported(unsupported, message)
    }
}

fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE (errno(3)), for which std has no kind.
    matches!(error.raw_os_error(), Some(24 | 23))
}

impl From<CaptureError> for RunError {
    fn from(error: CaptureError) -> Self {
        let message = error.to_string();
        match error {
            CaptureError::Capability { .. } => Self::unsupported(run::CAPABILITY_MISSING, message),
            CaptureError::Unsupported { .. } => {
                Self::unsupported(run::PACKET_SOCKET_MISSING, message)
            }
            CaptureError::Socket { .. } | CaptureError::Reader(_) => {
                Self::internal(run::CAPTURE_FAILED, message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// The classification of a build error: `Some` of the code if the scenario is skipped.
    fn skipped(error: BuildError) -> Option<Code> {
        match RunError::from(error) {
            RunError::Unsupported { code, message } => {
                assert!(message.len() > 20, "{message}");
                Some(code)
            }
            _ => None,
        }
    }

    fn sysctl(source: SysctlError) -> BuildError {
        BuildError::Sysctl { place: None, node: "rs1".to_owned(), source }
    }

    #[test]
    fn whatever_the_machine_lacks_is_unsupported_and_named_by_its_code() {
        let (key, wanted) = ("net.ipv4.conf.all.rp_filter".to_owned(), "2".to_owned());
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        let text = || "something".to_owned();
        let profile = "docker-default".to_owned();
        for (error, code) in [
            (BuildError::Namespace { node: text(), source: source() }, run::NAMESPACE_REFUSED),
            (
                BuildError::Capability { operation: text(), capability: "CAP_NET_ADMIN" },
                run::CAPABILITY_MISSING,
            ),
            (
                BuildError::Tun { node: text(), name: text(), reason: text(), remedy: text() },
                run::TUN_MISSING,
            ),
            (
                BuildError::NoKernelTunnel { node: text(), module: "ipip" },
                run::KERNEL_TUNNEL_MISSING,
            ),
            (
                BuildError::NotAsSet { sender: text(), differences: vec![text()] },
                run::NETEM_DIFFERS,
            ),
            (
                BuildError::NoFilter { node: text(), what: text(), reason: text() },
                run::NFTABLES_MISSING,
            ),
            (sysctl(SysctlError::Unknown { key: key.clone() }), run::SYSCTL_UNKNOWN),
            (
                sysctl(SysctlError::ReadOnly { key: key.clone(), wanted: wanted.clone() }),
                run::SYSCTL_READ_ONLY,
            ),
            (sysctl(SysctlError::AppArmor { key, wanted, profile }), run::SYSCTL_APPARMOR),
        ] {
            let message = error.to_string();
            assert_eq!(skipped(error), Some(code), "{message}");
        }
    }

    #[test]
    fn a_denial_by_apparmor_names_the_option_that_lifts_it() {
        let (key, wanted) = ("net.ipv4.conf.all.rp_filter".to_owned(), "2".to_owned());
        let profile = "docker-default".to_owned();
        let error = RunError::from(sysctl(SysctlError::AppArmor { key, wanted, profile }));
        let message = error.to_string();
        assert!(message.contains("--security-opt apparmor=unconfined"), "{message}");
        assert!(message.ends_with(" [sysctl-apparmor]"), "{message}");
    }

    #[test]
    fn what_failed_for_another_reason_is_internal() {
        let source = || io::Error::from(io::ErrorKind::InvalidInput);
        let text = || "something".to_owned();
        let (key, wanted, got) = (text(), text(), text());
        for error in [
            BuildError::Refused { operation: text(), reason: text() },
            BuildError::NoCarrier { interface: text() },
            BuildError::Process { what: "the lab's thread", source: source() },
            sysctl(SysctlError::Refused { key: text(), wanted: text(), source: source() }),
            sysctl(SysctlError::Differs { key, wanted, got }),
        ] {
            let message = error.to_string();
            assert_eq!(skipped(error), None, "{message}");
        }
    }

    #[test]
    fn captures_that_the_machine_does_not_allow_are_unsupported() {
        let node = NodeName::new("rs1").unwrap();
        let source = io::Error::from(io::ErrorKind::OutOfMemory);
        for (error, is_unsupported, code) in [
            (CaptureError::Capability { node: node.clone() }, true, run::CAPABILITY_MISSING),
            (CaptureError::Unsupported { node: node.clone() }, true, run::PACKET_SOCKET_MISSING),
            (CaptureError::Socket { node, source }, false, run::CAPTURE_FAILED),
        ] {
            let error = RunError::from(error);
            assert_eq!(matches!(error, RunError::Unsupported { .. }), is_unsupported, "{error}");
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
