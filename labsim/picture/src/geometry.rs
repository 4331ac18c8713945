//! Rectangles and lines, in pixels, `y` downwards.

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
}

impl Rect {
    /// Right edge.
    #[must_use]
    pub const fn right(&self) -> i32 {
        self.x + self.width
    }

    /// Lower edge.
    #[must_use]
    pub const fn bottom(&self) -> i32 {
        self.y + self.height
    }

    /// Whether the two share more than an edge.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Whether the other is inside of it.
    #[must_use]
    pub const fn holds(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }
}

/// A horizontal or vertical line; its ends in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Of the left or upper end.
    pub x1: i32,
    /// Of the left or upper end.
    pub y1: i32,
    /// Of the right or lower end.
    pub x2: i32,
    /// Of the right or lower end.
    pub y2: i32,
}

impl Line {
    pub(crate) fn horizontal(one: i32, other: i32, y: i32) -> Self {
        Self { x1: one.min(other), y1: y, x2: one.max(other), y2: y }
    }

    pub(crate) fn vertical(x: i32, one: i32, other: i32) -> Self {
        Self { x1: x, y1: one.min(other), x2: x, y2: one.max(other) }
    }

    /// The space that it takes with so many pixels on each side.
    #[must_use]
    pub const fn with_margin(&self, margin: i32) -> Rect {
        Rect {
            x: self.x1 - margin,
            y: self.y1 - margin,
            width: self.x2 - self.x1 + 2 * margin,
            height: self.y2 - self.y1 + 2 * margin,
        }
    }

    pub(crate) const fn moved(self, dx: i32, dy: i32) -> Self {
        Self { x1: self.x1 + dx, y1: self.y1 + dy, x2: self.x2 + dx, y2: self.y2 + dy }
    }
}
