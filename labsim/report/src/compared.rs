//! What a person reads about two runs that were compared.

use labsim_verdict::compare::{Comparison, Difference, FrameRow, Side};
use std::fmt::Write as _;
use std::path::Path;

/// The two folders' names.
#[derive(Debug, Clone)]
pub struct Names(pub [String; 2]);

impl Names {
    /// The folders as they were named.
    #[must_use]
    pub fn of(dirs: [&Path; 2]) -> Self {
        Self(dirs.map(|dir| dir.display().to_string()))
    }

    fn side(&self, side: Side) -> &str {
        match side {
            Side::First => &self.0[0],
            Side::Second => &self.0[1],
        }
    }

    /// A scenario's comparison. Lines that are indented by four hold times and numbers that change
    /// from run to run; the others are the same whenever the same is different.
    #[must_use]
    pub fn text(&self, scenario: &str, comparison: &Comparison) -> String {
        let Comparison { differences, frames, points, set_aside, who_met_whom } = comparison;
        let mut text = String::new();
        if differences.is_empty() {
            let _ = writeln!(text, "SAME {scenario}");
        } else {
            let _ = writeln!(text, "DIFFERENT {scenario}");
        }
        for difference in differences {
            self.difference(&mut text, difference);
        }
        let _ = writeln!(
            text,
            "    {} and {} frames at {points} points; {set_aside} that a timer decides were set \
             aside",
            frames[0], frames[1]
        );
        if *who_met_whom > 0 {
            let _ = writeln!(
                text,
                "    clients asked at the same time: which server each met was not compared at \
                 {who_met_whom} points"
            );
        }
        text
    }

    fn difference(&self, text: &mut String, difference: &Difference) {
        let [first, second] = &self.0;
        let _ = match difference {
            Difference::Outcome([one, other]) => {
                writeln!(text, "  {one} in {first}, {other} in {second}")
            }
            Difference::Expectation { name, held } => {
                let [one, other] = held.map(|held| match held {
                    Some(true) => "held",
                    Some(false) => "did not hold",
                    None => "was not judged",
                });
                let name = name.escape_debug();
                writeln!(text, "  expectation {name}: {one} in {first}, {other} in {second}")
            }
            Difference::Lost { node, frames: [one, other] } => writeln!(
                text,
                "  {node}: its capture lost {one} frames in {first}, {other} in {second}; run again"
            ),
            Difference::Point { point, only } => {
                writeln!(text, "  {point}: no such capture point but in {}", self.side(*only))
            }
            Difference::Counter { node, device, counter, rose: [one, other] } => {
                let device = device.as_ref().map(|it| format!(":{it}")).unwrap_or_default();
                let counter = counter.escape_debug();
                writeln!(
                    text,
                    "  {node}{device} {counter}: rose by {one} in {first}, by {other} in {second}"
                )
            }
            Difference::Frames { point, rows, more } => {
                self.frames(text, point, rows, *more);
                Ok(())
            }
        };
    }

    fn frames(&self, text: &mut String, point: &str, rows: &[FrameRow], more: usize) {
        let _ = writeln!(text, "  {point}: frames differ");
        for row in rows {
            for (name, frame) in self.0.iter().zip(&row.frames) {
                let _ = match frame {
                    Some(frame) => writeln!(text, "    {name} {frame}"),
                    None => writeln!(text, "    {name} has no such frame"),
                };
            }
            for (field, [one, other]) in &row.fields {
                let _ = writeln!(text, "      {field}: {one}, {other}");
            }
        }
        if more > 0 {
            let _ = writeln!(text, "    and {more} more");
        }
    }
}
