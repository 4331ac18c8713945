//! A document as YAML, each part with the file that it comes from.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::document::{Document, EXTENDS};
use crate::scalar::is_null;
use crate::source::{printable, visible};
use crate::tree::{Kind, NodeId, Tree};

impl Document {
    /// The merged document as YAML. A comment names the file of a part where it is another one
    /// than that of what is around it. Values of the top-level keys `paths` are file names; they
    /// are written relative to the first file's folder, so that the text can stand in its place.
    ///
    /// Comments of the files and their layout are not kept. `None` if a file could not be opened
    /// or parsed, or holds no mapping.
    #[must_use]
    pub fn to_yaml(&self, paths: &[&str]) -> Option<String> {
        self.to_yaml_without(paths, &[])
    }

    /// The same with `***` in place of every scalar at or below an entry of these names, at any depth.
    #[must_use]
    pub fn to_yaml_without(&self, paths: &[&str], hidden: &[&str]) -> Option<String> {
        let tree = self.tree()?;
        let Kind::Map(entries) = tree.kind(Tree::ROOT) else { return None };
        let mut writer =
            Writer { document: self, tree, hidden, is_hidden: false, text: String::new() };
        for (key, value) in entries.iter().filter(|(key, _)| tree.text(*key) != EXTENDS) {
            let moved = match tree.kind(*value) {
                Kind::Scalar { text, .. } if paths.contains(&tree.text(*key)) => {
                    Some(self.rebase_path(writer.file(*value), text))
                }
                _ => None,
            };
            writer.entry(*key, *value, 0, 0, moved.as_deref());
        }
        Some(writer.text)
    }

    /// The map that `keys` lead to from the root, as YAML. `None` if there is no map.
    #[must_use]
    pub fn part_to_yaml(&self, keys: &[&str]) -> Option<String> {
        let tree = self.tree()?;
        let id = crate::path::node(tree, keys)?;
        let Kind::Map(entries) = tree.kind(id) else { return None };
        let mut writer =
            Writer { document: self, tree, hidden: &[], is_hidden: false, text: String::new() };
        let around = writer.file(id);
        for (key, value) in entries {
            writer.entry(*key, *value, 0, around, None);
        }
        Some(writer.text)
    }

    /// A path of the file of that number, as the first file would name it.
    fn rebase_path(&self, file: usize, named: &str) -> String {
        let folder = |number: usize| {
            let path = self.relative_path(number);
            path.and_then(Path::parent).unwrap_or(Path::new("")).to_owned()
        };
        let target = crate::document::shortened(&folder(file).join(named));
        relative(&folder(0), &target).to_string_lossy().into_owned()
    }
}

/// `target` as a path from `folder`; both begin in one place, and neither passes through a folder that it
/// leaves again.
#[must_use]
pub fn relative(folder: &Path, target: &Path) -> PathBuf {
    let (from, to): (Vec<Component>, Vec<Component>) =
        (folder.components().collect(), target.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

struct Writer<'a> {
    document: &'a Document,
    tree: &'a Tree,
    /// Names of entries whose values are not written.
    hidden: &'a [&'a str],
    /// Whether such an entry is being written.
    is_hidden: bool,
    text: String,
}

impl Writer<'_> {
    fn file(&self, id: NodeId) -> usize {
        self.tree.span(id).file as usize
    }

    /// `key: value`, within what comes from the file `around`. `moved` replaces a scalar's text.
    fn entry(
        &mut self,
        key: NodeId,
        value: NodeId,
        indent: usize,
        around: usize,
        moved: Option<&str>,
    ) {
        let file = self.file(key);
        let comment = if file == around { None } else { self.document.relative_path(file) };
        let comment = comment.map(|path| printable(&path.to_string_lossy()));
        let _ = write!(self.text, "{:indent$}", "");
        self.scalar(key);
        self.text.push(':');
        let around = self.is_hidden;
        self.is_hidden |= self.hidden.contains(&self.tree.text(key));
        self.value(value, indent, file, comment.as_deref(), moved);
        self.is_hidden = around;
    }

    /// A value after `key:` or `-`, with the comment at the end of its first line.
    fn value(
        &mut self,
        id: NodeId,
        indent: usize,
        file: usize,
        comment: Option<&str>,
        moved: Option<&str>,
    ) {
        let comment = comment.map(|path| format!("  # from {path}")).unwrap_or_default();
        match self.tree.kind(id) {
            Kind::Map(entries) if !entries.is_empty() => {
                let _ = writeln!(self.text, "{comment}");
                for (key, value) in entries {
                    self.entry(*key, *value, indent + 2, file, None);
                }
            }
            Kind::List(items) if !items.is_empty() => {
                let _ = writeln!(self.text, "{comment}");
                for item in items {
                    let _ = write!(self.text, "{:1$}-", "", indent + 2);
                    self.value(*item, indent + 2, file, None, None);
                }
            }
            Kind::Scalar { .. } if self.is_hidden => {
                let _ = writeln!(self.text, " \"***\"{comment}");
            }
            Kind::Scalar { text, plain: false } if is_block(text) => {
                let chomp = if text.ends_with('\n') { "" } else { "-" };
                let _ = writeln!(self.text, " |{chomp}{comment}");
                for line in text.lines() {
                    let width = if line.is_empty() { 0 } else { indent + 2 };
                    let _ = writeln!(self.text, "{:width$}{line}", "");
                }
            }
            Kind::Scalar { .. } if moved.is_some() => {
                let _ = writeln!(self.text, " {}{comment}", quoted(moved.unwrap_or_default()));
            }
            _ => {
                self.text.push(' ');
                self.scalar(id);
                let _ = writeln!(self.text, "{comment}");
            }
        }
    }

    /// A scalar, or an empty collection, on one line.
    fn scalar(&mut self, id: NodeId) {
        let text = match self.tree.kind(id) {
            Kind::Scalar { text, plain: true } if is_null(text) => "null".to_owned(),
            Kind::Scalar { text, plain: true } if !text.contains(['\n', '\r']) => text.clone(),
            Kind::Scalar { text, .. } => quoted(text),
            Kind::Map(_) => "{}".to_owned(),
            Kind::List(_) => "[]".to_owned(),
            Kind::Nothing | Kind::Broken => "null".to_owned(),
        };
        self.text.push_str(&text);
    }
}

/// Whether a text can be a literal block scalar: several lines of printable characters, the first
/// one not indented, and at most one line break at the end.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with("\n\n")
        && text.chars().all(|c| c == '\n' || visible(c) == c)
}

/// A double-quoted scalar (YAML 1.2.2, 7.3.1).
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ if visible(character) == character => quoted.push(character),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}
