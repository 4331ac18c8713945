//! `labsim class`: the files of many students.

use super::journal::read;
use crate::args::exercise::Class;
use crate::exit::Exit;
use crate::output;
use labsim_exercise::{Record, Row, by_exercise, csv, heads, lines, rows, table};
use labsim_page::{Table, tables_page};
use std::io;
use std::path::Path;

/// Students of a class at most.
const STUDENTS: usize = 10_000;

/// Prints the progress of a class.
pub(crate) fn class(args: &Class) -> Exit {
    let students = match students(&args.dir) {
        Ok(students) => students,
        Err(error) => {
            output::error(format_args!("{}: {error}", args.dir.display()));
            return Exit::Invalid;
        }
    };
    if students.is_empty() {
        let dir = args.dir.display();
        output::error(format_args!("{dir}: no progress here; it is in files STUDENT.jsonl"));
        return Exit::Invalid;
    }
    let rows = rows(&students);
    if let Some(path) = &args.html
        && let Err(reason) = labsim_report::write_file(path, &page(students.len(), &rows))
    {
        let path = path.display();
        output::error(format_args!("{path}: the page cannot be written: {reason}"));
        return Exit::Invalid;
    }
    output::text(if args.csv { csv(&rows) } else { table(&rows) });
    Exit::Success
}

/// The class as a page.
fn page(students: usize, rows: &[Row]) -> String {
    let heads = heads();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let lines: Vec<Vec<String>> = lines(rows).into_iter().map(Vec::from).collect();
    let summaries = by_exercise(rows).into_iter().map(|it| {
        let counts = [it.begun, it.repaired, it.cause_named, it.hints].map(|it| it.to_string());
        std::iter::once(it.exercise).chain(counts).collect()
    });
    let summaries: Vec<Vec<String>> = summaries.collect();
    let title = format!("Progress of {}", labsim_model::count_of(students, "student"));
    let about = "Tries and hints are those up to the first check that passed, seconds those from the first \
                 start to that check. Repaired does not count who was shown the solution before.";
    let by_exercise = Table {
        caption: "Exercises",
        heads: &["exercise", "begun", "repaired", "cause named", "hints"],
        rows: &summaries,
    };
    let by_student = Table { caption: "Students", heads: &heads, rows: &lines };
    tables_page(&title, about, &[by_exercise, by_student])
}

/// Each student of a folder, with what was done.
fn students(dir: &Path) -> io::Result<Vec<(String, Vec<Record>)>> {
    let mut students = Vec::new();
    for entry in dir.read_dir()?.take(STUDENTS) {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match read(&path) {
            Ok(text) => students.push((name, Record::read(&text))),
            Err(error) => output::error(format_args!("{}: skipped: {error}", path.display())),
        }
    }
    Ok(students)
}
