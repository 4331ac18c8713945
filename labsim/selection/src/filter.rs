//! Filter expressions: what they are made of, and whether they match a scenario.

use crate::parse::{self, FilterError};
use crate::pattern::{Glob, NamePattern};
use std::str::FromStr;

/// What is known of a scenario before it runs.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name: that of the file without folder and ending.
    pub name: &'a str,
    /// Its path below the named folder, without the ending.
    pub id: &'a str,
    /// The path of its file, as it was found.
    pub file: &'a str,
    /// The path of its file below the named folder.
    pub relative: &'a str,
    /// Its tags; nothing if the file is not valid.
    pub tags: Option<&'a [String]>,
}

/// A filter expression. The crate's documentation has its grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(pub(crate) Expression);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    All,
    None,
    Name(NamePattern),
    Tag(Glob),
    File(Glob),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

impl Filter {
    /// Whether it matches; nothing if that depends on tags that are not known.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> Option<bool> {
        self.0.matches(candidate)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(Self)
    }
}

impl Expression {
    /// In Kleene's three-valued logic: `false & unknown` is false, `true & unknown` unknown.
    fn matches(&self, candidate: &Candidate<'_>) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::None => Some(false),
            Self::Name(pattern) => Some(pattern.matches(candidate.name, candidate.id)),
            Self::Tag(glob) => candidate.tags.map(|tags| tags.iter().any(|tag| glob.matches(tag))),
            Self::File(glob) => {
                Some(glob.matches(candidate.file) || glob.matches(candidate.relative))
            }
            Self::Not(inner) => inner.matches(candidate).map(|matches| !matches),
            Self::And(left, right) => match (left.matches(candidate), right.matches(candidate)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.matches(candidate), right.matches(candidate)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: &[&str] = &["gre", "ipv6"];

    fn matches(expression: &str) -> Option<bool> {
        let tags: Vec<String> = TAGS.iter().map(|tag| (*tag).to_owned()).collect();
        let filter: Filter = expression.parse().unwrap();
        filter.matches(&Candidate { tags: Some(&tags), ..candidate() })
    }

    fn candidate() -> Candidate<'static> {
        Candidate {
            name: "tacacs-gre-6in4",
            id: "ipv6/tacacs-gre-6in4",
            file: "scenarios/ipv6/tacacs-gre-6in4.yaml",
            relative: "ipv6/tacacs-gre-6in4.yaml",
            tags: None,
        }
    }

    #[test]
    fn predicates_match_names_tags_and_files() {
        for expression in [
            "name(tacacs-gre-6in4)",
            "name(tacacs-*)",
            "name(*-[46]in?)",
            "name(ipv6/*)",
            "tacacs-gre-*",
            "tag(gre)",
            "tag(ip*)",
            "file(ipv6/*)",
            "file(scenarios/**)",
            "file(**/tacacs-gre-6in4.yaml)",
            "all()",
            "  name( tacacs-* )  ",
        ] {
            assert_eq!(matches(expression), Some(true), "{expression}");
        }
        for expression in [
            "name(tacacs)",
            "name(Tacacs-*)",
            "name(*/tacacs)",
            "tag(g)",
            "file(*.yaml)",
            "file(ipv6)",
            "none()",
        ] {
            assert_eq!(matches(expression), Some(false), "{expression}");
        }
    }

    #[test]
    fn operators_bind_as_documented() {
        for (expression, expected) in [
            ("all() | all() & none()", true),
            ("(all() | all()) & none()", false),
            ("!none() & all()", true),
            ("!(none() & all())", true),
            ("!all() | all()", true),
            ("all() - tag(gre)", false),
            ("all() - tag(x) - tag(gre)", false),
            ("all() - tag(x) | none()", true),
            ("none() or not none() and tag(gre)", true),
            ("all()-tag(x)", true),
            ("not-a-name | link-*", false),
            ("not tacacs-*", false),
        ] {
            assert_eq!(matches(expression), Some(expected), "{expression}");
        }
    }

    #[test]
    fn unknown_tags_decide_nothing_unless_the_rest_does() {
        for (expression, expected) in [
            ("tag(gre)", None),
            ("!tag(gre)", None),
            ("tag(gre) & name(x)", Some(false)),
            ("tag(gre) | name(tacacs-*)", Some(true)),
            ("tag(gre) & name(tacacs-*)", None),
            ("all() - tag(gre)", None),
        ] {
            let filter: Filter = expression.parse().unwrap();
            assert_eq!(filter.matches(&candidate()), expected, "{expression}");
        }
    }
}
