//! Interactive shells in a lab: the user's own, with the lab's prompt and a history of the node's own.

use crate::client::Lab;
use crate::folder::SHELLS;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where administrators' programs are. An ordinary user's `PATH` may lack them, and is root in the lab.
const ADMINISTRATORS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// What shells read at their start, by name in a folder of the lab's: the user's own first, then the
/// prompt and the history, which the user's own may have set otherwise.
pub(crate) const FILES: [(&str, &str); 3] = [
    (
        "bashrc",
        "\
[ -f ~/.bashrc ] && . ~/.bashrc
unset PROMPT_COMMAND
PS1=$LABSIM_PROMPT':\\w\\$ '
HISTFILE=$LABSIM_HISTORY
",
    ),
    (
        ".zshenv",
        "\
LABSIM_OWN=$ZDOTDIR ZDOTDIR=$LABSIM_ZDOTDIR
[ -f $ZDOTDIR/.zshenv ] && . $ZDOTDIR/.zshenv
LABSIM_ZDOTDIR=$ZDOTDIR ZDOTDIR=$LABSIM_OWN
",
    ),
    (
        ".zshrc",
        "\
ZDOTDIR=$LABSIM_ZDOTDIR
[ -f $ZDOTDIR/.zshrc ] && . $ZDOTDIR/.zshrc
unfunction precmd 2>/dev/null
precmd_functions=()
PROMPT=\"$LABSIM_PROMPT:%~%# \" RPROMPT=
HISTFILE=$LABSIM_HISTORY
[ $SAVEHIST -gt 0 ] || SAVEHIST=$HISTSIZE
",
    ),
];

/// An interactive shell in a node, or in the lab: `$SHELL`, or `/bin/sh` if that is none.
pub(crate) fn interactive(lab: &Lab, node: Option<&str>) -> Command {
    let own = env::var_os("SHELL").map(PathBuf::from).filter(|shell| is_shell(shell));
    let shell = own.unwrap_or_else(|| "/bin/sh".into());
    let prompt = node.map_or_else(|| format!("({})", lab.name()), str::to_owned);
    let shells = lab.file(SHELLS);
    let history = node.map_or_else(|| "history".to_owned(), |node| format!("history.{node}"));
    let history = shells.join(history);
    let mut command = Command::new(&shell);
    match shell.file_name().and_then(OsStr::to_str) {
        Some("bash") => {
            command.arg("--rcfile").arg(shells.join("bashrc"));
        }
        Some("zsh") => {
            let own = env::var_os("ZDOTDIR").or_else(|| env::var_os("HOME")).unwrap_or_default();
            command.env("ZDOTDIR", &shells).env("LABSIM_ZDOTDIR", own);
        }
        Some("fish") => {
            let text = "function fish_prompt; echo -n $LABSIM_PROMPT:(prompt_pwd)'# '; end";
            command.args(["--private", "--init-command", text]);
        }
        _ => {}
    }
    command.arg("-i");
    command.env("LABSIM_PROMPT", &prompt).env("PS1", format!("{prompt}# "));
    command.env("LABSIM_HISTORY", &history).env("HISTFILE", &history);
    command
}

/// The `PATH` of a process in a lab: the user's, and after it where administrators' programs are.
pub(crate) fn path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let missing = |folder: &&str| !env::split_paths(&own).any(|it| it == Path::new(folder));
    let mut path = own.clone();
    for folder in ADMINISTRATORS.into_iter().filter(missing) {
        path.push(":");
        path.push(folder);
    }
    path
}

/// Accounts that are not to log in have a program that ends at once.
fn is_shell(program: &Path) -> bool {
    let refuses = ["nologin", "false", "true"].map(OsStr::new);
    program.is_file() && program.file_name().is_some_and(|name| !refuses.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::is_shell;
    use std::path::Path;

    #[test]
    fn a_program_that_refuses_logins_is_no_shell() {
        assert!(is_shell(Path::new("/bin/sh")));
        for program in ["/bin/false", "/bin/true", "/usr/sbin/nologin", "/no/such", "/", ""] {
            assert!(!is_shell(Path::new(program)), "{program}");
        }
    }
}
