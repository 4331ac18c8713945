//! A packet's way as SVG: the lab with numbered arrows, and below it each hop with its headers, outer
//! round inner.

use crate::escape::xml;
use crate::lab::Lab;
use crate::layout::{Layout, PlacedText, TextStyle};
use crate::svg::{SvgOptions, begin, draw_lab};
use crate::way::{Header, Hop, Way};
use crate::way_path::{Arrow, BADGE, Spot, arrows};
use crate::{Rect, RowKind};
use std::fmt::Write as _;

/// The colours of a way, beside those of the lab.
const STYLE: &str = "\
.lab .hop{fill:none;stroke:#bc4c00;stroke-width:2.5;stroke-linejoin:round}.lab .tip,.lab .badge{fill:#bc4c00}\
.lab .back .hop{stroke:#1a7f37;stroke-dasharray:8 4}.lab .back .tip,.lab .back .badge{fill:#1a7f37}\
.lab .tunnelled .hop{stroke-width:6}.lab .inner{fill:none;stroke:#ffffff;stroke-width:2.5;stroke-linejoin:round}\
.lab .number{fill:#ffffff;font-weight:bold}.lab .what{font-weight:bold}\
.lab .lost{fill:none;stroke:#a40e26;stroke-width:4;stroke-linecap:round}.lab .loss{fill:#a40e26;font-weight:bold}\
.lab .header{fill:#f6f8fa;stroke:#59636e}.lab .outer{fill:#ddf4ff;stroke:#0550ae;stroke-width:1.5}\
.lab .changed{font-weight:bold;text-decoration:underline}\
.lab .faint{opacity:.25}\
@media screen and (prefers-color-scheme:dark){\
.lab .hop{stroke:#f0883e}.lab .tip,.lab .badge{fill:#f0883e}\
.lab .back .hop{stroke:#3fb950}.lab .back .tip,.lab .back .badge{fill:#3fb950}\
.lab .inner{stroke:#0d1117}.lab .number{fill:#0d1117}\
.lab .lost{stroke:#ff9492}.lab .loss{fill:#ff9492}\
.lab .header{fill:#151b23;stroke:#9198a1}.lab .outer{fill:#0c2d6b;stroke:#79c0ff}\
}";

/// The styles of a packet's way, for a document that holds some, beside [`crate::style`].
#[must_use]
pub const fn way_style() -> &'static str {
    STYLE
}

/// Around the picture.
const MARGIN: i32 = 16;
/// Between a header's edge and what is in it.
const PAD: i32 = 7;
/// Between the edges of a header and of the one within.
const RIM: i32 = 4;
/// The height of the innermost header.
const CORE: i32 = 24;
/// Between rows.
const BETWEEN: i32 = 8;
/// Hops that are written below a picture; the rest is counted.
const ROWS: usize = 16;
/// The tip of an arrow.
const TIP: i32 = 10;

/// Draws a lab with the way of a packet as numbered arrows, without the headers below that [`way_svg`] has.
#[must_use]
pub fn lab_way_svg(lab: &Lab, layout: &Layout, way: &Way, options: SvgOptions<'_>) -> String {
    let arrows = arrows(lab, layout, way);
    let right = arrows.iter().map(|arrow| arrow.badge.right() + 4).max().unwrap_or(0);
    let size = (layout.width.max(right), layout.height);
    let description = format!("{} {}", lab.description(), way.description());
    let mut out = begin(&way.title, &description, size, STYLE, options);
    draw_lab(&mut out, lab, layout);
    arrows.iter().for_each(|arrow| draw_arrow(&mut out, way, arrow, false));
    out.push_str("</svg>\n");
    out
}

/// Draws the way of a packet over a lab: all of it, or, as one of a series of slides, the hop of this place
/// with the others faint.
#[must_use]
pub fn way_svg(
    lab: &Lab,
    layout: &Layout,
    way: &Way,
    slide: Option<usize>,
    options: SvgOptions<'_>,
) -> String {
    let arrows = arrows(lab, layout, way);
    let (rows, rows_size) = rows(way, slide, layout.height);
    let right = arrows.iter().map(|arrow| arrow.badge.right() + 4).max().unwrap_or(0);
    let width = layout.width.max(rows_size.0).max(right);
    let height = rows_size.1;
    let description = match slide.and_then(|place| Some((place, way.hops.get(place)?))) {
        Some((place, hop)) => {
            let (number, all) = (place + 1, way.hops.len());
            let one = Way { hops: vec![hop.clone()], ..Way::default() }.description();
            format!("Hop {number} of {all}. {}", one.trim_start_matches("1: "))
        }
        None => format!("{} {}", way.description(), lab.description()),
    };
    let title = match slide {
        Some(place) => format!("{}, hop {} of {}", way.title, place + 1, way.hops.len()),
        None => way.title.clone(),
    };
    let mut out = begin(&title, &description, (width, height), STYLE, options);
    draw_lab(&mut out, lab, layout);
    for arrow in &arrows {
        let is_faint = slide.is_some_and(|place| !arrow.hops.contains(&place));
        draw_arrow(&mut out, way, arrow, is_faint);
    }
    if slide.is_none_or(|place| place + 1 == way.hops.len()) {
        for end in way.ends.iter().filter(|end| end.is_lost) {
            let Some(rect) = end.at.and_then(|at| layout.boxes.get(at.node)).map(|one| one.rect)
            else {
                continue;
            };
            cross(&mut out, (rect.right() - 18, rect.y + 20));
        }
    }
    out.push_str(&rows);
    out.push_str("</svg>\n");
    out
}

fn draw_arrow(out: &mut String, way: &Way, arrow: &Arrow, is_faint: bool) {
    let Some(hop) = arrow.hops.first().and_then(|place| way.hops.get(*place)) else { return };
    let _ = writeln!(out, "<g class=\"{}{}\">", kind(hop), if is_faint { " faint" } else { "" });
    if let [.., before, tip] = arrow.corners.as_slice() {
        let back = toward(*tip, *before, TIP - 1);
        let mut path = String::new();
        let last = arrow.corners.len() - 1;
        for (place, spot) in arrow.corners.iter().enumerate() {
            let (x, y) = if place == last { back } else { *spot };
            let _ = write!(path, "{}{x} {y}", if place == 0 { 'M' } else { 'L' });
        }
        let _ = writeln!(out, "<path class=\"hop\" d=\"{path}\"/>");
        if hop.is_tunnelled() {
            let _ = writeln!(out, "<path class=\"inner\" d=\"{path}\"/>");
        }
        let (x, y) = toward(*tip, *before, TIP);
        let (dx, dy) = ((tip.0 - x).signum() * 5, (tip.1 - y).signum() * 5);
        let (a, b) = ((x - dy, y + dx), (x + dy, y - dx));
        let _ = writeln!(
            out,
            "<path class=\"tip\" d=\"M{} {}L{} {}L{} {}Z\"/>",
            tip.0, tip.1, a.0, a.1, b.0, b.1
        );
        if hop.to.is_none() {
            cross(out, *tip);
        }
    }
    badge(out, arrow.badge, &arrow.numbers);
    out.push_str("</g>\n");
}

/// From a spot so far toward another.
fn toward(from: Spot, to: Spot, far: i32) -> Spot {
    (from.0 + (to.0 - from.0).signum() * far, from.1 + (to.1 - from.1).signum() * far)
}

fn kind(hop: &Hop) -> &'static str {
    match (hop.is_answer, hop.is_tunnelled()) {
        (false, false) => "there",
        (false, true) => "there tunnelled",
        (true, false) => "back",
        (true, true) => "back tunnelled",
    }
}

fn cross(out: &mut String, (x, y): Spot) {
    let (left, top, right, bottom) = (x - 7, y - 7, x + 7, y + 7);
    let _ = writeln!(
        out,
        "<path class=\"lost\" d=\"M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}\"/>"
    );
}

fn badge(out: &mut String, Rect { x, y, width, height }: Rect, numbers: &str) {
    let _ = writeln!(
        out,
        "<rect class=\"badge\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"9\"/>"
    );
    let (x, y) = (x + width / 2, y + height / 2 + 4);
    let _ = writeln!(
        out,
        "<text class=\"number\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
        xml(numbers)
    );
}

fn text_width(text: &str) -> i32 {
    PlacedText::new(text, TextStyle::Row(RowKind::Detail)).width()
}

/// What is below the lab, from `top` on: its SVG, and how far it reaches to the right and down.
fn rows(way: &Way, slide: Option<usize>, top: i32) -> (String, (i32, i32)) {
    let mut out = String::new();
    let numbered = || way.hops.iter().enumerate();
    let shown: Vec<(usize, &Hop)> = match slide {
        Some(place) => numbered().skip(place).take(1).collect(),
        None => numbered().take(ROWS).collect(),
    };
    let indent = shown.iter().map(|(_, hop)| text_width(&hop.what)).max().unwrap_or(0) + 58;
    let mut y = top + 4;
    let mut width = 0;
    for (place, hop) in &shown {
        let height = header_height(&hop.headers);
        let middle = y + height / 2;
        let number = (place + 1).to_string();
        let wide = BADGE.max(i32::try_from(number.len()).unwrap_or(1) * 8 + 6);
        let _ = writeln!(out, "<g class=\"{}\">", kind(hop));
        badge(
            &mut out,
            Rect { x: MARGIN, y: middle - BADGE / 2, width: wide, height: BADGE },
            &number,
        );
        let _ = writeln!(
            out,
            "<text class=\"what\" x=\"46\" y=\"{}\">{}</text>",
            middle + 4,
            xml(&hop.what)
        );
        width = width.max(headers(&mut out, &hop.headers, (indent, y)));
        out.push_str("</g>\n");
        y += height + BETWEEN;
    }
    let mut notes: Vec<(bool, String)> = Vec::new();
    if slide.is_none() && way.hops.len() > ROWS {
        notes.push((false, format!("and {} more hops", way.hops.len() - ROWS)));
    }
    if slide.is_none_or(|place| place + 1 == way.hops.len()) {
        notes.extend(way.ends.iter().map(|end| (end.is_lost, end.text.clone())));
    }
    notes.extend(legend(&shown).map(|text| (false, text)));
    for (is_lost, text) in notes {
        for line in wrapped(&text, 110) {
            let class = if is_lost { "loss" } else { "quiet" };
            let _ = writeln!(
                out,
                "<text class=\"{class}\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
                y + 14,
                xml(&line)
            );
            width = width.max(MARGIN + text_width_long(&line));
            y += 20;
        }
    }
    (out, (width + MARGIN, y + MARGIN))
}

/// What the signs mean that are in the rows.
fn legend(shown: &[(usize, &Hop)]) -> Option<String> {
    let mut signs = Vec::new();
    if shown.iter().any(|(_, hop)| hop.is_answer) {
        signs.push("dashed: the answer");
    }
    if shown.iter().any(|(_, hop)| hop.is_tunnelled()) {
        signs.push("double: in a tunnel");
    }
    let mut fields = shown.iter().flat_map(|(_, hop)| &hop.headers).flat_map(|one| &one.fields);
    if fields.any(|field| field.is_changed) {
        signs.push("underlined: changed since the hop before");
    }
    (!signs.is_empty()).then(|| signs.join("; "))
}

fn text_width_long(text: &str) -> i32 {
    TextStyle::Role.width(text.chars().count())
}

/// A text in lines of so many characters at most, words whole where they fit.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let word: String = word.chars().take(most).collect();
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > most {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

fn header_height(headers: &[Header]) -> i32 {
    CORE + 2 * RIM * i32::try_from(headers.len().saturating_sub(1)).unwrap_or(0)
}

/// Draws headers, outer round inner, from the left upper corner. Returns their right edge.
fn headers(out: &mut String, headers: &[Header], (x, y): Spot) -> i32 {
    let height = header_height(headers);
    let middle = y + height / 2 + 4;
    // Where each one's text begins, and its right edge: that of the inner ones and a rim.
    let mut at = x;
    let mut begins = Vec::new();
    for header in headers {
        let whole: i32 =
            header.fields.iter().map(|field| text_width(&field.text) + FIELD).sum::<i32>() - FIELD;
        begins.push(at);
        at += PAD + whole.max(0) + PAD;
    }
    let last = i32::try_from(headers.len()).unwrap_or(0);
    let right = at + RIM * (last - 1).max(0);
    for (depth, (header, begin)) in headers.iter().zip(&begins).enumerate() {
        let depth = i32::try_from(depth).unwrap_or(0);
        let class = if header.is_tunnel { "outer" } else { "header" };
        let (top, width) = (y + RIM * depth, right - RIM * depth - begin);
        let tall = height - 2 * RIM * depth;
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{begin}\" y=\"{top}\" width=\"{width}\" height=\"{tall}\" rx=\"3\"/>"
        );
        let mut text_at = begin + PAD;
        for field in &header.fields {
            let shown = PlacedText::new(&field.text, TextStyle::Row(RowKind::Detail));
            let class = if field.is_changed { "changed" } else { "plain" };
            let _ = writeln!(
                out,
                "<text class=\"{class}\" x=\"{text_at}\" y=\"{middle}\">{}</text>",
                xml(&shown.text)
            );
            text_at += shown.width() + FIELD;
        }
    }
    right
}

/// Between fields.
const FIELD: i32 = 9;
