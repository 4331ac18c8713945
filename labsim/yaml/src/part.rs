//! A mapping of a document that is meant to be laid over the document itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::document::Document;
use crate::overlay::{copy, overlay};
use crate::tree::{Kind, NodeId, Tree};
use crate::{Context, Forms, FromYaml, Located, Node, path};

/// A mapping with any keys, for [`Document::with_parts_over`]: what its values are is checked when it
/// is laid over the document.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its own keys, in the file's order.
    pub keys: Vec<Located<String>>,
}

impl FromYaml for Part {
    const FORMS: Forms = Forms::MAP;

    fn expected() -> String {
        "a map, such as `{key: value}`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let entries = context.map(node, &Self::expected())?;
        let key = |(key, _): &(NodeId, NodeId)| {
            let at = node.at(*key);
            Located::new(node.tree.text(*key).to_owned(), at.span())
        };
        Some(Self { keys: entries.iter().map(key).collect() })
    }

    fn placeholder() -> Option<Self> {
        Some(Self::default())
    }
}

impl JsonSchema for Part {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl Document {
    /// The keys of the map that `keys` lead to from the root; none if there is no map.
    #[must_use]
    pub fn keys_of(&self, keys: &[&str]) -> Vec<&str> {
        let Some(tree) = self.tree() else { return Vec::new() };
        match path::node(tree, keys).map(|id| tree.kind(id)) {
            Some(Kind::Map(entries)) => entries.iter().map(|(key, _)| tree.text(*key)).collect(),
            _ => Vec::new(),
        }
    }

    /// The document with mappings of its own laid over it, one after the other, each as a file that
    /// extends it would be, and without the top-level key `own`, below which they stand. `parts` are
    /// the keys that lead to each; what is no mapping is left out. Every value keeps its place.
    #[must_use]
    pub fn with_parts_over(&self, own: &str, parts: &[&[&str]]) -> Self {
        let mut collector = self.collector().clone();
        let mut laid: Option<Tree> = None;
        if let Some(tree) = self.tree() {
            for keys in parts {
                let Some(id) = path::node(tree, keys) else { continue };
                let mut nodes = Vec::new();
                copy(&mut nodes, tree, id);
                let over = Tree { nodes };
                let base = laid.as_ref().unwrap_or(tree);
                laid = Some(overlay(&over, base, own, "what it is laid over", &mut collector));
            }
        }
        self.with_tree(laid, collector)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Diagnostics, Document, FromYaml, Located, Part, Source};

    #[derive(Debug, FromYaml)]
    struct File {
        a: Option<Located<u8>>,
        b: Option<Located<u8>>,
        #[expect(dead_code, reason = "only its shape counts")]
        own: Option<Own>,
    }

    #[derive(Debug, FromYaml)]
    struct Own {
        #[expect(dead_code, reason = "laid over the file")]
        first: Part,
        #[expect(dead_code, reason = "laid over the file")]
        second: Part,
    }

    fn laid(text: &str, parts: &[&[&str]]) -> Result<File, Diagnostics> {
        let document = Document::parse(Source::new("x.yaml", text));
        document.read::<File>()?;
        document.with_parts_over("own", parts).read::<File>()
    }

    const FIRST: &[&str] = &["own", "first"];
    const SECOND: &[&str] = &["own", "second"];

    #[test]
    fn parts_are_laid_over_one_after_the_other() {
        let text = "a: 1\nb: 1\nown: {first: {a: null}, second: {a: 3, b: 2}}\n";
        let value = |read: Option<Located<u8>>| read.map(|one| (one.value, one.span.line()));
        let first = laid(text, &[FIRST]).unwrap();
        assert_eq!((value(first.a), value(first.b)), (None, Some((1, 2))));
        let both = laid(text, &[FIRST, SECOND]).unwrap();
        assert_eq!((value(both.a), value(both.b)), (Some((3, 3)), Some((2, 3))));
    }

    #[test]
    fn a_mistake_in_a_part_has_its_place_in_the_file() {
        let text = "a: 1\nown:\n  first: {a: x}\n  second: {c: null}\n";
        let wrong = laid(text, &[FIRST]).unwrap_err().to_string();
        assert!(wrong.starts_with("x.yaml:3:14: "), "{wrong}");
        let nothing = laid(text, &[SECOND]).unwrap_err().to_string();
        assert!(nothing.starts_with("x.yaml:4:12: `null` takes a key out"), "{nothing}");
    }
}
