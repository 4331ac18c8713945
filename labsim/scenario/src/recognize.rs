//! Whether a YAML file is one of labsim's.

use crate::file::{ScenarioFile, TopologyFile};
use labsim_yaml::{Document, Keys};

/// The comment by which editors find a file's schema.
const SCHEMA_LINE: &str = "yaml-language-server: $schema=";
/// The files of labsim's schemas.
const SCHEMAS: [&str; 2] = ["scenario.json", "topology.json"];

/// Whether a file has neither the line with one of labsim's schemas nor a top-level key of its
/// formats. What holds something and cannot be parsed is not foreign: it may be meant as labsim's.
pub(crate) fn is_foreign(document: &Document) -> bool {
    let text = document.source().text();
    if text.lines().any(names_schema) {
        return false;
    }
    if document.is_parsed() {
        let own = [Keys::of::<ScenarioFile>(), Keys::of::<TopologyFile>()];
        return !document.keys().any(|key| own.iter().any(|keys| keys.names().contains(&key)));
    }
    let is_blank = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    };
    text.lines().all(is_blank)
}

fn names_schema(line: &str) -> bool {
    let schema = line.trim_start().strip_prefix('#').map(str::trim_start);
    let schema = schema.and_then(|comment| comment.strip_prefix(SCHEMA_LINE));
    let file = schema.and_then(|path| path.trim().rsplit('/').next());
    file.is_some_and(|file| SCHEMAS.contains(&file))
}

/// For tests of texts.
#[cfg(test)]
fn is_foreign_text(text: &str) -> bool {
    is_foreign(&Document::parse(labsim_yaml::Source::new("x.yaml", text)))
}

#[cfg(test)]
mod tests {
    use super::is_foreign_text;

    #[test]
    fn other_programs_files_are_foreign() {
        for text in [
            "services:\n  db: {image: postgres}\n",
            "x-base: &base {image: a}\nservices:\n  db:\n    <<: *base\n",
            "stages: [test]\njob:\n  script: !reference [.setup, script]\n  extends: .base\n",
            "apiVersion: v1\n---\napiVersion: v1\n",
            "- hosts: all\n  tasks: []\n",
            "# only a comment\n---\n",
            "",
            "# yaml-language-server: $schema=https://example.org/compose.json\nservices: {}\n",
        ] {
            assert!(is_foreign_text(text), "{text}");
        }
    }

    #[test]
    fn a_key_or_the_schema_line_makes_a_file_labsims_and_so_does_what_cannot_be_parsed() {
        for text in [
            "topology: x.yaml\n",
            "extends: x.yaml\n",
            "{expect: {}, other: 1}\n",
            "nodes: {}\nother: 1\n",
            "# yaml-language-server: $schema=../scenario.json\nstep: {}\n",
            "#yaml-language-server: $schema=topology.json\n",
            "x: [\n",
            "topology: [\n",
        ] {
            assert!(!is_foreign_text(text), "{text}");
        }
    }
}
