//! The shape a file must have, read from the JSON Schema of its type.
//!
//! In: a type with a schema. Out: [`Shape`]: which keys a table has, what each holds, which must be there.
//! The schema is the one editors use, so a person and this program never disagree
//! (docs/decisions/0007-shape-check-by-schema.md).

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// What a value must look like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Text,
    Boolean,
    /// A whole number from 0 to the largest allowed.
    Number(u64),
    Choice(Vec<String>),
    List(Box<Self>),
    /// A table whose keys a person chooses.
    Named(Box<Self>),
    Table(Vec<Field>),
}

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl Shape {
    /// The shape of files that hold a `T`.
    pub(super) fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<T>();
        Self::read(schema.as_value())
    }

    fn read(schema: &Value) -> Self {
        let Some(schema) = schema.as_object() else { return Self::Text };
        if let Some(branches) = any_of(schema) {
            return Self::branches(branches);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return Self::Choice(words.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        match type_of(schema) {
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Number(match schema.get("format").and_then(Value::as_str) {
                Some("uint32") => u64::from(u32::MAX),
                _ => u64::MAX >> 1,
            }),
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Text, Self::read))),
            Some("object") => Self::table(schema),
            _ => Self::Text,
        }
    }

    /// Options are a branch beside null; enums with explained words are branches of constants.
    fn branches(branches: &[Value]) -> Self {
        let mut words = Vec::new();
        for branch in branches {
            let Some(object) = branch.as_object() else { continue };
            if let Some(word) = object.get("const").and_then(Value::as_str) {
                words.push(word.to_owned());
            } else if type_of(object) != Some("null") {
                match Self::read(branch) {
                    Self::Choice(more) => words.extend(more),
                    other => return other,
                }
            }
        }
        Self::Choice(words)
    }

    fn table(schema: &Map<String, Value>) -> Self {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            let value = schema.get("additionalProperties").filter(|value| value.is_object());
            return Self::Named(Box::new(value.map_or(Self::Text, Self::read)));
        };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |key: &str| required.is_some_and(|list| list.iter().any(|name| name.as_str() == Some(key)));
        let fields = properties.iter().map(|(key, value)| Field {
            key: key.clone(),
            required: is_required(key),
            shape: Self::read(value),
        });
        Self::Table(fields.collect())
    }

    /// What a person would call it.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Text => "text in quotes".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Number(most) => format!("a whole number from 0 to {most}"),
            Self::Choice(words) => {
                format!(
                    "one of {}",
                    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
                )
            }
            Self::List(item) => format!("a list in brackets, of {}", item.in_words()),
            Self::Named(_) | Self::Table(_) => "a table".to_owned(),
        }
    }
}

fn any_of(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

/// The type, where `["string", "null"]` counts as string.
fn type_of(schema: &Map<String, Value>) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}
