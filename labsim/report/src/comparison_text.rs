//! The comparison of two runs, as text for the terminal.

use labsim_verdict::compare::{Comparison, Difference, FrameRow, Side, StepComparison};
use std::fmt::Write as _;
use std::path::Path;

/// Describes comparisons of two runs' results, by the names of their folders.
#[derive(Debug, Clone)]
pub struct ComparisonText(pub [String; 2]);

impl ComparisonText {
    /// The folders as they were named.
    #[must_use]
    pub fn new(dirs: [&Path; 2]) -> Self {
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
    pub fn describe(&self, scenario: &str, comparison: &Comparison) -> String {
        let Comparison { differences, frames, points, set_aside, who_met_whom, .. } = comparison;
        let mut text = String::new();
        if differences.is_empty() {
            let _ = writeln!(text, "SAME {scenario}");
        } else {
            let _ = writeln!(text, "DIFFERENT {scenario}");
        }
        self.differences(&mut text, comparison);
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

    /// The comparison of two runs of different scenarios, each named by its folder.
    #[must_use]
    pub fn describe_others(&self, comparison: &Comparison) -> String {
        let [first, second] = &self.0;
        let is_same = comparison.differences.is_empty() && comparison.first_hop().is_none();
        let word = if is_same { "SAME" } else { "DIFFERENT" };
        let mut text = format!("{word} {first} and {second}\n");
        let _ = writeln!(text, "  different scenarios: steps are compared in their order");
        self.differences(&mut text, comparison);
        for step in &comparison.steps {
            self.step(&mut text, step);
        }
        for sentence in &comparison.not_comparable {
            let _ = writeln!(text, "  not compared: {}", sentence.escape_debug());
        }
        text
    }

    /// The configuration, then the first different hop, then the rest.
    fn differences(&self, text: &mut String, comparison: &Comparison) {
        let is_set_up = |one: &&Difference| matches!(one, Difference::Configuration { .. });
        for difference in comparison.differences.iter().filter(is_set_up) {
            self.difference(text, difference);
        }
        if let Some((step, _)) = comparison.first_hop() {
            self.first_hop(text, step);
        }
        for difference in comparison.differences.iter().filter(|one| !is_set_up(one)) {
            self.difference(text, difference);
        }
    }

    fn first_hop(&self, text: &mut String, step: &StepComparison) {
        let Some((place, row)) = step.first.and_then(|at| Some((at, step.rows.get(at)?))) else {
            return;
        };
        let _ = writeln!(text, "    first different hop, in step {}:", names(&step.names));
        let before = place.checked_sub(1).and_then(|before| step.rows.get(before));
        if let Some(hop) = before.and_then(|row| row.hops[0].as_ref()) {
            let _ = writeln!(text, "      the same up to {}", hop.place.escape_debug());
        }
        for (name, hop) in self.0.iter().zip(&row.hops) {
            let _ = match hop {
                Some(hop) => writeln!(text, "      {name} {}", hop.frame),
                None => writeln!(text, "      {name} has no such packet there"),
            };
        }
        for (field, [one, other]) in &row.fields {
            let _ = writeln!(text, "        {field}: {one}, {other}");
        }
    }

    /// How much of a step's packets went the same way.
    fn step(&self, text: &mut String, step: &StepComparison) {
        let result = |result: &Option<String>| {
            result.as_deref().unwrap_or("did not end").escape_debug().to_string()
        };
        let [one, other] = &step.results;
        let (one, other) = (result(one), result(other));
        let ended = if one == other { one } else { format!("{one}, {other}") };
        let same = step.same;
        let all = step.rows.len() + step.more;
        let places = match (step.rows.is_empty(), step.first) {
            (true, _) => "no packets".to_owned(),
            (false, None) => format!("the same at all {all} places"),
            (false, Some(_)) => format!("the same at {same} of {all} places"),
        };
        let _ = writeln!(text, "  step {}: {ended}; {places}", names(&step.names));
    }

    fn difference(&self, text: &mut String, difference: &Difference) {
        let [first, second] = &self.0;
        let _ = match difference {
            Difference::Configuration { nodes, only } => {
                let _ = writeln!(text, "  configuration of {}:", nodes.join(", ").escape_debug());
                for (name, lines) in self.0.iter().zip(only) {
                    for line in lines {
                        let _ = writeln!(text, "    only in {name}: {}", line.escape_debug());
                    }
                }
                Ok(())
            }
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

/// One name, or both.
fn names([first, second]: &[String; 2]) -> String {
    let (first, second) = (first.escape_debug(), second.escape_debug());
    if first.to_string() == second.to_string() {
        first.to_string()
    } else {
        format!("{first} and {second}")
    }
}
