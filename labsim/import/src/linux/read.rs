//! Tells lines apart by what they look like, as people paste the output of several commands into one
//! file, or name files as they like.

use super::counters::Counters;
use super::filters::Filters;
use super::host::Host;
use super::persistent::Persistent;
use super::{json, links, routes, sockets, sysctls, typed};
use crate::paste::Pasted;
use crate::place::Place;
use crate::report::Report;

/// A comment of a configuration file.
const COMMENT: &str = "comment";
/// What a command says of what it cannot show.
const MESSAGE: &str = "message of a command";
const UNKNOWN: &str = "labsim does not know what this is; it reads `ip addr`, `ip -d link`, `ip route`, \
                       `ip rule`, `sysctl -a`, `ss -ltnu`, `nft list ruleset`, `iptables-save`, \
                       /proc/net/snmp and netstat";

/// Reads all files.
pub(super) fn host(pasted: &Pasted, report: &mut Report<'_>) -> Host {
    let (mut host, mut files) = (Host::default(), Persistent::default());
    for (number, source) in pasted.sources.iter().enumerate() {
        read(number, source.text(), (&mut host, &mut files), report);
    }
    files.settle(&mut host, report);
    host
}

/// Reads one file.
fn read(
    file: usize,
    text: &str,
    (host, files): (&mut Host, &mut Persistent),
    report: &mut Report<'_>,
) {
    let mut reader = Reader {
        files,
        link: None,
        filters: Filters::default(),
        counters: Counters::default(),
        unknown: None,
    };
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..length).unwrap_or(rest).trim_end();
        let place = Place::new(file, at, at + line.len());
        if let Some(length) = json::read(rest, place, host, report) {
            reader.flush(report);
            at += length;
            continue;
        }
        if !line.trim().is_empty() && !reader.line(line, place, host, report) {
            reader.unknown = Some(match reader.unknown.take() {
                None => (place, 1),
                Some((first, count)) => (first.to(place), count + 1),
            });
        } else {
            reader.flush(report);
        }
        at += length;
    }
    reader.flush(report);
    reader.files.end();
}

struct Reader<'f> {
    files: &'f mut Persistent,
    /// The device whose lines follow.
    link: Option<String>,
    filters: Filters,
    counters: Counters,
    /// Lines after each other that are none of those that are known, and how many.
    unknown: Option<(Place, usize)>,
}

impl Reader<'_> {
    /// Lists the lines that were not recognized.
    fn flush(&mut self, report: &mut Report<'_>) {
        if let Some((place, count)) = self.unknown.take() {
            let what = if count == 1 { "line".to_owned() } else { format!("{count} lines") };
            report.not_imported(place, what, UNKNOWN);
        }
    }

    /// Whether a line is known.
    fn line(&mut self, line: &str, place: Place, host: &mut Host, report: &mut Report<'_>) -> bool {
        if typed::is_typed(line) {
            (self.link, self.counters) = (None, Counters::default());
            self.filters.end();
            self.files.end();
            report.left_out(place, typed::COMMAND);
            return true;
        }
        if self.filters.line(line, place, report) {
            return true;
        }
        if let Some(link) = &self.link
            && line.starts_with([' ', '\t'])
        {
            links::attribute(line, place, link, host, report);
            return true;
        }
        self.link = links::header(line, place, host);
        if self.link.is_some() || links::one_line(line, place, host, report) {
            return true;
        }
        if self.files.line(line, place, report) {
            return true;
        }
        if line.starts_with(['#', ';']) {
            report.left_out(place, COMMENT);
            return true;
        }
        if ["sysctl: ", "Cannot open ", "RTNETLINK "].iter().any(|word| line.starts_with(word)) {
            report.left_out(place, MESSAGE);
            return true;
        }
        sysctls::line(line, place, host, report)
            || routes::rule(line, place, report)
            || self.counters.line(line, place, host, report)
            || sockets::line(line, place, host, report)
            || routes::route(line, place, host, report)
    }
}
