//! The keys of a map that is read into a structure.

use labsim_codes::file;

use crate::context::Context;
use crate::messages::{list, meant, quote};
use crate::node::Node;
use crate::tree::NodeId;
use crate::{FromFields, FromYaml};

/// The keys that a structure defines, those of structures within it that have none of their own
/// (`flatten`) included.
#[derive(Debug, Default)]
pub struct Keys {
    defined: Vec<&'static str>,
    renamed: Vec<(&'static str, &'static str)>,
}

impl Keys {
    /// Adds a key.
    pub fn define(&mut self, key: &'static str) {
        self.defined.push(key);
    }

    /// Adds the former name of a key. It is not accepted; the message names the present one.
    pub fn rename(&mut self, old: &'static str, new: &'static str) {
        self.renamed.push((old, new));
    }

    /// The keys of a type.
    #[must_use]
    pub fn of<T: FromFields>() -> Self {
        let mut keys = Self::default();
        T::keys(&mut keys);
        keys
    }

    /// The keys that are accepted.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.defined
    }

    /// What belongs there, as a sentence's object.
    pub(crate) fn expected(&self) -> String {
        match self.defined.as_slice() {
            [] => "an empty map, `{}`".to_owned(),
            [one] => format!("a map with the key {}", quote(one)),
            [first, .., last] if self.defined.len() == 2 => {
                format!("a map with keys such as {} and {}", quote(first), quote(last))
            }
            several => format!("a map with keys such as {}", list(&several[..3], "and")),
        }
    }
}

/// A map while a structure is read from it.
#[derive(Debug)]
pub struct Fields<'t, 'c> {
    map: Node<'t>,
    entries: &'t [(NodeId, NodeId)],
    /// Keys that are missing because they are misspelt.
    misspelt: Vec<&'static str>,
    context: &'c mut Context,
}

impl<'t, 'c> Fields<'t, 'c> {
    /// The map at `node`, its unknown keys reported.
    pub(crate) fn open(node: Node<'t>, keys: &Keys, context: &'c mut Context) -> Option<Self> {
        let entries = context.map(node, &keys.expected())?;
        let mut fields = Self { map: node, entries, misspelt: Vec::new(), context };
        for (key, _) in entries {
            if !keys.defined.contains(&node.tree.text(*key)) {
                fields.unknown(*key, keys);
            }
        }
        Some(fields)
    }

    fn unknown(&mut self, key: NodeId, keys: &Keys) {
        let (map, entries) = (self.map, self.entries);
        let given = map.tree.text(key);
        let is_given = |name: &str| entries.iter().any(|(key, _)| map.tree.text(*key) == name);
        let renamed = keys.renamed.iter().find(|(old, _)| *old == given).map(|(_, new)| *new);
        let misspelt = &mut self.misspelt;
        let mut omitted = false;
        self.context.error_with(map.at(key).span(), file::UNKNOWN_KEY, || {
            let open = keys.defined.iter().copied().filter(|name| !is_given(name));
            let slip = if renamed.is_some() { None } else { meant(given, open) };
            if let Some(name) = renamed.or(slip) {
                misspelt.push(name);
                omitted = true;
            }
            let remedy = match (renamed, slip) {
                (Some(name), _) => format!("it is now {}", quote(name)),
                (_, Some(name)) => format!("did you mean {}?", quote(name)),
                _ if keys.defined.is_empty() => "no key is allowed here, take it out".to_owned(),
                _ => "take it out or correct it".to_owned(),
            };
            let allowed = match keys.defined.as_slice() {
                [] => String::new(),
                [one] => format!(" (allowed here is {})", quote(one)),
                many => format!(" (allowed here are {})", list(many, "and")),
            };
            format!("unknown key {}; {remedy}{allowed}", quote(given))
        });
        self.context.omitted().others |= omitted;
    }

    fn find(&self, name: &str) -> Option<Node<'t>> {
        let (_, value) = self.entries.iter().find(|(key, _)| self.map.tree.text(*key) == name)?;
        Some(self.map.at(*value))
    }

    /// The value of a key: what is written, or the default where nothing is written or what is
    /// written is wrong. Nothing if there is neither.
    pub fn field<T: FromYaml>(
        &mut self,
        name: &'static str,
        default: Option<fn() -> T>,
    ) -> Option<T> {
        let absent = || default.map(|default| default()).or_else(T::when_missing);
        match self.find(name) {
            Some(value) => T::from_yaml(value, self.context).or_else(|| {
                self.context.omitted().others |= !T::FORMS.is_scalar();
                T::placeholder().or_else(absent)
            }),
            None => absent().or_else(|| {
                if !self.misspelt.contains(&name) {
                    let message = format!("the key {} is missing here; add it", quote(name));
                    self.context.error(self.map.span(), file::MISSING_KEY, message);
                }
                T::placeholder()
            }),
        }
    }
}

/// A field's value where nothing is written.
#[must_use]
pub fn field_placeholder<T: FromYaml>(default: Option<fn() -> T>) -> Option<T> {
    default.map(|default| default()).or_else(T::when_missing).or_else(T::placeholder)
}
