//! What an impaired link does to each frame: whether it is lost or doubled, and when it comes out.
//! Pure: no socket, no clock. Frames and times come in, frames come out.
//!
//! One [`Line`] is one direction of a link. It behaves as the kernel's netem does (tc-netem(8),
//! net/sched/sch_netem.c), so that a lab is the same lab on a kernel without it.

#![forbid(unsafe_code)]

mod line;
mod settings;

pub use line::{Counters, Line};
pub use settings::{Impairment, QUEUE_BYTES, QUEUE_FRAMES, Share};
