//! A command, its environment and its files: bounded, and with no path that leaves the folder.

use crate::model::{FOLDER, Program, Secret};
use crate::resolve::Report;
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::{Located, Scalar, Span, Table};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Most words of a command, most variables, most files.
const ARGUMENTS: usize = 256;
const VARIABLES: usize = 256;
const FILES: usize = 64;
/// Longest argument and longest variable in bytes: execve(2) takes 128 KiB each.
const ARGUMENT: usize = 64 << 10;
/// All files together in bytes.
const ALL_FILES: usize = 512 << 10;
/// Longest path of a file, and longest name in it, in bytes.
const PATH: usize = 255;
/// Longest name of a variable or a package.
const NAME: usize = 100;

/// What `processes` and `run` have in common.
pub(super) struct Written<'a> {
    pub(super) command: &'a Located<Vec<Located<Scalar>>>,
    pub(super) environment: &'a Table<Located<Scalar>>,
    pub(super) files: &'a Table<Located<String>>,
    pub(super) package: Option<&'a Located<String>>,
}

impl Written<'_> {
    /// What is started; `None` if the command is not valid.
    pub(super) fn resolve(&self, report: &mut Report<'_>) -> Option<Program> {
        let environment = self.environment(report);
        let files = self.files(report);
        let (path, arguments) = self.command(&files, report)?;
        let package = self.package.filter(|package| report.plain(package, "package", NAME));
        let package = package.map(|package| package.value.clone());
        Some(Program { path, arguments, environment, files, package })
    }

    fn command(
        &self,
        files: &BTreeMap<PathBuf, Secret>,
        report: &mut Report<'_>,
    ) -> Option<(String, Vec<Secret>)> {
        let words = &self.command.value;
        let Some((program, arguments)) = words.split_first() else {
            report.empty(
                self.command.span,
                "an empty command; write the program, then its arguments",
            );
            return None;
        };
        if !report.limit(self.command.span, words.len(), ARGUMENTS, "word") {
            return None;
        }
        let path = program.value.0.clone();
        report.take(program.span, of_program(&path, files));
        for argument in arguments {
            text(argument.span, &argument.value.0, ("argument", ARGUMENT), report);
        }
        let arguments = arguments.iter().map(|word| Secret::new(word.value.0.clone())).collect();
        Some((path, arguments))
    }

    fn environment(&self, report: &mut Report<'_>) -> BTreeMap<String, Secret> {
        let mut variables = BTreeMap::new();
        if let Some((key, _)) = self.environment.iter().nth(VARIABLES) {
            report.limit(key.span, self.environment.len(), VARIABLES, "variable");
        }
        for (name, value) in self.environment.iter().take(VARIABLES) {
            let good = !name.is_empty()
                && name.len() <= NAME
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !good {
                report.at(
                    name.span,
                    file::INVALID_VALUE,
                    format!(
                        "{} cannot name a variable; write letters, digits and `_`",
                        quoted(name)
                    ),
                );
            }
            text(value.span, &value.value.0, ("value", ARGUMENT), report);
            variables.insert(name.value.clone(), Secret::new(value.value.0.clone()));
        }
        variables
    }

    fn files(&self, report: &mut Report<'_>) -> BTreeMap<PathBuf, Secret> {
        let (mut files, mut total) = (BTreeMap::<PathBuf, Secret>::new(), 0);
        if let Some((key, _)) = self.files.iter().nth(FILES) {
            report.limit(key.span, self.files.len(), FILES, "file");
        }
        for (key, content) in self.files.iter().take(FILES) {
            let before = total;
            total += content.len();
            if before <= ALL_FILES && total > ALL_FILES {
                report.at(
                    content.span,
                    file::TOO_MANY,
                    format!("the files have more than {ALL_FILES} bytes together; write less"),
                );
            }
            let Some(path) = report.take(key.span, of_file(key)) else { continue };
            if let Some(other) =
                files.keys().find(|one| one.starts_with(&path) || path.starts_with(one))
            {
                let other = quoted(&other.to_string_lossy());
                report.at(
                    key.span,
                    file::DUPLICATE_VALUE,
                    format!("{} and {other} cannot both be there; rename one", quoted(key)),
                );
                continue;
            }
            files.insert(path, Secret::new(content.value.clone()));
        }
        files
    }
}

/// Complains about what no program can be handed.
fn text(span: Span, text: &str, (what, limit): (&str, usize), report: &mut Report<'_>) {
    if text.contains('\0') {
        report.at(span, file::INVALID_VALUE, format!("this {what} contains a NUL byte; remove it"));
    } else if text.len() > limit {
        let length = text.len();
        report.at(
            span,
            file::TOO_MANY,
            format!("this {what} has {length} bytes; at most {limit} are allowed"),
        );
    }
}

/// Whether a program can be found by its name.
fn of_program(path: &str, files: &BTreeMap<PathBuf, Secret>) -> Result<(), String> {
    let shown = quoted(path);
    if path.is_empty() || path.len() > PATH || !path.chars().all(crate::text::is_plain) {
        return Err(format!("{shown} is not a valid program; write its name, or its path"));
    }
    if let Some(own) = path.strip_prefix(FOLDER) {
        return match files.contains_key(Path::new(own.trim_start_matches('/'))) {
            true => Ok(()),
            false => Err(format!("{shown} is not in `files`; add it there")),
        };
    }
    if path.contains('/') && !path.starts_with('/') {
        return Err(format!(
            "{shown} is a relative path; write a name, an absolute path, or one that begins with \
             {FOLDER}/"
        ));
    }
    Ok(())
}

/// A path below the private folder.
fn of_file(text: &str) -> Result<PathBuf, String> {
    let shown = quoted(text);
    if text.is_empty() || text.len() > PATH || !text.chars().all(crate::text::is_plain) {
        return Err(format!("{shown} is not a valid file name; write 1 to {PATH} plain bytes"));
    }
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    // `Path` passes over `a//b`, `a/./b` and `a/`.
    let written = path.components().map(|part| part.as_os_str().to_string_lossy());
    if !plain || written.collect::<Vec<_>>().join("/") != text {
        return Err(format!(
            "{shown} does not stay in the private folder; write a relative path without `.` and \
             `..`"
        ));
    }
    Ok(path.to_owned())
}
