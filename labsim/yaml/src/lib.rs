//! Reads YAML into serde types and reports every mistake at once, each with its place.
