//! What of a load balancer IPVS does not have, or does in another way.

use crate::KeyPath;
use std::fmt;

/// Something of a load balancer that IPVS does not have, or does in another way.
///
/// Displayed as `what: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key that holds it.
    pub path: KeyPath,
    /// The same in words, such as `virtual server vs_web: fastl4: loose_initiation`. Printable.
    pub what: String,
    /// What IPVS does in its place.
    pub why: String,
    /// What it means for a lab in which IPVS forwards.
    pub severity: Severity,
}

/// What a difference means for a lab in which IPVS forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// IPVS would do something else than what is asked for.
    Refused,
    /// It is so where the key's default holds, and IPVS has another default: it is refused only where it is
    /// written.
    Default,
    /// None: a kernel setting of the lab does it, or nothing reads it.
    None,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, why, .. } = self;
        write!(f, "{what}: {why}")
    }
}
