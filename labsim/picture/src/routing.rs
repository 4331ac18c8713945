//! Heights of boxes, then the wires: each network has a vertical bar of its own in a gap between
//! columns, and a horizontal stub to each of its ends.

use crate::geometry::Line;
use crate::lab::{Lab, NetworkKind};
use crate::layout::{Label, NodeBox, PlacedText, TextStyle, Wire};
use crate::pieces::{End, Item, Piece, Pieces, Side};
use crate::stack::{BETWEEN, stack};

/// Stubs that are nearer than this, in pixels, could be taken for one.
const APART: i32 = 7;
/// How often boxes are moved so that stubs are apart.
const ATTEMPTS: usize = 200;
/// From a column to the first bar, and from the last bar to the next column.
const ASIDE: i32 = 22;
/// Between bars, less what labels need.
const TRACK: i32 = 24;
/// The width of a gap without a bar.
const PLAIN: i32 = 72;
/// How far a segment's bar goes on beyond its outermost ends.
const BEYOND: i32 = 12;

/// Places the boxes and wires them. The boxes have sizes already.
pub(crate) fn route(
    lab: &Lab,
    column: &[usize],
    columns: &[Vec<usize>],
    boxes: &mut [NodeBox],
) -> Vec<Wire> {
    let pieces = Pieces::of(lab, column);
    let mut items: Vec<Vec<Item>> =
        columns.iter().map(|nodes| nodes.iter().copied().map(Item::Node).collect()).collect();
    for (through, column) in pieces.throughs.iter().enumerate() {
        items[*column].push(Item::Through(through));
    }
    let throughs = vec![0; pieces.throughs.len()];
    let mut router = Router { items, boxes, throughs, offsets: Vec::new(), pieces: pieces.all };
    router.separate_ends();
    router.place_columns();
    let orders = router.orders();
    let tracks = router.place_gaps(&orders);
    router.draw(lab, &tracks)
}

struct Router<'a> {
    items: Vec<Vec<Item>>,
    boxes: &'a mut [NodeBox],
    /// The height of each [`Item::Through`].
    throughs: Vec<i32>,
    /// For each end of each piece how far it is from the middle of its row.
    offsets: Vec<Vec<i32>>,
    pieces: Vec<Piece>,
}

/// Where the bars are: for each piece, and the edges of each column.
struct Tracks {
    bars: Vec<i32>,
    columns: Vec<(i32, i32)>,
}

impl Router<'_> {
    /// Several networks that end at one side of a row end beside one another.
    fn separate_ends(&mut self) {
        let mut taken: Vec<End> = Vec::new();
        for piece in &self.pieces {
            let mut offsets = Vec::new();
            for end in &piece.ends {
                let before = taken.iter().filter(|other| *other == end).count();
                offsets.push([0, APART, -APART][before % 3]);
                taken.push(*end);
            }
            self.offsets.push(offsets);
        }
    }

    fn height(&self, item: Item) -> i32 {
        match item {
            Item::Node(node) => self.boxes[node].rect.height,
            Item::Through(_) => 0,
        }
    }

    fn top(&self, item: Item) -> i32 {
        match item {
            Item::Node(node) => self.boxes[node].rect.y,
            Item::Through(through) => self.throughs[through],
        }
    }

    fn set_top(&mut self, item: Item, top: i32) {
        match item {
            Item::Node(node) => self.boxes[node].rect.y = top,
            Item::Through(through) => self.throughs[through] = top,
        }
    }

    /// How far an end is below the top of its item.
    fn depth(&self, piece: usize, end: usize) -> i32 {
        let End { item, row, .. } = self.pieces[piece].ends[end];
        let middle = match item {
            Item::Node(node) => self.boxes[node].rows.get(row).copied().unwrap_or(0),
            Item::Through(_) => 0,
        };
        middle + self.offsets[piece][end]
    }

    fn y(&self, piece: usize, end: usize) -> i32 {
        self.top(self.pieces[piece].ends[end].item) + self.depth(piece, end)
    }

    /// The highest column first, then its neighbours, each item as near as possible to the level of
    /// what it is wired to.
    fn place_columns(&mut self) {
        let total = |items: &Vec<Item>| -> i32 {
            items.iter().map(|item| self.height(*item) + BETWEEN).sum()
        };
        let heights: Vec<i32> = self.items.iter().map(total).collect();
        let Some(highest) = heights.iter().max() else { return };
        let anchor = heights.iter().position(|height| height == highest).unwrap_or(0);
        self.place_column(anchor, None);
        for column in (0..anchor).rev() {
            self.place_column(column, Some(column + 1));
        }
        for column in anchor + 1..self.items.len() {
            self.place_column(column, Some(column - 1));
        }
    }

    fn place_column(&mut self, column: usize, beside: Option<usize>) {
        let items = self.items[column].clone();
        let heights: Vec<i32> = items.iter().map(|item| self.height(*item)).collect();
        let mut wanted = Vec::new();
        for item in &items {
            let want = beside.and_then(|beside| self.wanted(*item, beside));
            wanted.push(want.unwrap_or_else(|| wanted.last().copied().unwrap_or(0)));
        }
        for (item, top) in items.iter().zip(stack(&heights, &wanted)) {
            self.set_top(*item, top);
        }
    }

    /// The top of an item at which its wires to a placed column are straight, on average: its links',
    /// or else its segments', or else its tunnels'.
    fn wanted(&self, item: Item, beside: usize) -> Option<i32> {
        let kinds = [NetworkKind::Link, NetworkKind::Segment, NetworkKind::Tunnel];
        kinds.into_iter().find_map(|kind| {
            let (mut sum, mut count) = (0, 0);
            for (number, piece) in self.pieces.iter().enumerate() {
                if piece.kind != kind {
                    continue;
                }
                for (own, _) in piece.ends.iter().enumerate().filter(|(_, end)| end.item == item) {
                    for (other, end) in piece.ends.iter().enumerate() {
                        if self.items[beside].contains(&end.item) {
                            sum += self.y(number, other) - self.depth(number, own);
                            count += 1;
                        }
                    }
                }
            }
            (count > 0).then(|| sum / count)
        })
    }

    /// The pieces of each gap from left to right. Boxes are moved down until there is an order in which
    /// no two stubs lie on one another.
    fn orders(&mut self) -> Vec<Vec<usize>> {
        for _ in 0..ATTEMPTS {
            let found: Result<Vec<_>, Item> =
                (0..self.items.len()).map(|gap| self.order(gap)).collect();
            match found {
                Ok(orders) => return orders,
                Err(item) => self.push_down(item),
            }
        }
        // Stubs lie on one another; nothing else is wrong with the picture.
        (0..self.items.len()).map(|gap| self.of_gap(gap)).collect()
    }

    fn of_gap(&self, gap: usize) -> Vec<usize> {
        let numbered = self.pieces.iter().enumerate();
        numbered.filter(|(_, piece)| piece.gap == gap).map(|(number, _)| number).collect()
    }

    /// An order of a gap's pieces: where stubs from both columns are at one level, the bar of the left
    /// one is further left. The error is what has to move if there is none.
    fn order(&self, gap: usize) -> Result<Vec<usize>, Item> {
        let mut left = self.of_gap(gap);
        left.sort_by_key(|piece| {
            let top = (0..self.pieces[*piece].ends.len()).map(|end| self.y(*piece, end)).min();
            (self.pieces[*piece].kind == NetworkKind::Tunnel, top, *piece)
        });
        let mut order = Vec::new();
        while !left.is_empty() {
            let mut conflict = None;
            let free = left.iter().position(|one| {
                let mut before = left.iter().filter(|other| *other != one);
                let blocking = before.find_map(|other| self.meets(*other, *one));
                conflict = conflict.or(blocking);
                blocking.is_none()
            });
            match (free, conflict) {
                (Some(position), _) => order.push(left.remove(position)),
                (None, Some(item)) => return Err(item),
                // Every piece is blocked by one that is left: there is a conflict.
                (None, None) => order.append(&mut left),
            }
        }
        Ok(order)
    }

    /// Whether a stub of `one` from the left is at the level of a stub of `other` from the right, so that
    /// `one` has to be further left: the item of the latter. A straight wire is at both sides.
    fn meets(&self, one: usize, other: usize) -> Option<Item> {
        for (from, left) in self.pieces[one].ends.iter().enumerate() {
            if left.side != Side::Right {
                continue;
            }
            for (to, right) in self.pieces[other].ends.iter().enumerate() {
                let distance = self.y(one, from) - self.y(other, to);
                if right.side == Side::Left && distance.abs() < APART {
                    return Some(right.item);
                }
            }
        }
        None
    }

    /// Moves an item down a little, and those below it where they would be too near.
    fn push_down(&mut self, item: Item) {
        let Some(column) = self.items.iter().find(|items| items.contains(&item)).cloned() else {
            return;
        };
        self.set_top(item, self.top(item) + APART);
        let below = column.iter().skip_while(|other| **other != item);
        let mut least = i32::MIN;
        for other in below {
            let top = self.top(*other).max(least);
            self.set_top(*other, top);
            least = top + self.height(*other) + BETWEEN;
        }
    }

    /// Whether a piece is a straight line from one column to the next.
    fn is_straight(&self, piece: usize) -> bool {
        match self.pieces[piece].ends.as_slice() {
            [one, other] => one.side != other.side && self.y(piece, 0) == self.y(piece, 1),
            _ => false,
        }
    }

    fn label(&self, piece: usize) -> Option<PlacedText> {
        let Piece { kind, label, .. } = &self.pieces[piece];
        label.as_deref().map(|text| PlacedText::new(text, TextStyle::Network(*kind)))
    }

    /// Columns and bars from left to right. A label has its bar's place for itself, so that it meets no
    /// box, no other bar and no other label.
    fn place_gaps(&mut self, orders: &[Vec<usize>]) -> Tracks {
        let mut tracks = Tracks { bars: vec![0; self.pieces.len()], columns: Vec::new() };
        let mut x = 0;
        for (items, order) in self.items.clone().iter().zip(orders) {
            let left = x;
            for item in items {
                if let Item::Node(node) = item {
                    self.boxes[*node].rect.x = left;
                    x = x.max(left + self.boxes[*node].rect.width);
                }
            }
            tracks.columns.push((left, x));
            let right = x;
            x += ASIDE;
            for piece in order {
                let label = self.label(*piece);
                if label.is_none() && self.is_straight(*piece) {
                    continue;
                }
                let half = label.map_or(0, |text| text.width() / 2 + 6).max(TRACK / 2);
                tracks.bars[*piece] = x + half;
                x += 2 * half;
            }
            x = (x + ASIDE).max(right + PLAIN);
        }
        tracks
    }

    fn draw(&self, lab: &Lab, tracks: &Tracks) -> Vec<Wire> {
        let mut wires: Vec<Wire> = lab
            .networks
            .iter()
            .map(|one| Wire { kind: one.kind, bars: Vec::new(), stubs: Vec::new(), label: None })
            .collect();
        let mut levels: Vec<Vec<Line>> = vec![Vec::new(); self.items.len()];
        for number in 0..self.pieces.len() {
            let stubs = self.stubs(number, tracks);
            let piece = &self.pieces[number];
            levels[piece.gap].extend(&stubs);
            wires[piece.network].stubs.extend(&stubs);
            if !self.is_straight(number) {
                wires[piece.network].bars.push(self.bar(number, tracks));
            }
            // A tunnel that passes a column by.
            for end in &piece.ends {
                if let (Item::Through(_), Side::Left) = (end.item, end.side)
                    && let Some((left, right)) = tracks.columns.get(piece.gap + 1)
                {
                    let line = Line::horizontal(*left, *right, self.top(end.item));
                    wires[piece.network].stubs.push(line);
                }
            }
        }
        for number in 0..self.pieces.len() {
            let piece = &self.pieces[number];
            let Some(text) = self.label(number) else { continue };
            let bar = self.bar(number, tracks);
            let label = place_label(text, &bar, &levels[piece.gap]);
            wires[piece.network].label = Some(label);
        }
        wires
    }

    /// The lines from a piece's ends to its bar.
    fn stubs(&self, number: usize, tracks: &Tracks) -> Vec<Line> {
        let piece = &self.pieces[number];
        let edge = |side: Side| match side {
            Side::Right => tracks.columns.get(piece.gap).map_or(0, |column| column.1),
            Side::Left => tracks.columns.get(piece.gap + 1).map_or(0, |column| column.0),
        };
        if self.is_straight(number) {
            let line = Line::horizontal(edge(Side::Right), edge(Side::Left), self.y(number, 0));
            return vec![line];
        }
        let stub = |(position, end): (usize, &End)| {
            Line::horizontal(edge(end.side), tracks.bars[number], self.y(number, position))
        };
        piece.ends.iter().enumerate().map(stub).collect()
    }

    fn bar(&self, number: usize, tracks: &Tracks) -> Line {
        let piece = &self.pieces[number];
        let levels = || (0..piece.ends.len()).map(|end| self.y(number, end));
        let beyond = if piece.kind == NetworkKind::Segment { BEYOND } else { 0 };
        let (top, bottom) = (levels().min().unwrap_or(0), levels().max().unwrap_or(0));
        Line::vertical(tracks.bars[number], top - beyond, bottom + beyond)
    }
}

/// The name of a network above its bar, or below it, or as low above it as no stub is in its place.
fn place_label(mut text: PlacedText, bar: &Line, stubs: &[Line]) -> Label {
    let (above, below) = (13, 22);
    let is_free = |text: &PlacedText| {
        let rect = text.rect();
        stubs.iter().find(|stub| stub.with_margin(APART).overlaps(&rect)).map_or(Ok(()), Err)
    };
    text.x = bar.x1 - text.width() / 2;
    text.y = bar.y2 + below;
    let is_free_below = is_free(&text).is_ok();
    let lower = text.y;
    text.y = bar.y1 - above;
    if is_free(&text).is_err() && is_free_below {
        text.y = lower;
    }
    // There are finitely many stubs, and each moves it above itself once at most.
    for _ in 0..=stubs.len() {
        match is_free(&text) {
            Ok(()) => break,
            Err(stub) => text.y = stub.y1 - above,
        }
    }
    Label { rect: text.rect(), text }
}
