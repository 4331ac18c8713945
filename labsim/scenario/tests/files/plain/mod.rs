//! YAML as values, for validators of JSON Schemas.

use labsim_yaml::{Context, Forms, FromYaml, Node, Source, Table};

/// The value of a YAML text.
pub(crate) fn read(source: &Source) -> serde_json::Value {
    value(Some(labsim_yaml::read::<Plain>(source).unwrap()))
}

/// A YAML text as an independent parser of values would see it: plain scalars by YAML 1.2's core
/// schema.
#[derive(Debug, FromYaml)]
#[serde(untagged)]
enum Plain {
    List(Vec<Option<Plain>>),
    Map(Table<Option<Plain>>),
    Scalar(Word),
}

/// A scalar, quoted or not.
#[derive(Debug)]
struct Word(serde_json::Value);

impl FromYaml for Word {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "a scalar".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let text = context.text(node, "a scalar")?;
        let plain = node.is_plain().then(|| serde_json::from_str(text).ok()).flatten();
        Some(Self(plain.unwrap_or_else(|| text.into())))
    }
}

fn value(plain: Option<Plain>) -> serde_json::Value {
    match plain {
        None => serde_json::Value::Null,
        Some(Plain::Scalar(Word(value))) => value,
        Some(Plain::List(items)) => items.into_iter().map(value).collect(),
        Some(Plain::Map(table)) => {
            table.into_iter().map(|(key, item)| (key.value, value(item))).collect()
        }
    }
}
