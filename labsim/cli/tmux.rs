//! `labsim tmux`: tmux(1) with a pane for each node of a lab that is up.

use crate::exit::Exit;
use crate::live::fail;
use crate::{args, output};
use labsim_live::{Lab, LabsFolder};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The option of a pane that holds its node. A pane's title would be the programs' to change.
const NODE: &str = "@labsim_node";
/// What stands above each pane (tmux(1), FORMATS).
const HEADING: &str = " #{@labsim_node} ";
/// By what labsim finds the labs. A tmux that runs already has an environment of its own.
const RUNTIME: &str = "XDG_RUNTIME_DIR";

/// Becomes tmux; returns if that fails.
pub(crate) fn tmux(args: &args::LabName) -> Exit {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        output::error(
            "tmux needs a terminal as its standard input and output; `labsim exec NODE -- CMD` needs none",
        );
        return Exit::Invalid;
    }
    let lab = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let (status, lab) = match lab.and_then(|lab| Ok((lab.status()?, lab))) {
        Ok(found) => found,
        Err(error) => return fail(&error),
    };
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            output::error(format_args!("labsim cannot find its own program: {error}"));
            return Exit::CannotRun;
        }
    };
    let runtime = match env::var_os(RUNTIME) {
        Some(value) => {
            let mut set = OsString::from(RUNTIME);
            set.push("=");
            set.push(value);
            vec![set]
        }
        None => vec!["-u".into(), RUNTIME.into()],
    };
    let shell = |node: &str| {
        let mut shell = vec!["env".into()];
        shell.extend(runtime.clone());
        shell.push(program.clone().into_os_string());
        shell.extend(["shell", node, "--name", lab.name().as_str()].map(OsString::from));
        shell
    };
    let is_inside = env::var_os("TMUX").is_some_and(|tmux| !tmux.is_empty());
    let nodes = status.nodes.iter().map(|node| node.name.as_str());
    let error =
        Command::new("tmux").args(arguments(is_inside, lab.name().as_str(), nodes, shell)).exec();
    output::error(match error.kind() {
        io::ErrorKind::NotFound => "there is no program `tmux` in PATH; install tmux, or use \
                                    `labsim shell NODE` in a terminal for each node"
            .to_owned(),
        _ => format!("tmux cannot be started: {error}"),
    });
    Exit::CannotRun
}

/// A window of a new session, or of the one that this is called in, with a pane for each node. tmux
/// starts what has several arguments without a shell.
fn arguments<'a>(
    is_inside: bool,
    lab: &str,
    nodes: impl Iterator<Item = &'a str>,
    shell: impl Fn(&str) -> Vec<OsString>,
) -> Vec<OsString> {
    let mut commands: Vec<Vec<OsString>> = Vec::new();
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    for (number, node) in nodes.enumerate() {
        let mut pane = match (number, is_inside) {
            (0, false) => words(&["new-session", "-n", lab]),
            (0, true) => words(&["new-window", "-n", lab]),
            _ => words(&["split-window"]),
        };
        pane.extend(shell(node));
        commands.push(pane);
        commands.push(words(&["set-option", "-p", NODE, node]));
        // Each time: else the last pane alone is divided, until it is too small.
        commands.push(words(&["select-layout", "tiled"]));
    }
    commands.push(words(&["set-option", "-w", "pane-border-format", HEADING]));
    commands.push(words(&["set-option", "-w", "pane-border-status", "top"]));
    commands.push(words(&["select-pane", "-t", "{top-left}"]));
    let literal: Vec<Vec<OsString>> =
        commands.iter().map(|it| it.iter().map(|word| literal(word)).collect()).collect();
    literal.join(&OsString::from(";"))
}

/// A word that is an argument in any case: tmux takes a `;` at a word's end for the end of a command.
fn literal(word: &OsStr) -> OsString {
    let mut bytes = word.as_bytes().to_vec();
    if bytes.ends_with(b";") {
        bytes.insert(bytes.len() - 1, b'\\');
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn a_semicolon_in_a_path_ends_no_command() {
        let shell = |node: &str| vec!["/a;b;".into(), node.into()];
        let all = arguments(true, "one", ["rs1"].into_iter(), shell);
        let begin = ["new-window", "-n", "one", "/a;b\\;", "rs1", ";", "set-option"];
        assert_eq!(all.get(..begin.len()).unwrap(), begin);
    }
}
