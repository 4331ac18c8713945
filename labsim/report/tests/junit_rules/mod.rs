//! The rules of Jenkins' xUnit plugin for JUnit files, as facts: which attributes and children each
//! element has. Source: `junit-10.xsd` of github.com/jenkinsci/xunit-plugin (MIT), commit 031e285.
//! GitLab and junitparser read a part of the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use roxmltree::{Document, Node};

/// What an element may hold.
struct Rule {
    element: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    has_text: bool,
}

const fn text(element: &'static str, optional: &'static [&'static str]) -> Rule {
    Rule { element, required: &[], optional, children: &[], has_text: true }
}

const RULES: &[Rule] = &[
    Rule {
        element: "testsuites",
        required: &[],
        optional: &["name", "time", "tests", "failures", "errors"],
        children: &["testsuite"],
        has_text: false,
    },
    Rule {
        element: "testsuite",
        required: &["name", "tests", "failures", "errors"],
        optional: &[
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
        ],
        children: &["testsuite", "properties", "testcase", "system-out", "system-err"],
        has_text: false,
    },
    Rule {
        element: "testcase",
        required: &["name"],
        optional: &["time", "classname", "group"],
        children: &[
            "skipped",
            "error",
            "failure",
            "rerunFailure",
            "rerunError",
            "flakyFailure",
            "flakyError",
            "system-out",
            "system-err",
        ],
        has_text: false,
    },
    Rule {
        element: "properties",
        required: &[],
        optional: &[],
        children: &["property"],
        has_text: false,
    },
    Rule {
        element: "property",
        required: &["name", "value"],
        optional: &[],
        children: &[],
        has_text: false,
    },
    rerun("rerunFailure"),
    rerun("rerunError"),
    rerun("flakyFailure"),
    rerun("flakyError"),
    text("failure", &["type", "message"]),
    text("error", &["type", "message"]),
    text("skipped", &["type", "message"]),
    text("system-out", &[]),
    text("system-err", &[]),
    text("stackTrace", &[]),
];

/// An earlier try of a test case that was run again.
const fn rerun(element: &'static str) -> Rule {
    Rule {
        element,
        required: &["type"],
        optional: &["message"],
        children: &["stackTrace", "system-out", "system-err"],
        has_text: true,
    }
}

/// What of a file is against the rules, a line each.
pub(crate) fn violations(file: &str) -> Vec<String> {
    let document = Document::parse(file).unwrap();
    let mut found = Vec::new();
    let root = document.root_element();
    if !["testsuites", "testsuite"].contains(&root.tag_name().name()) {
        found.push(format!("the root element is {}", root.tag_name().name()));
    }
    for element in document.descendants().filter(Node::is_element) {
        check(element, &mut found);
    }
    found
}

fn check(element: Node<'_, '_>, found: &mut Vec<String>) {
    let name = element.tag_name().name();
    let Some(rule) = RULES.iter().find(|rule| rule.element == name) else {
        found.push(format!("no element {name} is known"));
        return;
    };
    for attribute in element.attributes() {
        let attribute_name = attribute.name();
        if !rule.required.contains(&attribute_name) && !rule.optional.contains(&attribute_name) {
            found.push(format!("{name} has no attribute {attribute_name}"));
        }
        // `time` of a suite is of a pattern; digits and a dot are in it.
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if attribute_name == "time" && !is_number(attribute.value()) {
            found.push(format!("time {} of {name} is no number", attribute.value()));
        }
    }
    for required in rule.required {
        if element.attribute(*required).is_none() {
            found.push(format!("{name} lacks the attribute {required}"));
        }
    }
    for child in element.children() {
        let child_name = child.tag_name().name();
        if child.is_element() && !rule.children.contains(&child_name) {
            found.push(format!("{child_name} is no child of {name}"));
        }
        let is_blank = child.text().unwrap_or_default().trim().is_empty();
        if child.is_text() && !rule.has_text && !is_blank {
            found.push(format!("{name} has text"));
        }
    }
}
