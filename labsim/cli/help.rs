//! `labsim help`: commands, and codes of messages.

use crate::args::{self, Cli};
use crate::exit::Exit;
use crate::output;
use clap::{Command, CommandFactory as _};
use labsim_codes::Code;

/// The topic that lists all codes.
const CODES: &str = "codes";

/// How similar a name is to be suggested (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;
/// The most suggestions.
const SUGGESTIONS: usize = 3;

/// Prints the help of a command or the text of a code.
pub(crate) fn help(args: &args::Help) -> Exit {
    let mut root = Cli::command();
    root.build();
    let topic: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    if topic == [CODES] {
        output::text(list());
        return Exit::Success;
    }
    if let Some(command) = find(&mut root, &topic) {
        let _ = command.print_long_help();
        return Exit::Success;
    }
    let name = topic.join(" ");
    if let Some(code) = Code::find(&name) {
        output::text(describe(code));
        return Exit::Success;
    }
    let suggestions = suggest(&root, &name);
    let remedy = if suggestions.is_empty() {
        "`labsim help` lists the commands, `labsim help codes` the codes".to_owned()
    } else {
        format!("did you mean {}?", suggestions.join(" or "))
    };
    output::error(format_args!("unknown command or code `{}`; {remedy}", name.escape_debug()));
    Exit::Invalid
}

fn find<'a>(root: &'a mut Command, topic: &[&str]) -> Option<&'a mut Command> {
    topic.iter().try_fold(root, |command, name| command.find_subcommand_mut(name))
}

fn suggest(root: &Command, name: &str) -> Vec<String> {
    let commands = root.get_subcommands().filter(|it| !it.is_hide_set()).map(Command::get_name);
    let names = commands.chain(Code::all().map(|code| code.name())).chain([CODES]);
    let scored = names.map(|known| (strsim::jaro_winkler(known, name), known));
    let mut similar: Vec<_> = scored.filter(|(score, _)| *score >= SIMILAR).collect();
    similar.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    similar.into_iter().take(SUGGESTIONS).map(|(_, known)| format!("`{known}`")).collect()
}

fn describe(code: Code) -> String {
    let (meaning, evidence, remedy) = (code.meaning(), code.evidence(), code.remedy());
    format!("{code}\n\n{meaning}\n\nEvidence: {evidence}\nRemedy: {remedy}\n")
}

fn list() -> String {
    let width = Code::all().map(|code| code.name().len()).max().unwrap_or_default();
    Code::all().map(|code| format!("{:width$}  {}\n", code.name(), code.meaning())).collect()
}
