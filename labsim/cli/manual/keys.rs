//! The types of a file format and their keys, out of its JSON Schema.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A format: its schema, and where each type is documented.
pub(super) struct Format {
    root: Value,
    /// Which types have keys of their own, with the page and the heading of each.
    places: BTreeMap<String, (&'static str, String)>,
}

/// A key as the manual shows it.
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    schema: &'a Value,
    /// What the key is for: its own description, or that of the variant that it selects.
    pub(super) description: &'a str,
}

/// Parts of a type's name that say nothing to a reader.
const SUFFIXES: [&str; 5] = ["Fields", "Form", "Options", "Check", "Word"];

impl Format {
    /// Of a schema's text. `pages` names the page of the types that only its type uses; all other
    /// types are on the page `main`.
    pub(super) fn new(
        schema: &str,
        main: &'static str,
        pages: &[(&str, &'static str)],
    ) -> Result<Self, serde_json::Error> {
        let root: Value = serde_json::from_str(schema)?;
        let mut format = Self { root, places: BTreeMap::new() };
        let reached: Vec<(BTreeSet<String>, &str)> =
            pages.iter().map(|(from, page)| (format.reached(from, &[]), *page)).collect();
        let stops: Vec<&str> = pages.iter().map(|(from, _)| *from).collect();
        let others = format.reached("", &stops);
        let mut headings = BTreeMap::new();
        for name in format.types() {
            let of: Vec<&str> = reached
                .iter()
                .filter(|(types, _)| types.contains(&name))
                .map(|(_, page)| *page)
                .collect();
            let page = match of.as_slice() {
                [page] if !others.contains(&name) => pages.iter().find(|(_, it)| it == page),
                _ => None,
            };
            let page = page.map_or(main, |(_, page)| *page);
            let short = heading(&name);
            let is_free = headings.insert((page, short.clone()), ()).is_none();
            format.places.insert(name.clone(), (page, if is_free { short } else { name }));
        }
        Ok(format)
    }

    /// The types that have keys, by name.
    fn types(&self) -> Vec<String> {
        let types = self.definitions().into_iter().flatten();
        types
            .filter(|(_, schema)| !properties(schema).is_empty())
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn definitions(&self) -> Option<&Map<String, Value>> {
        self.root.get("definitions").or_else(|| self.root.get("$defs"))?.as_object()
    }

    /// A type's schema; that of the file as a whole for an empty name.
    pub(super) fn definition(&self, name: &str) -> &Value {
        let found = self.definitions().and_then(|all| all.get(name));
        found.filter(|_| !name.is_empty()).unwrap_or(&self.root)
    }

    /// The types that `from` refers to, itself included, without going on from `stops`.
    fn reached(&self, from: &str, stops: &[&str]) -> BTreeSet<String> {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(name) = open.pop() {
            let mut schema = self.definition(&name).clone();
            if let Some(root) = schema.as_object_mut().filter(|_| name.is_empty()) {
                root.remove("definitions");
                root.remove("$defs");
            }
            let mut references = Vec::new();
            find_references(&schema, &mut references);
            let new = references.into_iter().filter(|it| !stops.contains(&it.as_str()));
            let new: Vec<String> = new.filter(|it| !reached.contains(it)).collect();
            reached.insert(name);
            open.extend(new);
        }
        reached
    }

    /// The types of a page, in the order of their headings.
    pub(super) fn types_of(&self, page: &str) -> Vec<(&str, &str)> {
        let places = self.places.iter().filter(|(_, (it, _))| *it == page);
        let mut types: Vec<_> =
            places.map(|(name, (_, heading))| (name.as_str(), heading.as_str())).collect();
        types.sort_by_key(|(_, heading)| *heading);
        types
    }

    /// What a type is for.
    pub(super) fn description(&self, name: &str) -> &str {
        description(self.definition(name))
    }

    /// The keys of a type, by name.
    pub(super) fn keys(&self, name: &str) -> Vec<Key<'_>> {
        let all = properties(self.definition(name)).into_iter();
        let key = |(name, (schema, own))| {
            // Without words of its own, it is described by its type.
            let of_type = || {
                let mut parts = std::iter::once(schema).chain(alternatives(schema));
                parts.find_map(reference).map(|name| self.description(name))
            };
            let description = Some(own).filter(|text: &&str| !text.is_empty()).or_else(of_type);
            Key { name, schema, description: description.unwrap_or_default() }
        };
        all.map(key).collect()
    }

    /// A key's type in words, with links.
    pub(super) fn type_of(&self, key: &Key<'_>, page: &str) -> String {
        self.describe(key.schema, page)
    }

    fn describe(&self, schema: &Value, page: &str) -> String {
        if let Some(name) = reference(schema) {
            return match self.places.get(name) {
                Some((of, heading)) => {
                    let file = if *of == page { "" } else { of };
                    format!("[{heading}]({file}#{})", anchor(heading))
                }
                None => self.describe(self.definition(name), page),
            };
        }
        let mut kinds: Vec<String> = Vec::new();
        for part in alternatives(schema) {
            kinds.push(self.describe(part, page));
        }
        if let Some(value) = schema.get("const") {
            kinds.push(format!("`{}`", plain(value)));
        }
        for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten() {
            kinds.push(format!("`{}`", plain(value)));
        }
        if kinds.is_empty() {
            kinds.extend(self.describe_types(schema, page));
        }
        kinds.retain(|kind| !kind.is_empty());
        let mut seen = BTreeSet::new();
        kinds.retain(|kind| seen.insert(kind.clone()));
        kinds.join(" or ")
    }

    /// One description for each of the schema's `type`s but `null`.
    fn describe_types(&self, schema: &Value, page: &str) -> Vec<String> {
        let types = match schema.get("type") {
            Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        let inner =
            |key: &str| schema.get(key).map(|it| self.describe(it, page)).unwrap_or_default();
        let describe = |name: &str| match name {
            "string" => "text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "integer" => format!("whole number{}", bounds(schema)),
            "number" => format!("number{}", bounds(schema)),
            "array" => format!("list of {}", inner("items")),
            "object" => match inner("additionalProperties").as_str() {
                "" => "map".to_owned(),
                values => format!("map of {values} by name"),
            },
            _ => String::new(),
        };
        types.into_iter().map(describe).collect()
    }
}

impl<'a> Key<'a> {
    pub(super) fn new(name: &'a str, schema: &'a Value) -> Self {
        Self { name, schema, description: description(schema) }
    }

    /// The default: the schema's, or that which the description states.
    pub(super) fn default(&self) -> Option<String> {
        match self.schema.get("default") {
            Some(value) if !value.is_null() => Some(format!("`{}`", plain(value))),
            _ => stated_default(self.description),
        }
    }

    /// The unit that the description states.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let text = self.description;
        let is_time = text.contains("`us`") || text.contains("20ms") || text.contains("20us");
        let units = [
            (is_time, "written behind the number: `us`, `ms` or `s`"),
            (text.starts_with("Seconds"), "seconds"),
            (text.starts_with("Milliseconds"), "milliseconds"),
            (text.starts_with("Bytes"), "bytes"),
            (text.starts_with("Percent") || text.contains("`5%`"), "percent"),
            (text.contains("Mbit"), "written behind the number: `kbit`, `Mbit` or `Gbit`"),
        ];
        units.into_iter().find(|(is, _)| *is).map(|(_, unit)| unit)
    }
}

/// `X by default` and `the default is X`, as descriptions state it.
fn stated_default(description: &str) -> Option<String> {
    let text = description.replace('\n', " ");
    let at = text.find(" by default")?;
    let before = text.get(..at)?;
    let start = ["; ", ". ", ": ", ", "]
        .iter()
        .filter_map(|it| before.rfind(it).map(|at| at + it.len()))
        .max();
    Some(before.get(start.unwrap_or(0)..)?.to_owned())
}

/// The properties of an object, and those of all objects that can take its place, each with its
/// description or that of its object.
fn properties(schema: &Value) -> BTreeMap<&str, (&Value, &str)> {
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut all: BTreeMap<&str, (&Value, &str)> = own
        .map(|(key, value)| {
            let text = Some(description(value)).filter(|text| !text.is_empty());
            (key.as_str(), (value, text.unwrap_or(description(schema))))
        })
        .collect();
    for part in alternatives(schema).filter(|part| reference(part).is_none()) {
        all.extend(properties(part));
    }
    all
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// The schemas of `allOf`, `anyOf` and `oneOf`.
pub(super) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists =
        ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
    lists.flatten()
}

/// The name of the type that a schema refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

fn find_references(schema: &Value, found: &mut Vec<String>) {
    found.extend(reference(schema).map(str::to_owned));
    match schema {
        Value::Object(fields) => fields.values().for_each(|it| find_references(it, found)),
        Value::Array(items) => items.iter().for_each(|it| find_references(it, found)),
        _ => {}
    }
}

fn bounds(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|it| it.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

/// A value as YAML has it: texts without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `RawAddMember` as `Add member`.
fn heading(name: &str) -> String {
    let name = name.strip_prefix("Raw").unwrap_or(name);
    let short = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    let mut text = String::new();
    for (at, character) in short.filter(|it| !it.is_empty()).unwrap_or(name).chars().enumerate() {
        if at > 0 && character.is_uppercase() {
            text.push(' ');
            text.extend(character.to_lowercase());
        } else {
            text.push(character);
        }
    }
    text
}

/// The anchor of a heading in rendered Markdown.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}
