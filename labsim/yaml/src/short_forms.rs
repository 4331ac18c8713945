//! Short forms in a JSON Schema, from the same declarations that the reader has.

use schemars::{Schema, json_schema};
use serde_json::Value;

/// The short forms of a type; implemented by `#[derive(FromYaml)]` where an attribute `yaml(short)`
/// or `yaml(bare)` declares one.
pub trait ShortForms {
    /// The words of an enum that may stand without the value that belongs to them.
    const WORDS: &'static [&'static str] = &[];
    /// The field of a structure that may be written in place of the map.
    const FIELD: Option<&'static str> = None;
}

/// Adds a type's short forms to its schema: `#[schemars(transform = short_forms::<Self>)]`.
pub fn short_forms<T: ShortForms>(schema: &mut Schema) {
    let mut full = std::mem::take(schema);
    let description = full.remove("description");
    let mut forms: Vec<Value> = Vec::new();
    if let Some(field) = T::FIELD {
        forms.extend(full.pointer(&format!("/properties/{field}")).cloned());
    }
    let alternatives = ["oneOf", "anyOf"].iter().find_map(|key| full.get(*key)?.as_array());
    for word in T::WORDS {
        let of_word = |form: &&Value| form.pointer(&format!("/properties/{word}")).is_some();
        let form = alternatives.into_iter().flatten().find(of_word);
        let mut bare = json_schema!({ "type": "string", "const": word });
        if let Some(text) = form.and_then(|form| form.get("description")) {
            bare.insert("description".to_owned(), text.clone());
        }
        forms.push(bare.to_value());
    }
    match (T::FIELD, alternatives) {
        (None, Some(alternatives)) => forms.extend(alternatives.iter().cloned()),
        _ => forms.push(full.to_value()),
    }
    *schema = json_schema!({ "anyOf": forms });
    if let Some(text) = description {
        schema.insert("description".to_owned(), text);
    }
}
