//! The other way: commands, stanzas and files that make real devices and containers like those of a
//! scenario.

mod a10;
mod containerlab;
mod f5;
mod ipvs;
mod keepalived;
mod linux;
mod persistent;

pub use a10::a10;
pub use containerlab::{ContainerlabOptions, containerlab};
pub use f5::f5;
pub use ipvs::ipvs;
pub use keepalived::keepalived;
pub use linux::linux;
pub use persistent::{ExportedFiles, linux_files};

use labsim_model::ipvs::Difference;
use std::fmt;

/// A configuration, and what its format cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The configuration's text.
    pub text: String,
    /// What of the scenario is not in it.
    pub not_exported: Vec<NotExported>,
}

/// Something of a scenario that is not in the exported text, or is different there.
///
/// Displayed as `what: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExported {
    /// The part, such as `virtual server vs_web: fastl4: loose_initiation`.
    pub what: String,
    /// What the format or the device has in its place.
    pub why: String,
}

impl NotExported {
    /// `what` is printable.
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }

    /// What IPVS does not have of a load balancer.
    fn of_ipvs(differences: &[Difference]) -> Vec<Self> {
        differences.iter().map(|one| Self::new(&one.what, &one.why)).collect()
    }

    /// Adds it to a list, once.
    fn add_to(self, list: &mut Vec<Self>) {
        if !list.contains(&self) {
            list.push(self);
        }
    }
}

impl fmt::Display for NotExported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, why } = self;
        write!(f, "{what}: {why}")
    }
}
