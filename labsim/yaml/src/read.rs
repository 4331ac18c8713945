//! Reads a text into a type.

use labsim_codes::file;

use crate::collector::Collector;
use crate::context::Omitted;
use crate::source::locate;
use crate::tree::Tree;
use crate::{Context, Diagnostics, Document, FromYaml, Node, Source, Span, parse};

/// Reads YAML into a type.
///
/// Syntax errors, unknown keys, wrong types, missing and repeated keys, and what the types
/// themselves reject are all found in one pass; at most 100 are reported. A syntax error ends the
/// search. An error that only follows from another one is not reported.
///
/// # Errors
/// Every error with its place.
pub fn read<T: FromYaml>(source: &Source) -> Result<T, Diagnostics> {
    Document::parse(source.clone()).read()
}

/// What can be read of a document, for a caller who looks for further errors in it.
#[derive(Debug)]
pub struct Partial<T> {
    /// The value without what is wrong; nothing if the whole is wrong, as after a syntax error.
    ///
    /// A list lacks its wrong items, and a table its wrong entries. A wrong or missing part that
    /// cannot be left out is replaced by its placeholder (see [`FromYaml::placeholder`]).
    pub value: Option<T>,
    /// Every error, as [`read`] reports them; if there are none, the value is whole.
    pub diagnostics: Diagnostics,
    /// What the value lacks.
    pub omitted: Omitted,
}

/// What can be read of a tree; of none, if the text is not YAML.
pub(crate) fn partial<T: FromYaml>(
    tree: Option<&Tree>,
    collector: Collector,
    sources: &[&Source],
) -> Partial<T> {
    let mut context = Context::new(collector);
    let value = tree.and_then(|tree| T::from_yaml(Node { tree, id: Tree::ROOT }, &mut context));
    context.omitted().others |= value.is_none();
    let (collector, omitted) = context.into_parts();
    Partial { value, diagnostics: collector.into_diagnostics(sources), omitted }
}

/// The tree of a text, if it is YAML, and the errors in it so far; `file` is its number in the
/// document.
pub(crate) fn parsed(source: &Source, file: u32) -> (Option<Tree>, Collector) {
    let text = source.text();
    let mut collector = Collector::default();
    if let Some(offset) = text.find('\0') {
        let message = "the file contains a NUL byte and is not text; name a YAML file";
        collector.add(Span { file, ..locate(text, offset) }, file::FILE_NOT_TEXT, message);
        return (None, collector);
    }
    let mut tree = parse::parse(source, &mut collector);
    collector.stand_in(file);
    if let Some(tree) = &mut tree {
        tree.stands_in(file);
    }
    (tree, collector)
}
