//! `labsim merge-captures`.

use super::packets::{Packets, Source};
use super::progress::Progress;
use super::read::Reading;
use super::{NOTHING_IN_COMMON, has_several, read_all};
use crate::exit::Exit;
use crate::{args, output};
use labsim_explain::{Axis, Clock, Trace};
use labsim_report::Output;
use std::fmt;
use std::path::Path;

/// Writes the packets of all points in the order of one time axis.
pub(crate) fn merge_captures(args: &args::MergeCaptures) -> Exit {
    let path = &args.out;
    let (out, packets) = match open(path, args.force) {
        Ok(opened) => opened,
        Err(problem) => return reject(format_args!("{}: {problem}", path.display())),
    };
    let mut reading = Reading::keeping(packets);
    reading.progress = Progress::new();
    if let Err(exit) = read_all(&args.files, &mut reading) {
        return exit;
    }
    // Of very many packets the clocks are found out by some connections of each kind.
    if let Some(mut again) = reading.selected() {
        if let Err(exit) = read_all(&args.files, &mut again) {
            return exit;
        }
        reading = again;
    }
    let (trace, packets) = reading.finish();
    // It was given to the reading above.
    let Some(mut packets) = packets else { return Exit::Failed };
    let (connections, in_common) = trace.count_connections();
    let is_apart = in_common == 0 && has_several(trace.points.iter().map(|it| it.capture));
    if connections == 0 || is_apart {
        trace.notices.iter().for_each(output::error);
        return reject(if connections == 0 {
            "no TCP connection in these captures, and other protocols do not bound clocks yet; capture again \
             without a filter of ports, which cannot match inside a tunnel"
        } else {
            NOTHING_IN_COMMON
        });
    }
    let axis = trace.axis();
    packets.arrange(&axis);
    let described = describe(&trace, &axis, packets.sources());
    if !packets.sources().iter().any(Source::is_written) {
        described.points.iter().for_each(output::error);
        return reject("there is nothing to write: send the files that `tcpdump -w` writes");
    }
    let comment = described.to_string();
    let written = out.write(true, |out| {
        packets.write(out, &trace.points, &axis, comment.trim_end(), &described.points)
    });
    if let Err(error) = written {
        return reject(format_args!("{} cannot be written: {error}", path.display()));
    }
    let count: u64 = packets.sources().iter().filter(|it| it.is_written()).map(|it| it.kept).sum();
    output::foreign_text(format_args!("{} written to {}\n", packets_of(count), path.display()));
    output::foreign_text(&described);
    if !trace.notices.is_empty() {
        output::foreign_text("noticed:\n");
        trace.notices.iter().for_each(|it| output::foreign_text(format_args!("  {it}\n")));
    }
    Exit::Success
}

/// Opens the output, and a place for packets beside it.
fn open(path: &Path, force: bool) -> Result<(Output, Packets), String> {
    if !force && path.symlink_metadata().is_ok() {
        return Err("it exists already; name another file, or replace it with --force".to_owned());
    }
    let out = Output::open(path).map_err(|error| error.to_string())?;
    if matches!(out, Output::Stream(_)) {
        return Err("it is no regular file; name one, or a new one".to_owned());
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let packets = Packets::new(folder).map_err(|error| error.to_string())?;
    Ok((out, packets))
}

fn reject(error: impl fmt::Display) -> Exit {
    output::error(error);
    Exit::Invalid
}

/// What is printed about the file, and stands in its comments.
struct Description {
    /// What the times are.
    axis: String,
    /// What was done with each point.
    points: Vec<String>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.axis)?;
        self.points.iter().try_for_each(|point| writeln!(f, "  {point}"))
    }
}

fn describe(trace: &Trace, axis: &Axis, sources: &[Source]) -> Description {
    let origin = axis.point.and_then(|place| trace.points.get(place));
    let name = origin.map_or("", |it| it.name.as_str());
    let counted = match origin.map(|it| it.clock) {
        Some(Clock::Local) => {
            "; its time zone is not known, and its times are written as if in UTC"
        }
        Some(Clock::TimeOfDay) => "; it shows no date, and its midnight is written as 1970-01-02",
        Some(Clock::FirstPacket) => {
            "; it shows no date, and its first packet is written as at 1970-01-02 00:00:00"
        }
        _ => "",
    };
    let mut text = format!("times are those of {name}'s clock{counted}");
    if let Some(contradiction) = &axis.contradiction {
        text.push_str(". No clock was corrected. ");
        text.push_str(contradiction);
    }
    let points = trace.points.iter().zip(sources).zip(&axis.corrections);
    let points = points.map(|((point, source), correction)| {
        let (point, file) = (&point.name, &point.file);
        let done = correction.shown(name);
        let left_out = left_out(source);
        if correction.subtracted_ns().is_none() {
            return format!("{point}: left out: {done}");
        }
        let separator = if left_out.is_empty() { "" } else { "; left out: " };
        if source.is_written() {
            let packets = packets_of(source.kept);
            format!("{point}: {packets} of {file}; {done}{separator}{left_out}")
        } else {
            format!("{point}: left out: {left_out}")
        }
    });
    Description { axis: text, points: points.collect() }
}

/// What is not written of a point that has a place on the axis, and why.
fn left_out(source: &Source) -> String {
    let mut reasons = Vec::new();
    let mut add = |count: u64, why: &str| {
        if count > 0 {
            reasons.push(format!("{} {why}", packets_of(count)));
        }
    };
    if !source.has_link() {
        add(source.kept, "whose link layer has no number in pcapng");
    }
    add(source.without_bytes, "whose bytes the text does not show (`tcpdump -x` does)");
    add(source.without_time, "without a time");
    add(source.too_early, "before 1970");
    reasons.join(", ")
}

fn packets_of(count: u64) -> String {
    if count == 1 { "1 packet".to_owned() } else { format!("{count} packets") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_exists_is_replaced_only_if_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.pcapng");
        assert!(open(&path, false).is_ok());
        std::fs::write(&path, "old").unwrap();
        assert!(open(&path, false).unwrap_err().contains("exists already"));
        assert!(open(&path, true).is_ok());
        assert!(open(Path::new("/dev/null"), true).unwrap_err().contains("no regular file"));
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}
