//! A class: the progress of many students, as a table, as CSV and as what a page shows.

use crate::progress::{Record, Standing, standing};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A student and an exercise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The student.
    pub student: String,
    /// The exercise.
    pub exercise: String,
    /// How far the student is.
    pub standing: Standing,
}

/// The columns, by their names in CSV.
const COLUMNS: [&str; 8] =
    ["student", "exercise", "state", "tries", "hints", "wrong_causes", "cause_named", "seconds"];

/// The rows of a class, by student and exercise.
#[must_use]
pub fn rows(students: &[(String, Vec<Record>)]) -> Vec<Row> {
    let rows = students.iter().flat_map(|(student, records)| {
        standing(records).into_iter().map(|(exercise, standing)| Row {
            student: student.clone(),
            exercise,
            standing,
        })
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by(|one, other| {
        (&one.student, &one.exercise).cmp(&(&other.student, &other.exercise))
    });
    rows
}

fn cells(row: &Row) -> [String; 8] {
    let Row { student, exercise, standing } = row;
    [
        student.clone(),
        exercise.clone(),
        standing.word().to_owned(),
        standing.tries.to_string(),
        standing.hints.to_string(),
        standing.wrong_causes.to_string(),
        if standing.cause_named { "yes" } else { "no" }.to_owned(),
        standing.seconds().map(|seconds| seconds.to_string()).unwrap_or_default(),
    ]
}

/// The names of the columns, for people.
#[must_use]
pub fn heads() -> [String; 8] {
    COLUMNS.map(|name| name.replace('_', " "))
}

/// The cells of the rows, one for each column. Control characters in names are escaped.
#[must_use]
pub fn lines(rows: &[Row]) -> Vec<[String; 8]> {
    rows.iter().map(|row| cells(row).map(|cell| visible(&cell))).collect()
}

/// An exercise, and what a class did with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The exercise; control characters are escaped.
    pub exercise: String,
    /// How many students began it.
    pub begun: usize,
    /// How many repaired it before the solution was shown to them.
    pub repaired: usize,
    /// How many named its cause.
    pub cause_named: usize,
    /// Hints that they took, all together.
    pub hints: usize,
}

/// What the class did with each exercise, in their order.
#[must_use]
pub fn by_exercise(rows: &[Row]) -> Vec<Summary> {
    let mut all: BTreeMap<&str, Summary> = BTreeMap::new();
    for Row { exercise, standing, .. } in rows {
        let one = all.entry(exercise).or_default();
        one.exercise = visible(exercise);
        one.begun += 1;
        one.repaired += usize::from(standing.solved.is_some() && !standing.solution_shown);
        one.cause_named += usize::from(standing.cause_named);
        one.hints += standing.hints;
    }
    all.into_values().collect()
}

/// A table for people, with a line of column names. Control characters in names are escaped.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 8]> = std::iter::once(heads()).chain(lines(rows)).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let cells: Vec<String> = cells.collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// The same as comma-separated values (RFC 4180, with LF), with a header. A cell that a spreadsheet would
/// take for a formula begins with an apostrophe.
#[must_use]
pub fn csv(rows: &[Row]) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    for cells in lines(rows) {
        let cells = cells.map(|cell| quoted(&cell));
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if cell.contains(['"', ',']) {
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    } else {
        format!("{guard}{cell}")
    }
}

/// With control characters escaped.
fn visible(text: &str) -> String {
    let escaped = text.chars().map(|character| {
        if character.is_control() {
            character.escape_default().to_string()
        } else {
            character.to_string()
        }
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;

    fn class() -> Vec<Row> {
        let record =
            |time, exercise: &str, action| Record { time, exercise: exercise.to_owned(), action };
        let bo = vec![
            record(100, "02-b", Action::Start { seed: String::new() }),
            record(10, "01-a", Action::Start { seed: String::new() }),
            record(70, "01-a", Action::Check { passed: true }),
        ];
        rows(&[
            ("=cmd(), \"x\"".to_owned(), vec![record(1, "01-a", Action::Hint)]),
            ("bo\u{1b}[2J".to_owned(), bo),
        ])
    }

    #[test]
    fn a_table_has_a_line_for_each_student_and_exercise() {
        let table = table(&class());
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("student      exercise  state"), "{table}");
        assert!(lines[2].starts_with("bo\\u{1b}[2J  01-a      repaired  1"), "{table}");
        assert!(lines[2].ends_with("no           60"), "{table}");
        assert!(lines[3].starts_with("bo\\u{1b}[2J  02-b      started   0"), "{table}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn an_exercise_is_counted_once_for_each_student_who_began_it() {
        let summaries = by_exercise(&class());
        let first = &summaries[0];
        assert_eq!((summaries.len(), first.exercise.as_str()), (2, "01-a"));
        assert_eq!((first.begun, first.repaired, first.cause_named, first.hints), (2, 1, 0, 1));
    }

    #[test]
    fn no_name_is_a_formula_or_another_cell_in_csv() {
        let csv = csv(&class());
        assert_eq!(
            csv.lines().nth(1),
            Some("\"'=cmd(), \"\"x\"\"\",01-a,started,0,1,0,no,"),
            "{csv}"
        );
        assert!(csv.ends_with("bo\\u{1b}[2J,02-b,started,0,0,0,no,\n"), "{csv}");
    }
}
