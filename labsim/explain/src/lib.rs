//! Captures of one connection at several points, whose clocks disagree. Pure.
//!
//! [`Matching`] finds packets that were seen at several points, by what no tunnel and no router changes.
//! [`Clocks`] bounds the difference of every two clocks, and finds out which point packets passed first.

#![forbid(unsafe_code)]

mod clocks;
mod matching;
mod segment;

pub use clocks::{Bounds, Clocks, Contradiction};
pub use matching::{Matching, Seen};
pub use segment::{Segment, Sighting};
