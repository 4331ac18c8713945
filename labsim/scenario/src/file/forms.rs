//! Forms of values that several parts of the files share.

use labsim_yaml::{FromYaml, Located, Table};
use schemars::JsonSchema;

/// One text, or a list of texts.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Texts {
    /// One.
    Text(String),
    /// Several.
    List(Vec<Located<String>>),
}

/// Things of one kind: a list, or a map by name.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Group<T> {
    /// Without names.
    List(Vec<Located<T>>),
    /// With names that other files can change them by.
    Map(Table<Located<T>>),
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<T> Group<T> {
    /// The name of each, in the order of [`Self::each`]; none in a list.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::List(_) => Vec::new(),
            Self::Map(table) => table.iter().map(|(name, _)| name.value.clone()).collect(),
        }
    }

    /// All of them in the file's order.
    pub(crate) fn each(&self) -> Vec<&Located<T>> {
        match self {
            Self::List(list) => list.iter().collect(),
            Self::Map(table) => table.iter().map(|(_, fields)| fields).collect(),
        }
    }
}

/// The word `none`.
#[derive(Debug, Clone, Copy, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum NoneKeyword {
    /// Nothing of the kind.
    None,
}
