//! Pictures of a lab: who is wired to whom, where each VIP is, and where tunnels begin and end.
//!
//! A [`Lab`] is made of a topology or a scenario; [`Layout`] gives everything in it a place, and
//! [`svg`], [`dot`], [`mermaid`] and [`d2`] write it. Pure: the same lab gives the same bytes.
//!
//! Nodes stand in columns, clients first, each as many networks away from them as its column's
//! number; a network is drawn between two columns, because its nodes are in one column or in two
//! neighbouring ones. Widths of texts are those of a monospaced font, so that they are known without
//! one. [`defects`] checks a finished layout.

#![forbid(unsafe_code)]

mod check;
mod columns;
mod escape;
mod geometry;
mod lab;
mod layout;
mod of_scenario;
mod of_topology;
mod pieces;
mod routing;
mod stack;
mod svg;
mod text_formats;
mod way;
mod way_path;
mod way_svg;

pub use check::defects;
pub use escape::xml;
pub use geometry::{Line, Rect};
pub use lab::{Lab, Network, NetworkKind, Node, Port, Role, Row, RowKind};
pub use layout::{Label, Layout, NodeBox, PlacedText, TextStyle, Wire};
pub use svg::{SvgOptions, style, svg};
pub use text_formats::{d2, dot, mermaid};
pub use way::{Header, HeaderField, Hop, Stop, Way, WayEnd};
pub use way_svg::{lab_way_svg, way_style, way_svg};
