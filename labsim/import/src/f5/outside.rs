//! What stands outside of stanzas in a pasted text: prompts, commands, what a device answers.

use super::parse::MODULES;
use crate::text::has_word;

/// A line outside of stanzas that is no stanza.
pub(super) const OUTSIDE: &str = "prompt, command or text outside of stanzas";
/// A prompt before a command that is configuration.
pub(super) const PROMPT: &str = "prompt before a command";

/// A line, as it is read outside of stanzas.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// A stanza, or what is meant to be one.
    Stanza,
    /// A command that creates or changes an object; its words begin here.
    Command(usize),
    /// Anything else.
    Other,
}

/// What a line is; it begins with no blank.
pub(super) fn outside(line: &str) -> Outside {
    let behind = behind_prompt(line);
    let (at, text) = behind.map_or((0, line), |text| (line.len() - text.len(), text));
    let words = text.strip_prefix("tmsh ").unwrap_or(text);
    if is_command(words) {
        return Outside::Command(at + text.len() - words.len());
    }
    let first = line.split_ascii_whitespace().next().unwrap_or_default();
    // A line with a brace is broken text, unless a prompt stands before it.
    let is_stanza = has_word(MODULES, first) || line.contains(['{', '}']);
    if behind.is_none() && is_stanza { Outside::Stanza } else { Outside::Other }
}

/// Whether a command of a terminal begins here: no stanza goes beyond it.
pub(super) fn is_typed(line: &str) -> bool {
    let words = line.strip_prefix("tmsh ").unwrap_or(line);
    is_command(words) || behind_prompt(line).is_some()
}

/// `create ltm …` or `modify /ltm …`
fn is_command(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    text.starts_with(['c', 'm'])
        && words.next().is_some_and(|verb| ["create", "modify"].contains(&verb))
        && words
            .next()
            .is_some_and(|module| has_word(MODULES, module.strip_prefix('/').unwrap_or(module)))
}

/// What follows a prompt on its line: `root@(lb1)(cfg-sync Standalone)(Active)(/Common)(tmos)# `,
/// `[root@lb1:Active:Standalone] config # `.
fn behind_prompt(line: &str) -> Option<&str> {
    let rest = if let Some(rest) = line.strip_prefix('[') {
        let (device, rest) = rest.split_once(']')?;
        device.contains('@').then_some(())?;
        let at = rest.find(['#', '$'])?;
        rest.get(..at)?.bytes().all(|byte| byte != b'{').then(|| rest.get(at + 1..))?
    } else {
        let (user, rest) = line.split_once("@(")?;
        user.bytes().all(|byte| byte.is_ascii_graphic()).then_some(())?;
        let rest = rest.get(rest.find("(tmos")?..)?;
        rest.split_once(')').and_then(|(_, rest)| rest.strip_prefix(['#', '%', '$']))
    };
    rest.map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::{Outside, is_typed, outside};

    #[test]
    fn lines_outside_of_stanzas_are_told_apart() {
        for (line, expected) in [
            ("ltm pool p {", Outside::Stanza),
            ("ltm pool", Outside::Stanza),
            ("pool p {", Outside::Stanza),
            ("} x", Outside::Stanza),
            ("list ltm pool p", Outside::Other),
            ("root@(lb1)(Active)(/Common)(tmos)# list ltm pool p { }", Outside::Other),
            ("root@(lb1)(Active)(/Common)(tmos.ltm)#", Outside::Other),
            ("[root@lb1:Active:Standalone] config # tmsh list ltm", Outside::Other),
            ("create ltm pool p", Outside::Command(0)),
            ("tmsh modify /ltm pool p members none", Outside::Command(5)),
            ("root@(lb1)(Active)(tmos)# create ltm pool p { }", Outside::Command(26)),
            ("[root@lb1:Active] ~ # tmsh create ltm pool p", Outside::Command(27)),
            ("create something", Outside::Other),
            ("é@(", Outside::Other),
        ] {
            assert_eq!(outside(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_typed_ends_a_stanza() {
        assert!(is_typed("tmsh create ltm pool p") && is_typed("root@(a)(tmos)# list"));
        assert!(!is_typed("create x") && !is_typed("    modify ltm pool"));
    }
}
