//! A layout as SVG 1.1. It names nothing outside of itself, and has the colours of both themes.

use crate::escape::xml;
use crate::geometry::Line;
use crate::lab::{Lab, NetworkKind, Role, RowKind};
use crate::layout::{Layout, NodeBox, PlacedText, TextStyle, Wire};
use std::fmt::Write as _;

/// The colours. Every pair of a text and what it stands on has a contrast of 4.5 or more.
const STYLE: &str = "\
.lab text{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;font-size:12px;fill:#1f2328}\
.lab .ground{fill:#ffffff}\
.lab .box{fill:#f6f8fa;stroke:#59636e;stroke-width:1.5}\
.lab .mark{fill:#59636e}.lab .client .mark{fill:#0969da}.lab .balancer .mark{fill:#9a6700}.lab .server .mark{fill:#1a7f37}\
.lab .name{font-size:14px;font-weight:bold}\
.lab .quiet{fill:#59636e}\
.lab .vip{fill:#8250df;font-weight:bold}\
.lab .tunnel{fill:#0550ae}\
.lab .apart{fill:none;stroke:#ffffff;stroke-width:8;stroke-linecap:square}\
.lab .wire{fill:none;stroke:#59636e;stroke-linecap:square;stroke-width:2}\
.lab .segment{fill:none;stroke:#59636e;stroke-width:6;stroke-linecap:round}\
.lab .pipe{fill:none;stroke:#0550ae;stroke-width:9;stroke-linecap:square}\
.lab .bore{fill:none;stroke:#ddf4ff;stroke-width:6;stroke-linecap:square}\
@media screen and (prefers-color-scheme:dark){\
.lab text{fill:#f0f6fc}\
.lab .ground{fill:#0d1117}.lab .apart{stroke:#0d1117}\
.lab .box{fill:#151b23;stroke:#9198a1}\
.lab .mark{fill:#9198a1}.lab .client .mark{fill:#4493f8}.lab .balancer .mark{fill:#d29922}.lab .server .mark{fill:#3fb950}\
.lab .quiet{fill:#9198a1}\
.lab .vip{fill:#d2a8ff}\
.lab .tunnel{fill:#79c0ff}\
.lab .wire,.lab .segment{stroke:#9198a1}\
.lab .pipe{stroke:#79c0ff}\
.lab .bore{stroke:#0c2d6b}\
}";

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SvgOptions<'a> {
    /// What the names of elements begin with, unique where several pictures are in one document.
    pub prefix: &'a str,
    /// Whether it is a file of its own, with an XML declaration and its styles.
    pub is_file: bool,
}

/// The styles of a picture, for a document that holds several.
#[must_use]
pub const fn style() -> &'static str {
    STYLE
}

/// Draws a lab.
#[must_use]
pub fn svg(lab: &Lab, layout: &Layout, options: SvgOptions<'_>) -> String {
    let size = (layout.width, layout.height);
    let mut out = begin(&lab.name, &lab.description(), size, "", options);
    draw_lab(&mut out, lab, layout);
    out.push_str("</svg>\n");
    out
}

/// The beginning of a picture: what it is called, its description, its styles, more of them, and its ground.
pub(crate) fn begin(
    title: &str,
    description: &str,
    (width, height): (i32, i32),
    more_style: &str,
    options: SvgOptions<'_>,
) -> String {
    let prefix = xml(options.prefix);
    let mut out = String::new();
    if options.is_file {
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    }
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lab\" role=\"img\" \
         aria-labelledby=\"{prefix}title {prefix}desc\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">"
    );
    let _ = writeln!(out, "<title id=\"{prefix}title\">{}</title>", xml(title));
    let _ = writeln!(out, "<desc id=\"{prefix}desc\">{}</desc>", xml(description));
    if options.is_file {
        let _ = writeln!(out, "<style>{STYLE}{more_style}</style>");
    }
    let _ = writeln!(out, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>");
    out
}

/// Boxes, wires and names.
pub(crate) fn draw_lab(out: &mut String, lab: &Lab, layout: &Layout) {
    for kind in [NetworkKind::Segment, NetworkKind::Link, NetworkKind::Tunnel] {
        for wire in layout.wires.iter().filter(|wire| wire.kind == kind) {
            draw_wire(out, wire);
        }
    }
    for label in layout.wires.iter().filter_map(|wire| wire.label.as_ref()) {
        draw_text(out, &label.text);
    }
    for (node, one) in lab.nodes.iter().zip(&layout.boxes) {
        draw_box(out, node.role, one);
    }
}

fn draw_wire(out: &mut String, wire: &Wire) {
    let (stubs, bars) = (path(&wire.stubs), path(&wire.bars));
    // What is drawn before ends short of a wire that crosses it: only a joint touches.
    let mut line = |class: &str, path: &str| {
        let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>");
    };
    match wire.kind {
        NetworkKind::Link => {
            line("apart", &format!("{stubs}{bars}"));
            line("wire", &format!("{stubs}{bars}"));
        }
        NetworkKind::Segment => {
            line("apart", &stubs);
            line("wire", &stubs);
            line("segment", &bars);
        }
        // A line in a wider line: a pipe.
        NetworkKind::Tunnel => {
            line("pipe", &format!("{stubs}{bars}"));
            line("bore", &format!("{stubs}{bars}"));
        }
    }
}

fn path<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    let mut path = String::new();
    for Line { x1, y1, x2, y2 } in lines {
        let _ = if y1 == y2 {
            write!(path, "M{x1} {y1}H{x2}")
        } else {
            write!(path, "M{x1} {y1}V{y2}")
        };
    }
    path
}

fn draw_box(out: &mut String, role: Role, one: &NodeBox) {
    let class = match role {
        Role::Client => "client",
        Role::LoadBalancer => "balancer",
        Role::Server => "server",
        Role::Router | Role::Host => "other",
    };
    let crate::Rect { x, y, width, height } = one.rect;
    let _ = writeln!(out, "<g class=\"{class}\">");
    let _ = writeln!(
        out,
        "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>"
    );
    // The role is written too: a colour is never the only sign.
    let _ = writeln!(
        out,
        "<rect class=\"mark\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"4\" rx=\"2\"/>"
    );
    for text in &one.texts {
        draw_text(out, text);
    }
    out.push_str("</g>\n");
}

fn draw_text(out: &mut String, PlacedText { x, y, style, text, whole }: &PlacedText) {
    if text.is_empty() {
        return;
    }
    let class = match style {
        TextStyle::Name => "name",
        TextStyle::Role | TextStyle::Label => "quiet",
        TextStyle::Row(RowKind::Vip) => "vip",
        TextStyle::Row(RowKind::Tunnel) | TextStyle::Network(NetworkKind::Tunnel) => "tunnel",
        TextStyle::Row(_) | TextStyle::Network(_) => "plain",
    };
    let title =
        whole.as_ref().map(|whole| format!("<title>{}</title>", xml(whole))).unwrap_or_default();
    let text = xml(text);
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{title}{text}</text>");
}
