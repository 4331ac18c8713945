//! Names and secrets that cannot be malformed.

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
            /// A sentence that says what is wrong with it and what would be right.
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
    /// A node: 1 to 15 bytes of letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    ///
    /// Bridge ports and router interfaces are named after nodes, and Linux holds an interface's
    /// name in 16 bytes with its terminator (`IFNAMSIZ`, netdevice(7)).
    NodeName,
    15,
    "node name"
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

/// A shared secret or a password: never printed, not by `Debug` either.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the protocol that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
