//! Kernel settings.

use super::Place;

/// The value of a kernel setting (sysctl).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As it is written to the file below `/proc/sys`.
    pub value: String,
    /// Its place in the file, for what only the kernel finds wrong.
    pub place: Place,
}
