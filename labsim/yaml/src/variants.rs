//! Enums: a word, or a map of one word and the value that belongs to it.

use labsim_codes::file;

use crate::FromYaml;
use crate::context::Context;
use crate::messages::{one_of, quote};
use crate::node::Node;
use crate::tree::Kind;

/// The variant of an enum that is written, and the value that belongs to it.
#[derive(Debug)]
pub struct Variant<'t> {
    node: Node<'t>,
    /// Which of the enum's words.
    pub index: usize,
    word: &'static str,
    value: Option<Node<'t>>,
}

impl<'t> Variant<'t> {
    /// The variant at `node`.
    pub fn read(
        node: Node<'t>,
        words: &'static [&'static str],
        context: &mut Context,
    ) -> Option<Self> {
        let index = |given: &str| words.iter().position(|word| *word == given);
        let (given, at, value) = match node.kind() {
            Kind::Scalar { text, .. } if !node.is_null() => (text.as_str(), node, None),
            Kind::Map(entries) if !entries.is_empty() => {
                let known = entries.iter().find(|(key, _)| index(node.tree.text(*key)).is_some());
                let (key, value) = known.or(entries.first())?;
                let given = node.tree.text(*key);
                for (other, _) in entries.iter().filter(|(other, _)| other != key) {
                    context.error_with(node.at(*other).span(), file::CONFLICTING_KEYS, || {
                        format!(
                            "only {} may stand here, and {} does; take this one out",
                            one_of(words),
                            quote(given)
                        )
                    });
                }
                (given, node.at(*key), Some(node.at(*value)))
            }
            _ => {
                context.wrong(node, &one_of(words), None);
                return None;
            }
        };
        let Some(index) = index(given) else {
            context.unknown_word(at, given, words);
            return None;
        };
        Some(Self { node, index, word: words.get(index)?, value })
    }

    /// Reports a value that belongs to a word without one.
    pub fn without_value(&self, context: &mut Context) {
        let Some(value) = self.value else { return };
        if !value.is_null() && !matches!(value.kind(), Kind::Nothing | Kind::Broken) {
            let word = quote(self.word);
            let message = format!("{word} takes no value; write {word} alone");
            context.error(value.span(), file::WRONG_TYPE, message);
        }
    }

    /// The value of a word that needs one.
    pub fn value(&self, context: &mut Context) -> Option<Node<'t>> {
        if self.value.is_none() {
            let form = quote(&format!("{}: …", self.word));
            let message = format!("{} needs a value; write {form}", quote(self.word));
            context.error(self.node.span(), file::WRONG_TYPE, message);
        }
        self.value
    }

    /// The value of a word that can do without.
    #[must_use]
    pub fn optional_value(&self) -> Option<Node<'t>> {
        self.value.filter(|value| !value.is_null())
    }
}

/// The value that belongs to a variant's word, or what stands in for a wrong one.
pub fn variant_value<T: FromYaml>(value: Node<'_>, context: &mut Context) -> Option<T> {
    T::from_yaml(value, context).or_else(|| {
        context.omitted().others |= !T::FORMS.is_scalar();
        T::placeholder()
    })
}
