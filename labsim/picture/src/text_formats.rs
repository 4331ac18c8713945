//! The lab in the languages of other programs that draw: Graphviz's DOT, Mermaid, D2.

use crate::escape::{mermaid as mermaid_text, quoted};
use crate::lab::{Lab, Network, NetworkKind, Node};
use std::fmt::Write as _;

/// Name, role and rows of a node, a line each.
fn lines(node: &Node) -> String {
    let mut text = format!("{}\n{}", node.name, node.role.name());
    for row in &node.rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{} {}", row.label, row.text);
    }
    text
}

/// A lab as Graphviz reads it: `dot -Tsvg`.
#[must_use]
pub fn dot(lab: &Lab) -> String {
    let mut out = format!("graph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(&lab.name));
    for (number, node) in lab.nodes.iter().enumerate() {
        let _ = writeln!(out, "  n{number} [label={}];", quoted(&lines(node)));
    }
    for (number, network) in lab.networks.iter().enumerate() {
        if network.kind == NetworkKind::Segment {
            let _ = writeln!(out, "  s{number} [shape=ellipse, label={}];", quoted(&network.name));
        }
        for (from, to, label) in edges(lab, number, network) {
            let style = match network.kind {
                NetworkKind::Tunnel => ", style=dashed, dir=forward",
                _ => "",
            };
            let _ = writeln!(out, "  {from} -- {to} [label={}{style}];", quoted(&label));
        }
    }
    out.push_str("}\n");
    out
}

/// A lab as a Mermaid flowchart, which several forges draw in Markdown.
#[must_use]
pub fn mermaid(lab: &Lab) -> String {
    let mut out = String::from("flowchart LR\n");
    for (number, node) in lab.nodes.iter().enumerate() {
        let _ = writeln!(out, "  n{number}[{}]", mermaid_text(&lines(node)));
    }
    for (number, network) in lab.networks.iter().enumerate() {
        if network.kind == NetworkKind::Segment {
            let _ = writeln!(out, "  s{number}([{}])", mermaid_text(&network.name));
        }
        let arrow = if network.kind == NetworkKind::Tunnel { "-.->" } else { "---" };
        for (from, to, label) in edges(lab, number, network) {
            let _ = writeln!(out, "  {from} {arrow}|{}| {to}", mermaid_text(&label));
        }
    }
    out
}

/// A lab as D2 reads it.
#[must_use]
pub fn d2(lab: &Lab) -> String {
    let mut out = String::from("direction: right\n");
    for (number, node) in lab.nodes.iter().enumerate() {
        let _ = writeln!(out, "n{number}: {}", quoted(&lines(node)));
    }
    for (number, network) in lab.networks.iter().enumerate() {
        if network.kind == NetworkKind::Segment {
            let _ = writeln!(out, "s{number}: {} {{shape: oval}}", quoted(&network.name));
        }
        for (from, to, label) in edges(lab, number, network) {
            let label = quoted(&label);
            let _ = match network.kind {
                NetworkKind::Tunnel => {
                    writeln!(out, "{from} -> {to}: {label} {{style.stroke-dash: 4}}")
                }
                _ => writeln!(out, "{from} -- {to}: {label}"),
            };
        }
    }
    out
}

/// What is joined with what, and the text beside the line: a segment with each of its ports, a tunnel's
/// beginning with each of its ends.
fn edges(lab: &Lab, number: usize, network: &Network) -> Vec<(String, String, String)> {
    let Some((first, rest)) = network.ports.split_first() else { return Vec::new() };
    match network.kind {
        NetworkKind::Segment => {
            let edge = |port: &crate::Port| {
                (format!("n{}", port.node), format!("s{number}"), lab.port_name(*port))
            };
            network.ports.iter().map(edge).collect()
        }
        kind => {
            let edge = |port: &crate::Port| {
                let label = match kind {
                    NetworkKind::Tunnel => format!("{} tunnel", network.name),
                    _ => format!("{} - {}", lab.port_name(*first), lab.port_name(*port)),
                };
                (format!("n{}", first.node), format!("n{}", port.node), label)
            };
            rest.iter().map(edge).collect()
        }
    }
}
