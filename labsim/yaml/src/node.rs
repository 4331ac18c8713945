//! One value of a document, as a type sees it that reads itself from it.

use crate::context::Context;
use crate::scalar::is_null;
use crate::tree::{Kind, NodeId, Tree};
use crate::{FromYaml, Span};

/// A value of a document: a scalar, a list or a map, with its place.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) id: NodeId,
}

impl<'t> Node<'t> {
    pub(crate) fn kind(self) -> &'t Kind {
        self.tree.kind(self.id)
    }

    pub(crate) fn at(self, id: NodeId) -> Self {
        Self { id, ..self }
    }

    /// Its place in the file.
    #[must_use]
    pub fn span(self) -> Span {
        self.tree.span(self.id)
    }

    /// Whether it is `null` or `~`, without quotes.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.kind(), Kind::Scalar { text, plain: true } if is_null(text))
    }

    /// Whether it is a scalar without quotes, and not a block scalar.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self.kind(), Kind::Scalar { plain: true, .. })
    }

    /// Its text, if it is a scalar other than `null`. A plain scalar is its own text: `0123`, `no`.
    #[must_use]
    pub fn as_text(self) -> Option<&'t str> {
        match self.kind() {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Which of the types reads it, by their forms and by the scalars or keys that they accept: its
    /// index.
    /// An error that names what is `expected` if none does.
    pub fn choose(
        self,
        types: &[Alternative],
        expected: fn() -> String,
        context: &mut Context,
    ) -> Option<usize> {
        let accepts = |one: &Alternative| match self.kind() {
            Kind::Map(entries) if !entries.is_empty() => {
                entries.iter().any(|(key, _)| (one.accepts)(self.tree.text(*key)))
            }
            _ => self.as_text().is_none_or(one.accepts),
        };
        let index = types.iter().position(|one| one.forms.overlaps(self.form()) && accepts(one));
        if index.is_none() || self.is_null() {
            context.wrong(self, &expected(), None);
            return None;
        }
        index
    }

    /// Its form; none for a value that is missing, or that was reported before.
    pub(crate) fn form(self) -> Forms {
        match self.kind() {
            Kind::Nothing | Kind::Broken => Forms::NONE,
            Kind::Scalar { .. } => Forms::SCALAR,
            Kind::List(_) => Forms::LIST,
            Kind::Map(_) => Forms::MAP,
        }
    }
}

/// One of the types that a value may be of.
#[derive(Debug, Clone, Copy)]
pub struct Alternative {
    forms: Forms,
    accepts: fn(&str) -> bool,
}

impl Alternative {
    /// This type.
    #[must_use]
    pub fn of<T: FromYaml>() -> Self {
        Self { forms: T::FORMS, accepts: T::accepts }
    }

    /// A map of any keys.
    #[must_use]
    pub fn map() -> Self {
        Self { forms: Forms::MAP, accepts: |_| true }
    }
}

/// The forms of value that a type is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forms(u8);

impl Forms {
    /// No form: a type without values.
    pub const NONE: Self = Self(0);
    /// A text, number, boolean or word.
    pub const SCALAR: Self = Self(1);
    /// A list.
    pub const LIST: Self = Self(2);
    /// A map.
    pub const MAP: Self = Self(4);

    /// The forms of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two have a form in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether only scalars are read.
    pub(crate) fn is_scalar(self) -> bool {
        self == Self::SCALAR
    }
}
