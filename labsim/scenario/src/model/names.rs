//! Names that cannot be malformed.

use crate::text::quoted;
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks a name.
            ///
            /// # Errors
            /// What is wrong with it, and the remedy.
            pub fn new(text: &str) -> Result<Self, String> {
                check($what, text, $max)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A node: 1 to 63 bytes of letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    ///
    /// A label of a host name has as many (RFC 1035, section 2.3.4). No device is named after a
    /// node, and so the kernel's limit for devices is none for nodes.
    NodeName,
    63,
    "node name"
);
name!(
    /// A segment: 1 to 63 bytes, as a node's name.
    SegmentName,
    63,
    "segment name"
);
name!(
    /// A network interface: 1 to 15 bytes (`IFNAMSIZ` less the terminator, netdevice(7)).
    InterfaceName,
    15,
    "interface name"
);
name!(
    /// A scenario, from its file's name; it names a folder, so it holds no separator.
    ScenarioName,
    100,
    "scenario name"
);
name!(
    /// A step of a scenario, by which expectations refer to it.
    StepName,
    60,
    "step name"
);
name!(
    /// A process of a scenario; it names a file, so it holds no separator.
    ProcessName,
    60,
    "process name"
);
name!(
    /// A packet filter of a scenario: the name of its table.
    FilterName,
    60,
    "filter name"
);

fn check(what: &str, text: &str, max: usize) -> Result<(), String> {
    let first_ok = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let all_ok = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if text.is_empty() {
        Err(format!("an empty {what}; give it 1 to {max} bytes"))
    } else if text.len() > max {
        let shown = quoted(text);
        Err(format!("the {what} {shown} has {} bytes; at most {max} are allowed", text.len()))
    } else if !first_ok || !all_ok {
        Err(format!(
            "the {what} {} may hold letters, digits, `-`, `_` and `.`, and begins with a \
             letter or a digit",
            quoted(text)
        ))
    } else {
        Ok(())
    }
}
