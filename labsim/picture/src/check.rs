//! Checks that a picture can be read.

use crate::geometry::Rect;
use crate::layout::Layout;

/// What is wrong with a layout, in sentences: boxes that overlap, texts that are not inside of their
/// box or lie on one another, wires through boxes or names, wires on one another, anything outside of
/// the picture.
#[must_use]
pub fn defects(layout: &Layout) -> Vec<String> {
    let mut found = Vec::new();
    let whole = Rect { x: 0, y: 0, width: layout.width, height: layout.height };
    for (number, one) in layout.boxes.iter().enumerate() {
        if !whole.holds(&one.rect) {
            found.push(format!("box {number} is outside of the picture"));
        }
        for (other_number, other) in layout.boxes.iter().enumerate().skip(number + 1) {
            if one.rect.overlaps(&other.rect) {
                found.push(format!("boxes {number} and {other_number} overlap"));
            }
        }
        for (position, text) in one.texts.iter().enumerate() {
            if !text.text.is_empty() && !one.rect.holds(&text.rect()) {
                found.push(format!("`{}` is not inside of its box", text.text));
            }
            for other in one.texts.iter().skip(position + 1) {
                if text.rect().overlaps(&other.rect()) {
                    found.push(format!("`{}` and `{}` overlap", text.text, other.text));
                }
            }
        }
    }
    found.extend(label_defects(layout, &whole));
    found.extend(wire_defects(layout, &whole));
    found
}

fn label_defects(layout: &Layout, whole: &Rect) -> Vec<String> {
    let mut found = Vec::new();
    let labels: Vec<_> = layout.wires.iter().filter_map(|wire| wire.label.as_ref()).collect();
    for (number, label) in labels.iter().enumerate() {
        let name = &label.text.text;
        if !whole.holds(&label.rect) {
            found.push(format!("the name `{name}` is outside of the picture"));
        }
        if layout.boxes.iter().any(|one| one.rect.overlaps(&label.rect)) {
            found.push(format!("the name `{name}` is on a box"));
        }
        if labels.iter().skip(number + 1).any(|other| other.rect.overlaps(&label.rect)) {
            found.push(format!("the name `{name}` is on another name"));
        }
        let lines = layout.wires.iter().flat_map(|wire| wire.bars.iter().chain(&wire.stubs));
        if lines.into_iter().any(|line| line.with_margin(1).overlaps(&label.rect)) {
            found.push(format!("a wire runs through the name `{name}`"));
        }
    }
    found
}

fn wire_defects(layout: &Layout, whole: &Rect) -> Vec<String> {
    let mut found = Vec::new();
    for (number, wire) in layout.wires.iter().enumerate() {
        for line in wire.bars.iter().chain(&wire.stubs) {
            // A line touches the boxes at its ends.
            let inner = line.with_margin(0);
            let space = Rect { height: inner.height.max(1), width: inner.width.max(1), ..inner };
            if layout.boxes.iter().any(|one| one.rect.overlaps(&space)) {
                found.push(format!("wire {number} runs through a box"));
            }
            if !whole.holds(&inner) {
                found.push(format!("wire {number} is outside of the picture"));
            }
        }
        for (other_number, other) in layout.wires.iter().enumerate().skip(number + 1) {
            let parallel = |lines: fn(&crate::Wire) -> &[crate::Line]| {
                lines(wire).iter().any(|one| {
                    lines(other)
                        .iter()
                        .any(|other| one.with_margin(2).overlaps(&other.with_margin(2)))
                })
            };
            if parallel(|wire| &wire.stubs) || parallel(|wire| &wire.bars) {
                found.push(format!("wires {number} and {other_number} lie on one another"));
            }
        }
    }
    found
}
