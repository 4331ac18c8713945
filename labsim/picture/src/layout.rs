//! Places for everything: boxes in columns, texts in boxes, then wires between the columns.

use crate::columns;
use crate::geometry::{Line, Rect};
use crate::lab::{Lab, NetworkKind, Node, RowKind};
use crate::routing;

/// Space in a box beside its texts.
const PAD: i32 = 12;
/// A box's name and role.
const HEAD: i32 = 44;
/// From a row to the next.
const ROW: i32 = 20;
/// Around the picture.
const MARGIN: i32 = 16;
/// The least width of a box.
const LEAST: i32 = 120;
/// Cells that a text takes at most; a longer one is cut.
const MAX_CELLS: usize = 48;

/// A lab with places, in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Of the whole picture.
    pub width: i32,
    /// Of the whole picture.
    pub height: i32,
    /// One for each node.
    pub boxes: Vec<NodeBox>,
    /// One for each network, in the lab's order.
    pub wires: Vec<Wire>,
}

/// A node's box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeBox {
    /// Its edges.
    pub rect: Rect,
    /// What is written in it: name, role, and each row's label and text.
    pub texts: Vec<PlacedText>,
    /// The middle of each row.
    pub rows: Vec<i32>,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedText {
    /// Its left end.
    pub x: i32,
    /// Its baseline.
    pub y: i32,
    /// How it is written.
    pub style: TextStyle,
    /// What is written, cut if it is long.
    pub text: String,
    /// All of it, if it is cut.
    pub whole: Option<String>,
}

/// How a text is written. All are monospaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextStyle {
    /// A node's name, 14 px and bold.
    Name,
    /// A node's role, 12 px.
    Role,
    /// The label of a row, 12 px.
    Label,
    /// The text of a row of that kind, 12 px.
    Row(RowKind),
    /// A network's name, 12 px.
    Network(NetworkKind),
}

/// A network's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The space that it takes.
    pub rect: Rect,
    /// The text.
    pub text: PlacedText,
}

/// How a network is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// How it connects.
    pub kind: NetworkKind,
    /// What the ends have in common: a segment's switch, a tunnel's trunk, the vertical part of a link.
    pub bars: Vec<Line>,
    /// From the boxes to the bars, or from box to box.
    pub stubs: Vec<Line>,
    /// Its name.
    pub label: Option<Label>,
}

impl TextStyle {
    /// Height of the letters, in pixels.
    #[must_use]
    pub const fn size(self) -> i32 {
        if matches!(self, Self::Name) { 14 } else { 12 }
    }

    /// Width of so many cells: 0.61 of the height each, which no common monospaced font exceeds (0.602).
    pub(crate) fn width(self, cells: usize) -> i32 {
        let cells = i32::try_from(cells.min(10_000)).unwrap_or(0);
        (cells * self.size() * 61 + 99) / 100
    }
}

/// How many cells a text takes: two for a character beyond those of Latin, Greek and Cyrillic.
fn cells(text: &str) -> usize {
    text.chars().map(|character| if u32::from(character) < 0x1100 { 1 } else { 2 }).sum()
}

impl PlacedText {
    pub(crate) fn new(text: &str, style: TextStyle) -> Self {
        let (mut kept, mut taken) = (String::new(), 0);
        let is_long = cells(text) > MAX_CELLS;
        for character in text.chars() {
            taken += cells(character.encode_utf8(&mut [0; 4]));
            if is_long && taken > MAX_CELLS - 1 {
                break;
            }
            kept.push(character);
        }
        if is_long {
            kept.push('…');
        }
        Self { x: 0, y: 0, style, text: kept, whole: is_long.then(|| text.to_owned()) }
    }

    /// In pixels, at most.
    #[must_use]
    pub fn width(&self) -> i32 {
        self.style.width(cells(&self.text))
    }

    /// The space that it takes, at most.
    #[must_use]
    pub fn rect(&self) -> Rect {
        let size = self.style.size();
        Rect { x: self.x, y: self.y - size, width: self.width(), height: size + 4 }
    }

    fn at(mut self, x: i32, y: i32) -> Self {
        (self.x, self.y) = (x, y);
        self
    }
}

impl Layout {
    /// Places a lab.
    #[must_use]
    pub fn new(lab: &Lab) -> Self {
        let column = columns::columns(lab);
        let columns = columns::ordered(lab, &column);
        let mut boxes: Vec<NodeBox> = lab.nodes.iter().map(node_box).collect();
        for nodes in &columns {
            let width = nodes.iter().map(|node| boxes[*node].rect.width).max().unwrap_or(0);
            nodes.iter().for_each(|node| boxes[*node].rect.width = width);
        }
        let wires = routing::route(lab, &column, &columns, &mut boxes);
        let mut layout = Self { width: 0, height: 0, boxes, wires };
        layout.fit();
        layout
    }

    /// Moves everything so that the picture begins at 0, and sizes it.
    fn fit(&mut self) {
        let mut all: Vec<Rect> = self.boxes.iter().map(|one| one.rect).collect();
        for wire in &self.wires {
            all.extend(wire.bars.iter().chain(&wire.stubs).map(|line| line.with_margin(6)));
            all.extend(wire.label.iter().map(|label| label.rect));
        }
        let edge = |of: fn(&Rect) -> i32| all.iter().map(of);
        let left = edge(|rect| rect.x).min().unwrap_or(0);
        let top = edge(|rect| rect.y).min().unwrap_or(0);
        self.width = edge(Rect::right).max().unwrap_or(0) - left + 2 * MARGIN;
        self.height = edge(Rect::bottom).max().unwrap_or(0) - top + 2 * MARGIN;
        let (dx, dy) = (MARGIN - left, MARGIN - top);
        for one in &mut self.boxes {
            one.rect.x += dx;
            one.rect.y += dy;
            for text in &mut one.texts {
                text.x += one.rect.x;
                text.y += one.rect.y;
            }
            one.rows.iter_mut().for_each(|row| *row += one.rect.y);
        }
        for wire in &mut self.wires {
            for line in wire.bars.iter_mut().chain(&mut wire.stubs) {
                *line = line.moved(dx, dy);
            }
            if let Some(label) = &mut wire.label {
                label.rect.x += dx;
                label.rect.y += dy;
                label.text.x += dx;
                label.text.y += dy;
            }
        }
    }
}

/// A box with its texts, all places relative to its corner.
fn node_box(node: &Node) -> NodeBox {
    let mut texts = vec![
        PlacedText::new(&node.name, TextStyle::Name).at(PAD, 20),
        PlacedText::new(node.role.name(), TextStyle::Role).at(PAD, 36),
    ];
    let labels: Vec<PlacedText> =
        node.rows.iter().map(|row| PlacedText::new(&row.label, TextStyle::Label)).collect();
    let indent = labels.iter().map(PlacedText::width).max().unwrap_or(0) + PAD + 10;
    let mut rows = Vec::new();
    let mut middle = HEAD + ROW / 2;
    for (row, label) in node.rows.iter().zip(labels) {
        let text = PlacedText::new(&row.text, TextStyle::Row(row.kind));
        texts.push(label.at(PAD, middle + 4));
        texts.push(text.at(indent, middle + 4));
        rows.push(middle);
        middle += ROW;
    }
    let right = texts.iter().map(|text| text.x + text.width()).max().unwrap_or(0);
    let height = HEAD + ROW * i32::try_from(rows.len()).unwrap_or(0) + 6;
    let rect = Rect { x: 0, y: 0, width: (right + PAD).max(LEAST), height };
    NodeBox { rect, texts, rows }
}
