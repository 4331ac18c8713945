//! The lines of arrows: along the wires, a little aside, so that there and back do not meet.

use crate::geometry::{Line, Rect};
use crate::lab::{Lab, NetworkKind};
use crate::layout::{Layout, NodeBox, Wire};
use crate::way::{Hop, Stop, Way};
use std::collections::{BTreeMap, BTreeSet};

/// From a wire to the arrow beside it, on the right of who travels.
const ASIDE: i32 = 6;
/// A wire may end so far from the middle of its row.
const NEAR: i32 = 8;
/// The least room of a number, and the height of all.
pub(crate) const BADGE: i32 = 18;
/// Numbers of one arrow that are written; the last one stands for the rest.
const NUMBERS: usize = 3;

/// A place, in pixels.
pub(crate) type Spot = (i32, i32);

/// Hops over the same wire in the same direction, as one arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// The places of its hops among the way's.
    pub(crate) hops: Vec<usize>,
    /// Corners from its beginning to its tip; empty of a hop within a node.
    pub(crate) corners: Vec<Spot>,
    /// Where its numbers are.
    pub(crate) badge: Rect,
    /// Its numbers.
    pub(crate) numbers: String,
}

/// The arrows of a way, those of the first hops first.
pub(crate) fn arrows(lab: &Lab, layout: &Layout, way: &Way) -> Vec<Arrow> {
    let mut arrows: Vec<Arrow> = Vec::new();
    let mut keys: Vec<(Option<Stop>, Option<Stop>, bool)> = Vec::new();
    for (place, hop) in way.hops.iter().enumerate() {
        let key = (hop.from, hop.to, hop.is_answer);
        match keys.iter().position(|known| *known == key) {
            Some(known) => arrows[known].hops.push(place),
            None => {
                keys.push(key);
                let corners = corners(lab, layout, hop).unwrap_or_default();
                let (badge, numbers) = (Rect::default(), String::new());
                arrows.push(Arrow { hops: vec![place], corners, badge, numbers });
            }
        }
    }
    let mut taken: Vec<Rect> = layout
        .boxes
        .iter()
        .map(|one| one.rect)
        .chain(layout.wires.iter().filter_map(|wire| wire.label.as_ref()).map(|label| label.rect))
        .collect();
    let lines: Vec<Vec<Rect>> = arrows.iter().map(|arrow| covered(&arrow.corners)).collect();
    for (place, arrow) in arrows.iter_mut().enumerate() {
        let others = lines.iter().enumerate().filter(|(other, _)| *other != place);
        let others: Vec<Rect> = others.flat_map(|(_, lines)| lines).copied().collect();
        arrow.numbers = numbers(&arrow.hops);
        let cells = i32::try_from(arrow.numbers.chars().count()).unwrap_or(0);
        let width = BADGE.max(cells * 8 + 6);
        let hop = arrow.hops.first().and_then(|place| way.hops.get(*place));
        arrow.badge = match (arrow.corners.is_empty(), hop) {
            (true, Some(hop)) => at_box(layout, hop, width, &taken),
            _ => on_line(&arrow.corners, width, &taken, &others),
        };
        taken.push(arrow.badge);
    }
    arrows
}

/// `1`, `2, 5`, `1, 4 … 43`
fn numbers(hops: &[usize]) -> String {
    let text = |hops: &[usize]| {
        let texts: Vec<String> = hops.iter().map(|hop| (hop + 1).to_string()).collect();
        texts.join(", ")
    };
    match (hops.get(..NUMBERS - 1), hops.last()) {
        (Some(first), Some(last)) if hops.len() > NUMBERS => {
            format!("{} … {}", text(first), last + 1)
        }
        _ => text(hops),
    }
}

/// The corners of a hop's arrow; `None` if it is within a node, or no wire joins its ends.
fn corners(lab: &Lab, layout: &Layout, hop: &Hop) -> Option<Vec<Spot>> {
    let wire = |stops: &[Stop]| {
        lab.networks.iter().zip(&layout.wires).find(|(network, _)| {
            let has = |stop: &Stop| {
                let mut ports = network.ports.iter();
                ports.any(|port| port.node == stop.node && Some(port.row) == stop.row)
            };
            network.kind != NetworkKind::Tunnel && stops.iter().all(has)
        })
    };
    match (hop.from, hop.to) {
        (Some(from), Some(to)) => {
            let (_, wire) = wire(&[from, to])?;
            let begins = ends(wire, layout.boxes.get(from.node)?, from.row?);
            let tips = ends(wire, layout.boxes.get(to.node)?, to.row?);
            Some(aside(&shortest(wire, &begins, &tips)?))
        }
        // It left, and was seen nowhere: the beginning of its wire.
        (Some(from), None) => {
            let (_, wire) = wire(&[from])?;
            let one = layout.boxes.get(from.node)?;
            let (x, y) = *ends(wire, one, from.row?).first()?;
            let is_right = x >= one.rect.right();
            Some(aside(&[(x, y), (if is_right { x + 40 } else { x - 40 }, y)]))
        }
        _ => None,
    }
}

/// Where a wire meets a row of a box.
fn ends(wire: &Wire, one: &NodeBox, row: usize) -> Vec<Spot> {
    let Some(middle) = one.rows.get(row) else { return Vec::new() };
    let all = wire.stubs.iter().flat_map(|line| [(line.x1, line.y1), (line.x2, line.y2)]);
    let is_end =
        |(x, y): &Spot| (*x == one.rect.x || *x == one.rect.right()) && (y - middle).abs() <= NEAR;
    all.filter(is_end).collect()
}

/// The shortest way along a wire's lines from one of the beginnings to one of the tips.
fn shortest(wire: &Wire, begins: &[Spot], tips: &[Spot]) -> Option<Vec<Spot>> {
    let lines: Vec<Line> = wire.bars.iter().chain(&wire.stubs).copied().collect();
    let next = neighbours(&lines);
    let mut best: BTreeMap<Spot, (i32, Option<Spot>)> = BTreeMap::new();
    let mut open: BTreeSet<(i32, Spot)> = BTreeSet::new();
    for begin in begins {
        best.insert(*begin, (0, None));
        open.insert((0, *begin));
    }
    while let Some((far, spot)) = open.pop_first() {
        if tips.contains(&spot) {
            let mut path = vec![spot];
            while let Some((_, Some(before))) = path.last().and_then(|last| best.get(last)) {
                path.push(*before);
            }
            path.reverse();
            return Some(straightened(&path));
        }
        for other in next.get(&spot).into_iter().flatten() {
            let length = far + (other.0 - spot.0).abs() + (other.1 - spot.1).abs();
            if best.get(other).is_none_or(|(known, _)| length < *known) {
                best.insert(*other, (length, Some(spot)));
                open.insert((length, *other));
            }
        }
    }
    None
}

/// Spots that a line joins without another between them.
fn neighbours(lines: &[Line]) -> BTreeMap<Spot, Vec<Spot>> {
    let on = |line: &Line, (x, y): Spot| {
        (line.x1..=line.x2).contains(&x) && (line.y1..=line.y2).contains(&y)
    };
    let mut spots: BTreeSet<Spot> =
        lines.iter().flat_map(|line| [(line.x1, line.y1), (line.x2, line.y2)]).collect();
    for one in lines.iter().filter(|line| line.y1 == line.y2) {
        for other in lines.iter().filter(|line| line.x1 == line.x2) {
            let crossing = (other.x1, one.y1);
            if on(one, crossing) && on(other, crossing) {
                spots.insert(crossing);
            }
        }
    }
    let mut next: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
    for line in lines {
        // In the order of the line, as it is horizontal or vertical.
        let along: Vec<Spot> = spots.iter().copied().filter(|spot| on(line, *spot)).collect();
        for (one, other) in along.iter().zip(along.iter().skip(1)) {
            next.entry(*one).or_default().push(*other);
            next.entry(*other).or_default().push(*one);
        }
    }
    next
}

/// Without the spots where it goes straight on.
fn straightened(path: &[Spot]) -> Vec<Spot> {
    let mut corners: Vec<Spot> = Vec::new();
    for spot in path {
        if let [.., before, last] = corners.as_slice()
            && step(*before, *last) == step(*last, *spot)
        {
            corners.pop();
        }
        corners.push(*spot);
    }
    corners
}

/// The direction from one spot to another.
fn step(from: Spot, to: Spot) -> Spot {
    ((to.0 - from.0).signum(), (to.1 - from.1).signum())
}

/// The same on the right of who travels. Its corners are right angles.
fn aside(corners: &[Spot]) -> Vec<Spot> {
    let right = |from: Spot, to: Spot| {
        let (x, y) = step(from, to);
        (-y * ASIDE, x * ASIDE)
    };
    let mut moved = Vec::new();
    for (place, (x, y)) in corners.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| corners.get(before));
        let into = before.map_or((0, 0), |before| right(*before, (*x, *y)));
        let out = corners.get(place + 1).map_or((0, 0), |after| right((*x, *y), *after));
        moved.push((x + into.0 + out.0, y + into.1 + out.1));
    }
    moved
}

/// The space that an arrow's lines take.
fn covered(corners: &[Spot]) -> Vec<Rect> {
    let parts = corners.iter().zip(corners.iter().skip(1));
    parts
        .map(|(a, b)| {
            let line = if a.1 == b.1 {
                Line::horizontal(a.0, b.0, a.1)
            } else {
                Line::vertical(a.0, a.1, b.1)
            };
            line.with_margin(3)
        })
        .collect()
}

/// A place for numbers on an arrow: where nothing else is and the fewest other arrows pass, near the middle
/// of a long part.
fn on_line(corners: &[Spot], width: i32, taken: &[Rect], others: &[Rect]) -> Rect {
    let mut parts: Vec<(Spot, Spot)> =
        corners.iter().copied().zip(corners.iter().copied().skip(1)).collect();
    let length = |(a, b): &(Spot, Spot)| (a.0 - b.0).abs() + (a.1 - b.1).abs();
    parts.sort_by_key(|part| -length(part));
    let around = |(x, y): Spot| Rect { x: x - width / 2, y: y - BADGE / 2, width, height: BADGE };
    let mut best: Option<(usize, Rect)> = None;
    // On the arrow, or else beside it, on its own side of the wire first.
    let beside =
        [0, 1, 2, -2, 3, -3].iter().flat_map(|far| parts.iter().map(move |it| (far * 11, it)));
    for (far, (from, to)) in beside {
        if best.is_some() && far != 0 {
            break;
        }
        let half = length(&(*from, *to)) / 2;
        let (dx, dy) = step(*from, *to);
        let middle = (from.0 + dx * half - dy * far, from.1 + dy * half + dx * far);
        // Its beginning and its tip stay to be seen.
        for away in (0..=(half - BADGE).max(0)).step_by(2) {
            for sign in [1, -1] {
                let rect = around((middle.0 + sign * away * dx, middle.1 + sign * away * dy));
                if taken.iter().any(|other| other.overlaps(&rect)) {
                    continue;
                }
                let covers = others.iter().filter(|other| other.overlaps(&rect)).count();
                if best.is_none_or(|(least, _)| covers < least) {
                    best = Some((covers, rect));
                }
            }
        }
    }
    let middle = parts.first().map(|(a, b)| ((a.0 + b.0) / 2, (a.1 + b.1) / 2));
    best.map_or_else(|| around(middle.unwrap_or_default()), |(_, rect)| rect)
}

/// A place for numbers at the edge of a box, beside the row, for a hop within a node.
fn at_box(layout: &Layout, hop: &Hop, width: i32, taken: &[Rect]) -> Rect {
    let Some(stop) = hop.to.or(hop.from) else { return Rect::default() };
    let Some(one) = layout.boxes.get(stop.node) else { return Rect::default() };
    let row = stop.row.and_then(|row| one.rows.get(row)).copied();
    let y = row.unwrap_or(one.rect.y + 16) - BADGE / 2;
    let at = |x: i32| Rect { x, y, width, height: BADGE };
    // Outside of the box, so that it covers no text; its edge is all that it touches.
    let sides = [at(one.rect.x - width), at(one.rect.right())];
    let wires = layout.wires.iter().flat_map(|wire| wire.bars.iter().chain(&wire.stubs));
    let is_free = |rect: &&Rect| {
        rect.x >= 0
            && taken.iter().all(|other| !other.overlaps(rect))
            && wires.clone().all(|line| !line.with_margin(4).overlaps(rect))
    };
    sides.iter().find(is_free).copied().unwrap_or(sides[1])
}
