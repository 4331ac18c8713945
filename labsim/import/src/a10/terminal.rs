//! What a terminal of a device shows beside its configuration: prompts, commands, answers.

/// A prompt before a command that is configuration.
pub(super) const PROMPT: &str = "prompt before a command";
/// A command that configures nothing, or what answers it.
pub(super) const COMMAND: &str = "prompt, or command that is no configuration";

/// What a line of a terminal is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed<'t> {
    /// It begins with no prompt.
    Bare,
    /// A command of the configuration mode, behind its prompt.
    Configured(&'t str),
    /// A prompt of another mode with what was typed there, or a prompt alone.
    Other,
}

/// Takes a prompt off: `adc#`, `adc(config-slb vserver)#`, `adc-Active-vMaster[1/1](config)#`.
pub(super) fn typed(line: &str) -> Typed<'_> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let rest = line.trim_start_matches(is_name);
    if rest.len() == line.len() {
        return Typed::Bare;
    }
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((device, rest)) if device.bytes().all(|b| b.is_ascii_digit() || b == b'/') => rest,
        _ => rest,
    };
    let (mode, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((mode, rest)) => (Some(mode), rest),
        None => (None, rest),
    };
    let Some(command) = rest.strip_prefix(['#', '>']) else { return Typed::Bare };
    let command = command.trim_start();
    match mode {
        Some(mode) if mode.starts_with("config") && !command.is_empty() => {
            Typed::Configured(command)
        }
        _ => Typed::Other,
    }
}

/// Whether a line that belongs to no context is a command that configures nothing, an answer to a
/// question, or what the device says to one.
pub(super) fn is_exec(words: &[&str]) -> bool {
    match words {
        ["configure" | "config" | "conf", rest @ ..] => {
            rest.iter().all(|word| ["terminal", "t", "term"].contains(word))
        }
        ["write" | "wr" | "show" | "sh", ..] => true,
        ["Building", "configuration...", ..] | ["[OK]"] | ["Password:"] => true,
        [only] => ["y", "yes", "n", "no", "enable", "en", "quit", "logout"].contains(only),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Typed, is_exec, typed};

    #[test]
    fn prompts_are_taken_off() {
        for (line, expected) in [
            ("slb server s#1 10.0.0.1", Typed::Bare),
            ("#", Typed::Bare),
            ("method (x)", Typed::Bare),
            ("adc#show run", Typed::Other),
            ("adc>", Typed::Other),
            ("adc(config)#", Typed::Other),
            ("adc(config)#slb server s 1.1.1.1", Typed::Configured("slb server s 1.1.1.1")),
            ("adc(config-slb vserver)# port 49 tcp", Typed::Configured("port 49 tcp")),
            ("a-Active-vMaster[1/1](config:1)#end", Typed::Configured("end")),
        ] {
            assert_eq!(typed(line), expected, "{line}");
        }
    }

    #[test]
    fn configuration_is_no_exec_command() {
        assert!(is_exec(&["configure", "terminal"]) && is_exec(&["write", "memory"]));
        assert!(!is_exec(&["configure", "sync"]) && !is_exec(&["hostname", "y"]));
        assert!(!is_exec(&[]));
    }
}
