//! What a capture could not have seen: its filter cannot match it, or its frames are cut.
//!
//! A filter of ports or addresses looks at the outermost headers only (pcap-filter(7)), and so not into tunnels.

use crate::known::Known;
use crate::sentence::Sentence;
use crate::trace::Point;

/// Sentences of a verdict at most.
const MAX_SENTENCES: usize = 4;
/// Frames that are cut shorter may lack headers inside of tunnels: Ethernet with a VLAN tag, IPv6 in IPv6, TCP.
const ALL_HEADERS: u32 = 118;
/// Options of tcpdump(1) that have a value.
const WITH_VALUE: &str = "BcCEFGijmMrsTVwWyzZQ";
/// Words of filters that can match a tunnel's packets.
const OF_TUNNELS: [&str; 6] = ["proto", "ipip", "gre", "6080", "ip[", "ip6["];

/// What of the points says that not seen is not the same as not there.
pub(crate) fn limits(known: &Known<'_>) -> Vec<Sentence> {
    let points = known.trace.points.iter().enumerate();
    let empty: Vec<usize> =
        (0..known.trace.points.len()).filter(|it| known.is_empty(*it)).collect();
    let nothing = (!empty.is_empty()).then(|| {
        let text = format!(
            "No packet at all was captured at {}; whether that was at this time, a capture without packets does not say",
            known.names(&empty)
        );
        Sentence { text, evidence: Vec::new() }
    });
    let found = points.flat_map(|(place, point)| {
        let name = known.name(place);
        limits_of(point)
            .into_iter()
            .map(move |text| Sentence { text: format!("{name} {text}"), evidence: Vec::new() })
    });
    nothing.into_iter().chain(found).take(MAX_SENTENCES).collect()
}

fn limits_of(point: &Point) -> Vec<String> {
    let mut found = Vec::new();
    let filter = point.command.as_deref().and_then(filter);
    if let Some(filter) = filter {
        let words: Vec<&str> = filter
            .split(|it: char| it.is_whitespace() || "()'\"".contains(it))
            .filter(|word| !word.is_empty())
            .collect();
        let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
        let is_open = has(&["or", "||", "not", "!"]) || words.iter().any(|it| it.starts_with('!'));
        let is_of_tunnels =
            words.iter().any(|word| OF_TUNNELS.iter().any(|it| word.starts_with(it)));
        let mut why = Vec::new();
        if !is_open && !is_of_tunnels {
            if has(&["port", "portrange", "tcp", "udp"]) {
                why.push("matches nothing inside of a tunnel");
            } else if has(&["host", "net", "src", "dst"]) {
                why.push("matches what is in a tunnel by the tunnel's own addresses only");
            }
        }
        if !is_open && has(&["src", "dst"]) {
            why.push("matches one direction only");
        }
        if !why.is_empty() {
            found.push(format!(
                "was captured with the filter `{filter}`, which {}",
                why.join(", and ")
            ));
        }
    }
    if let Some(length) = point.snap_length.filter(|it| (1..ALL_HEADERS).contains(it)) {
        found.push(format!(
            "was captured with {length} bytes of each frame, so that headers inside of tunnels may be missing"
        ));
    }
    found
}

/// The filter in a command line of tcpdump's; `None` if it has none.
fn filter(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    words.find(|word| word.rsplit('/').next() == Some("tcpdump"))?;
    let mut filter = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "|" | ">" | ">>" | "&" | "&&" | ";" | "||") && filter.is_empty() {
            break;
        }
        if matches!(word, "|" | ">" | ">>" | "&" | ";") || word.starts_with("2>") {
            break;
        }
        if filter.is_empty() && word.starts_with("--") {
            if !word.contains('=') && matches!(word, "--interface" | "--snapshot-length") {
                words.next();
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|_| filter.is_empty()) {
            let with_value = letters.find(|letter| WITH_VALUE.contains(letter));
            // The value may stand behind the letter at once.
            if with_value.is_some_and(|at| at + 1 == letters.len()) {
                words.next();
            }
        } else {
            filter.push(word);
        }
    }
    let filter = filter.join(" ");
    let filter = filter.trim_matches(['\'', '"']);
    (!filter.is_empty()).then(|| filter.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Clock, Unit};

    fn limits(command: &str) -> Vec<String> {
        limits_of(&Point {
            name: "p".to_owned(),
            file: "f".to_owned(),
            unit: Unit::Line,
            capture: 0,
            clock: Clock::None,
            given: None,
            command: Some(command.to_owned()),
            snap_length: None,
        })
    }

    #[test]
    fn a_filter_is_what_follows_options_and_their_values() {
        let of = |command| filter(command);
        assert_eq!(of("sudo tcpdump -nni eth0 -s0 -vvv port 49").as_deref(), Some("port 49"));
        assert_eq!(
            of("/usr/sbin/tcpdump -i0.0:nnnp -s 0 'host 192.0.2.7'").as_deref(),
            Some("host 192.0.2.7")
        );
        assert_eq!(of("tcpdump --interface eth0 -w a.pcap tcp | tee x").as_deref(), Some("tcp"));
        assert_eq!(of("tcpdump -nn -r a.pcap"), None);
        assert_eq!(of("ls -l"), None);
    }

    #[test]
    fn filters_that_cannot_match_inside_of_tunnels_are_named_and_others_are_not() {
        let of = |filter: &str| limits(&format!("tcpdump -nni eth0 {filter}"));
        assert!(
            of("port 49")[0]
                .ends_with("filter `port 49`, which matches nothing inside of a tunnel")
        );
        assert!(of("host 192.0.2.7")[0].contains("by the tunnel's own addresses only"));
        assert!(
            of("dst port 49")[0].contains("inside of a tunnel, and matches one direction only")
        );
        for open in [
            "",
            "host 192.0.2.7 or ip proto 4",
            "not port 22",
            "'!port 22'",
            "ip proto 4",
            "udp port 6080",
        ] {
            assert!(of(open).is_empty(), "{open}");
        }
    }
}
