//! A document out of one file, or of several that are laid over one another.

use std::path::{Component, Path, PathBuf};

use labsim_codes::{Code, file};

use crate::collector::Collector;
use crate::folder::{BuiltIn, Folder, Sources};
use crate::messages::quote;
use crate::overlay::overlay;
use crate::path;
use crate::read::{Partial, parsed, partial};
use crate::source::too_large;
use crate::tree::{Kind, Tree};
use crate::{Diagnostic, Diagnostics, FromYaml, Located, SIZE_LIMIT, Source, Span};

/// The key by which a file names the one that it is laid over.
pub(crate) const EXTENDS: &str = "extends";
/// How many files may be laid over one another.
const FILES: usize = 8;

/// What a file holds, laid over what the file holds that it names by the key `extends`, and so on.
///
/// Mappings are merged key by key: those of the extended file first, in its order. Everything else
/// takes the place of what it is laid over, and `null` takes a key out. Every value keeps the place
/// in the file that it stands in, and so does every error.
#[derive(Debug, Clone)]
pub struct Document {
    /// The folder of the first file.
    folder: Folder,
    /// The first file, then the one that it extends, and so on; each with its path from the folder.
    files: Vec<(Source, PathBuf)>,
    /// Nothing if a file could not be opened or parsed, which is noted.
    tree: Option<Tree>,
    collector: Collector,
    /// Those that have no place in any of the files.
    others: Diagnostics,
}

impl Document {
    /// Opens a file that the user has named, and the files that it extends.
    ///
    /// A file that a file names is opened as [`Source::open_in`] does: a relative path, from the
    /// folder of the file that it stands in, without symbolic links, and a regular file of the
    /// size that is allowed. At most eight files may be laid over one another.
    ///
    /// # Errors
    /// The first file cannot be opened. Diagnostics in it, and in and about those that it extends,
    /// are reported when it is read.
    pub fn open(path: &Path) -> Result<Self, Diagnostics> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let relative = path.file_name().map(PathBuf::from).unwrap_or_default();
        let source = Source::open(path)?;
        let folder = Folder::OnDisk(folder.unwrap_or(Path::new(".")).to_owned());
        Ok(Self::begin(folder, source, relative))
    }

    /// Opens a file that was found in a folder, and the files that it extends. Neither may be
    /// reached through a symbolic link below the folder.
    ///
    /// # Errors
    /// Those of [`Source::open_in`]; otherwise as [`open`](Self::open).
    pub fn open_in(folder: &Path, relative: &Path) -> Result<Self, Diagnostics> {
        let folder = Folder::OnDisk(folder.to_owned());
        let source = folder.open(relative)?;
        Ok(Self::begin(folder, source, relative.to_owned()))
    }

    /// Opens a file that is part of the program, and the files that it extends, which are too.
    ///
    /// # Errors
    /// There is no file of this path; otherwise as [`open`](Self::open).
    pub fn open_built_in(files: BuiltIn, path: &str) -> Result<Self, Diagnostics> {
        let folder = Folder::BuiltIn(files);
        let source = folder.open(Path::new(path))?;
        Ok(Self::begin(folder, source, path.into()))
    }

    /// Opens a file whose text is in memory, and the files that it extends, which are too.
    ///
    /// # Errors
    /// There is no file of this path; otherwise as [`open`](Self::open).
    pub fn open_in_memory(sources: Sources, path: &str) -> Result<Self, Diagnostics> {
        let folder = Folder::InMemory(sources);
        let source = folder.open(Path::new(path))?;
        Ok(Self::begin(folder, source, path.into()))
    }

    /// The texts of all files, for [`open_in_memory`](Self::open_in_memory).
    pub fn texts(&self) -> impl Iterator<Item = (String, String)> {
        let text = |(source, path): &(Source, PathBuf)| {
            (path.to_string_lossy().into_owned(), source.text().to_owned())
        };
        self.files.iter().map(text)
    }

    /// The path of the first file, as [`texts`](Self::texts) has it.
    #[must_use]
    pub fn first_path(&self) -> &Path {
        &self.files[0].1
    }

    /// Opens a file that a value of this document names, and the files that it extends.
    ///
    /// # Errors
    /// The file cannot be opened, which is an error of the value; otherwise as
    /// [`open`](Self::open).
    pub fn open_beside(&self, named: &Located<String>) -> Result<Self, Diagnostics> {
        let (source, relative) = self.beside(named, named.span)?;
        Ok(Self::begin(self.folder.clone(), source, relative))
    }

    /// The errors of all files so far.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Another tree out of the same files, with the errors that are known of it.
    pub(crate) fn with_tree(&self, tree: Option<Tree>, collector: Collector) -> Self {
        let Self { folder, files, others, .. } = self;
        let (folder, files, others) = (folder.clone(), files.clone(), others.clone());
        Self { folder, files, tree, collector, others }
    }

    /// What all files hold together; nothing if one could not be opened or parsed.
    pub(crate) fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// The path of the file of that number, from the folder that all of them are named from.
    pub(crate) fn relative_path(&self, number: usize) -> Option<&Path> {
        self.files.get(number).map(|(_, path)| path.as_path())
    }

    fn begin(folder: Folder, source: Source, relative: PathBuf) -> Self {
        let mut document = Self::parse(source);
        document.folder = folder;
        document.files[0].1 = relative;
        document.extend();
        document
    }

    /// A document of one text. A key `extends` means nothing to it.
    #[must_use]
    pub fn parse(source: Source) -> Self {
        let (mut tree, mut collector, mut others) =
            (None, Collector::default(), Diagnostics::new());
        if source.text().len() > SIZE_LIMIT {
            others.push(too_large(source.name()));
        } else {
            (tree, collector) = parsed(&source, 0);
        }
        Self {
            folder: Folder::OnDisk(PathBuf::new()),
            files: vec![(source, PathBuf::new())],
            tree,
            collector,
            others,
        }
    }

    /// The document with a text laid over it, as a file that extends it would be. Names of files in
    /// the text are relative to the first file's folder. Nothing if a file could not be opened or
    /// parsed: its errors remain.
    #[must_use]
    pub fn with_overlay(mut self, source: Source) -> Self {
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let (over, collector) = parsed(&source, number);
        self.collector.absorb(collector);
        if let Some(base) = self.tree.take() {
            let named = self.files[0].0.name().to_owned();
            self.tree =
                over.map(|over| overlay(&over, &base, EXTENDS, &named, &mut self.collector));
        }
        self.files.push((source, PathBuf::new()));
        self
    }

    /// Lays the document over the file that it extends, that one over the next, and so on.
    fn extend(&mut self) {
        let Some(first) = self.tree.take() else { return };
        let mut next = extended(&first);
        let mut trees = vec![first];
        while let Some((text, span)) = next.take() {
            let Some((source, relative)) = self.open_next(&text, span) else { return };
            let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            let (base, collector) = parsed(&source, number);
            self.collector.absorb(collector);
            self.files.push((source, relative));
            let Some(base) = base else { return };
            next = extended(&base);
            trees.push(base);
        }
        let Some(mut laid) = trees.pop() else { return };
        for (over, (base, _)) in trees.iter().rev().zip(self.files.iter().rev()) {
            laid = overlay(over, &laid, EXTENDS, base.name(), &mut self.collector);
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
                    "circular `extends`: {}; take one `{EXTENDS}` out",
                    circle.join(" extends ")
                );
                Err(self.diagnostic(span, file::EXTENDS_INVALID, message).into())
            } else if self.files.len() >= FILES {
                let message = format!("more than {FILES} files extend one another here; join some");
                Err(self.diagnostic(span, file::FILE_TOO_LARGE, message).into())
            } else {
                Ok((source, relative))
            }
        });
        opened.map_err(|diagnostics| self.others.extend(diagnostics)).ok()
    }

    /// Opens a file that is named at `span`.
    fn beside(&self, text: &str, span: Span) -> Result<(Source, PathBuf), Diagnostics> {
        let folder = self.file(span).1.parent().unwrap_or(Path::new(""));
        let relative = shortened(&folder.join(text));
        match self.folder.open(&relative) {
            Ok(source) => Ok((source, relative)),
            // A file that could not be opened is an error of the line that names it.
            Err(diagnostics) => Err(diagnostics
                .into_iter()
                .map(|found| match found {
                    Diagnostic { line: 0, file, message, code, .. } => {
                        self.diagnostic(span, code, format!("{file}: {message}"))
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

    /// An error at the place of a value, in the file that it stands in.
    #[must_use]
    pub fn diagnostic(&self, span: Span, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.source_of(span), span, code, message)
    }

    /// The place of the value that `keys` lead to from the root; an item of a list is named by its
    /// number from 0. Of a value that is not written, a default, the place of what it would be in.
    #[must_use]
    pub fn span_of(&self, keys: &[impl AsRef<str>]) -> Span {
        self.tree.as_ref().map_or_else(Span::default, |tree| path::find(tree, keys))
    }

    /// Whether `keys` lead from the root to a value that is written.
    #[must_use]
    pub fn has(&self, keys: &[impl AsRef<str>]) -> bool {
        self.tree.as_ref().is_some_and(|tree| path::node(tree, keys).is_some())
    }

    /// Whether there is a document: every file could be opened and parsed, and holds something.
    #[must_use]
    pub const fn is_parsed(&self) -> bool {
        self.tree.is_some()
    }

    /// The keys of the document, if it is a map.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = self.tree.as_ref().and_then(|tree| match tree.kind(Tree::ROOT) {
            Kind::Map(entries) => Some((tree, entries)),
            _ => None,
        });
        entries
            .into_iter()
            .flat_map(|(tree, entries)| entries.iter().map(|(key, _)| tree.text(*key)))
    }

    /// Reads the document into a type, as [`read`](crate::read()) does.
    ///
    /// # Errors
    /// Every error of every file with its place. If a file that is extended could not be opened or
    /// parsed, only what is known without it.
    pub fn read<T: FromYaml>(&self) -> Result<T, Diagnostics> {
        let Partial { value, diagnostics, .. } = self.read_partial();
        match value {
            Some(value) if diagnostics.is_empty() => Ok(value),
            _ => Err(diagnostics),
        }
    }

    /// Reads what can be read of the document into a type.
    #[must_use]
    pub fn read_partial<T: FromYaml>(&self) -> Partial<T> {
        let sources: Vec<&Source> = self.sources().collect();
        let mut partial = partial(self.tree.as_ref(), self.collector.clone(), &sources);
        partial.diagnostics.extend(self.others.iter().cloned());
        partial
    }
}

/// What a file extends, and where it says so.
fn extended(tree: &Tree) -> Option<(String, Span)> {
    let Kind::Map(entries) = tree.kind(Tree::ROOT) else { return None };
    let (_, value) = entries.iter().find(|(key, _)| tree.text(*key) == EXTENDS)?;
    // A value that is not a text is an error of the wanted type.
    match tree.kind(*value) {
        Kind::Scalar { text, .. } => Some((text.clone(), tree.span(*value))),
        _ => None,
    }
}

/// A path without the folders that it only passes through: no part of it is a symbolic link.
pub(crate) fn shortened(path: &Path) -> PathBuf {
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
