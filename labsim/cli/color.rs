//! Whether output has colours.

use crate::args::ColorChoice;
use std::ffi::OsString;

/// Whether an output has colours. no-color.org, force-color.org and bixense.com/clicolors describe
/// the variables.
pub(crate) fn is_colored(choice: ColorChoice, is_terminal: bool) -> bool {
    decide(choice, is_terminal, |name| std::env::var_os(name))
}

/// Whether the terminal cannot erase a line and move the cursor, or does not say what it can.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|value| value.is_empty() || value == "dumb")
}

fn decide(
    choice: ColorChoice,
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is = |name: &str, wanted: &str| variable(name).is_some_and(|value| value == wanted);
    let forces = |name: &str| is_set(name) && !is(name, "0") && !is(name, "false");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto if forces("FORCE_COLOR") || forces("CLICOLOR_FORCE") => true,
        ColorChoice::Auto if is("TERM", "dumb") || is("CLICOLOR", "0") => false,
        ColorChoice::Auto => is_terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colored(choice: ColorChoice, is_terminal: bool, variables: &[(&str, &str)]) -> bool {
        decide(choice, is_terminal, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_option_outweighs_the_environment_and_the_environment_the_terminal() {
        let auto = ColorChoice::Auto;
        for (variables, pipe, terminal) in [
            (&[][..], false, true),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], false, true),
            (&[("FORCE_COLOR", "1")], true, true),
            (&[("FORCE_COLOR", "0")], false, true),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false, false),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR", "0")], false, false),
        ] {
            assert_eq!(colored(auto, false, variables), pipe, "{variables:?}");
            assert_eq!(colored(auto, true, variables), terminal, "{variables:?}");
            assert!(colored(ColorChoice::Always, false, variables), "{variables:?}");
            assert!(!colored(ColorChoice::Never, true, variables), "{variables:?}");
        }
    }
}
