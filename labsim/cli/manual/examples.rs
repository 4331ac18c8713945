//! An example of each key: the shortest place in the shipped files that uses it.

use super::keys::{Format, alternatives, reference};
use labsim_yaml::{Alternative, Context, Forms, FromYaml, Located, Node, Source, Table};
use serde_json::Value as Schema;
use std::collections::BTreeMap;

/// Where a key is used, and how.
pub(super) struct Example {
    pub(super) file: &'static str,
    pub(super) line: usize,
    pub(super) text: String,
}

/// Examples by type and key.
#[derive(Default)]
pub(super) struct Examples(BTreeMap<(String, String), Example>);

impl Examples {
    /// Those of the files of this format.
    pub(super) fn find<'a>(
        format: &Format,
        files: impl Iterator<Item = &'a (&'static str, &'static str)>,
    ) -> Self {
        let mut examples = Self::default();
        for (file, text) in files {
            let root = format.definition("");
            let value = labsim_yaml::read::<Value>(&Source::new(*file, *text));
            if let Some(value) = value.ok().filter(|value| accepts(format, root, value)) {
                examples.visit(format, "", root, &value, (file, text));
            }
        }
        examples
    }

    pub(super) fn get(&self, type_name: &str, key: &str) -> Option<&Example> {
        self.0.get(&(type_name.to_owned(), key.to_owned()))
    }

    fn visit(
        &mut self,
        format: &Format,
        type_name: &str,
        schema: &Schema,
        value: &Value,
        file: (&'static str, &'static str),
    ) {
        if let Some(name) = reference(schema) {
            return self.visit(format, name, format.definition(name), value, file);
        }
        for part in alternatives(schema).filter(|part| accepts(format, part, value)) {
            self.visit(format, type_name, part, value, file);
        }
        match value {
            Value::List(items) => {
                for item in items {
                    if let Some(schema) = schema.get("items") {
                        self.visit(format, type_name, schema, item, file);
                    }
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries.iter() {
                    let own = schema.get("properties").and_then(|all| all.get(key.value.as_str()));
                    if own.is_some() {
                        self.add(type_name, key, value, file);
                    }
                    if let Some(schema) = own.or_else(|| schema.get("additionalProperties")) {
                        self.visit(format, type_name, schema, value, file);
                    }
                }
            }
            Value::Scalar(_) | Value::Null => {}
        }
    }

    fn add(
        &mut self,
        type_name: &str,
        key: &Located<String>,
        value: &Value,
        (file, source): (&'static str, &'static str),
    ) {
        if matches!(value, Value::Null) {
            return;
        }
        let line = key.span.line();
        let text = excerpt(source, line, key.span.column())
            .unwrap_or_else(|| format!("{}: {}", key.value, value.in_flow()));
        let place = (type_name.to_owned(), key.value.clone());
        let is_shorter = self.0.get(&place).is_none_or(|known| text.len() < known.text.len());
        if is_shorter {
            self.0.insert(place, Example { file, line, text });
        }
    }
}

/// The lines of an entry of a block map, without their indentation; nothing for a flow map's.
fn excerpt(source: &str, line: usize, column: usize) -> Option<String> {
    let mut lines = source.lines().skip(line - 1);
    let first = lines.next()?;
    if !first.get(..column - 1)?.chars().all(|c| c == ' ' || c == '-') {
        return None;
    }
    let mut text = vec![first.get(column - 1..)?];
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        if !line.trim().is_empty() && indent < column {
            break;
        }
        text.push(line.get(column - 1..).unwrap_or_default());
    }
    Some(text.join("\n").trim_end().to_owned())
}

/// Whether a value can be of a schema, by its form and its keys.
fn accepts(format: &Format, schema: &Schema, value: &Value) -> bool {
    if let Some(name) = reference(schema) {
        return accepts(format, format.definition(name), value);
    }
    let mut parts = alternatives(schema).peekable();
    if parts.peek().is_some() {
        return parts.any(|part| accepts(format, part, value));
    }
    let is = |wanted: &str| match schema.get("type") {
        Some(Schema::Array(types)) => types.iter().any(|it| it == wanted),
        Some(one) => one == wanted,
        None => true,
    };
    match value {
        Value::List(_) => is("array"),
        Value::Map(entries) => {
            let known = schema.get("properties");
            let is_open = schema.get("additionalProperties").is_some_and(Schema::is_object);
            let is_known = |key: &str| known.is_some_and(|all| all.get(key).is_some());
            is("object") && (is_open || entries.iter().all(|(key, _)| is_known(&key.value)))
        }
        Value::Scalar(_) | Value::Null => !is("array") && !is("object"),
    }
}

/// Any value of a file.
enum Value {
    Null,
    Scalar(String),
    List(Vec<Value>),
    Map(Table<Value>),
}

impl Value {
    /// On one line.
    fn in_flow(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Scalar(text) if text.contains([',', '[', ']', '{', '}', '#', '"', '\n']) => {
                format!("{text:?}")
            }
            Self::Scalar(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::in_flow).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", key.value, value.in_flow()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

impl FromYaml for Value {
    const FORMS: Forms = Forms::SCALAR.or(Forms::LIST).or(Forms::MAP);

    fn expected() -> String {
        "any value".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        if node.is_null() {
            return Some(Self::Null);
        }
        let forms = [
            Alternative::of::<String>(),
            Alternative::of::<Vec<Self>>(),
            Alternative::of::<Table<Self>>(),
        ];
        match node.choose(&forms, Self::expected, context)? {
            0 => node.as_text().map(|text| Self::Scalar(text.to_owned())),
            1 => Vec::from_yaml(node, context).map(Self::List),
            _ => Table::from_yaml(node, context).map(Self::Map),
        }
    }
}
