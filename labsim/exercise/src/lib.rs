//! Exercises: whether one is sound, what a hint says, what a student has done, what a class has done.
//!
//! Pure: runs come from `labsim-runner`, files from the command line. The format of an exercise is the
//! scenario's (`labsim-scenario`).

#![forbid(unsafe_code)]

mod class;
mod hint;
mod progress;
mod sound;
mod variation;

pub use class::{Row, Summary, by_exercise, csv, heads, lines, rows, table};
pub use hint::{Hints, Stage};
pub use progress::{Action, Record, Standing, standing};
pub use sound::{Shown, States, complaints};
pub use variation::{Variation, choose};
