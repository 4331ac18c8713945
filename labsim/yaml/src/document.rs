//! A document out of one file, or of several that are laid over one another.

use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::notes::Notes;
use crate::overlay::overlay;
use crate::read::{Partial, parsed, partly, whole};
use crate::tree::{Kind, Tree};
use crate::words::quote;
use crate::{Located, Mistake, Mistakes, Source, Span, mistake};

/// The key by which a file names the one that it is laid over.
const EXTENDS: &str = "extends";
/// How many files may be laid over one another.
const FILES: usize = 8;

/// What a file holds, laid over what the file holds that it names by the key `extends`, and so on.
///
/// Mappings are merged key by key: those of the extended file first, in its order. Everything else
/// takes the place of what it is laid over, and `null` takes a key out. Every value keeps the place
/// in the file that it stands in, and so does every mistake.
#[derive(Debug)]
pub struct Document {
    /// The folder of the first file.
    folder: PathBuf,
    /// The first file, then the one that it extends, and so on; each with its path from the folder.
    files: Vec<(Source, PathBuf)>,
    /// Nothing if a file could not be opened or parsed, which is noted.
    tree: Option<Tree>,
    notes: Notes,
    /// Those that have no place in any of the files.
    others: Mistakes,
}

impl Document {
    /// Opens a file that a person has named, and the files that it extends.
    ///
    /// A file that a file names is opened as [`Source::open_in`] does: a relative path, from the
    /// folder of the file that it stands in, without symbolic links, and a regular file of the
    /// size that is allowed. At most eight files may be laid over one another.
    ///
    /// # Errors
    /// The first file cannot be opened. Mistakes in it, and in and about those that it extends,
    /// are reported when it is read.
    pub fn open(path: &Path) -> Result<Self, Mistakes> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let relative = path.file_name().map(PathBuf::from).unwrap_or_default();
        let source = Source::open(path)?;
        Ok(Self::begin(folder.unwrap_or(Path::new(".")).to_owned(), source, relative))
    }

    /// Opens a file that a value of this document names, and the files that it extends.
    ///
    /// # Errors
    /// The file cannot be opened, which is a mistake of the value; otherwise as
    /// [`open`](Self::open).
    pub fn open_beside(&self, named: &Located<String>) -> Result<Self, Mistakes> {
        let (source, relative) = self.beside(named, named.span)?;
        Ok(Self::begin(self.folder.clone(), source, relative))
    }

    fn begin(folder: PathBuf, source: Source, relative: PathBuf) -> Self {
        let (tree, notes) = first_of(parsed(&source, 0));
        let (files, others) = (vec![(source, relative)], Mistakes::new());
        let mut document = Self { folder, files, tree, notes, others };
        document.extend();
        document
    }

    /// Lays the document over the file that it extends, that one over the next, and so on.
    fn extend(&mut self) {
        let Some(first) = self.tree.take() else { return };
        let mut next = extended(&first);
        let mut trees = vec![first];
        while let Some((text, span)) = next.take() {
            let Some((source, relative)) = self.open_next(&text, span) else { return };
            let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            let (base, notes) = first_of(parsed(&source, number));
            self.notes.absorb(notes);
            self.files.push((source, relative));
            let Some(base) = base else { return };
            next = extended(&base);
            trees.push(base);
        }
        let Some(mut laid) = trees.pop() else { return };
        for (over, (base, _)) in trees.iter().rev().zip(self.files.iter().rev()) {
            laid = overlay(over, &laid, EXTENDS, base.name(), &mut self.notes);
        }
        self.tree = Some(laid);
    }

    fn open_next(&mut self, text: &str, span: Span) -> Option<(Source, PathBuf)> {
        let opened = self.beside(text, span).and_then(|(source, relative)| {
            if let Some(first) = self.files.iter().position(|(_, known)| *known == relative) {
                let circle = self.files[first..].iter().map(|(_, path)| path);
                let circle: Vec<String> =
                    circle.chain([&relative]).map(|path| quote(&path.to_string_lossy())).collect();
                let message = format!(
                    "this goes in a circle: {}; take one `{EXTENDS}` out",
                    circle.join(" extends ")
                );
                Err(self.mistake(span, message).into())
            } else if self.files.len() >= FILES {
                let message = format!("more than {FILES} files extend one another here; join some");
                Err(self.mistake(span, message).into())
            } else {
                Ok((source, relative))
            }
        });
        opened.map_err(|mistakes| self.others.extend(mistakes)).ok()
    }

    /// Opens a file that is named at `span`.
    fn beside(&self, text: &str, span: Span) -> Result<(Source, PathBuf), Mistakes> {
        let folder = self.file(span).1.parent().unwrap_or(Path::new(""));
        let relative = shortened(&folder.join(text));
        match Source::open_in(&self.folder, &relative.to_string_lossy()) {
            Ok(source) => Ok((source, relative)),
            // A file that could not be opened is a mistake of the line that names it.
            Err(mistakes) => Err(mistakes
                .into_iter()
                .map(|found| match found {
                    Mistake { line: 0, file, message, .. } => {
                        self.mistake(span, format!("{file}: {message}"))
                    }
                    placed => placed,
                })
                .collect()),
        }
    }

    fn file(&self, span: Span) -> &(Source, PathBuf) {
        self.files.get(span.file as usize).unwrap_or(&self.files[0])
    }

    /// The first file: the one that was opened.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.files[0].0
    }

    /// The file that a value stands in.
    #[must_use]
    pub fn source_of(&self, span: Span) -> &Source {
        &self.file(span).0
    }

    /// All files, the first one first.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().map(|(source, _)| source)
    }

    /// A mistake at the place of a value, in the file that it stands in.
    #[must_use]
    pub fn mistake(&self, span: Span, message: impl Into<String>) -> Mistake {
        mistake(self.source_of(span), span, message)
    }

    /// Reads the document into a type, as [`read`](crate::read()) does.
    ///
    /// # Errors
    /// Every mistake of every file with its place. If a file that is extended could not be opened
    /// or parsed, only what is known without it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Mistakes> {
        let sources: Vec<&Source> = self.sources().collect();
        let mistakes = match &self.tree {
            None => self.notes.clone().into_mistakes(&sources),
            Some(tree) => match whole(tree, self.notes.clone(), &sources) {
                Ok(value) if self.others.is_empty() => return Ok(value),
                Ok(_) => Mistakes::new(),
                Err(mistakes) => mistakes,
            },
        };
        Err(self.others.iter().cloned().chain(mistakes).collect())
    }

    /// Reads what can be read into a type, as [`read_partly`](crate::read_partly) does.
    #[must_use]
    pub fn read_partly<T: DeserializeOwned>(&self) -> Partial<T> {
        let sources: Vec<&Source> = self.sources().collect();
        let mut partial = partly(self.tree.as_ref(), self.notes.clone(), &sources);
        partial.mistakes.extend(self.others.iter().cloned());
        partial
    }
}

fn first_of(parsed: Result<(Tree, Notes), Notes>) -> (Option<Tree>, Notes) {
    match parsed {
        Ok((tree, notes)) => (Some(tree), notes),
        Err(notes) => (None, notes),
    }
}

/// What a file extends, and where it says so.
fn extended(tree: &Tree) -> Option<(String, Span)> {
    let Kind::Map(entries) = tree.kind(Tree::ROOT) else { return None };
    let (_, value) = entries.iter().find(|(key, _)| tree.text(*key) == EXTENDS)?;
    // What is no text is a mistake that the wanted type tells.
    match tree.kind(*value) {
        Kind::Scalar { text, .. } => Some((text.clone(), tree.span(*value))),
        _ => None,
    }
}

/// A path without the folders that it only passes through: no part of it is a symbolic link.
fn shortened(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(short.components().next_back(), Some(Component::Normal(_))) =>
            {
                short.pop();
            }
            part => short.push(part),
        }
    }
    short
}
