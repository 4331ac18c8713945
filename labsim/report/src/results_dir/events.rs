//! Reads from `events.jsonl` what runs are compared by.

use labsim_event::{Event, EventRecord, ExpectationResult, SCHEMA};
use labsim_picture::{Lab, RowKind};
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_verdict::compare::{SavedCause, SavedRun, SavedStep, ShownRow};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};

/// The longest line, in bytes.
const LINE: u64 = 8 << 20;
/// Counters, expectations, nodes of a scenario.
const ENTRIES: usize = 100_000;

/// Why a file of events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The kernel's error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A line that is longer than any of labsim's.
    #[error("line {line} is longer than {LINE} bytes")]
    LongLine {
        /// From 1.
        line: usize,
    },
    /// Not a JSON object.
    #[error("line {line} is not a JSON object; an events.jsonl has one on every line")]
    NotJson {
        /// From 1.
        line: usize,
    },
    /// An event without a schema number.
    #[error(
        "line {line} has no `schema` number: a labsim before {SCHEMA} of the events' format wrote it; \
         run the scenario again"
    )]
    NoSchema {
        /// From 1.
        line: usize,
    },
    /// An event of another format.
    #[error(
        "line {line} has schema {schema}, and this labsim reads {SCHEMA}; use the labsim that wrote it"
    )]
    OtherSchema {
        /// From 1.
        line: usize,
        /// The number.
        schema: u32,
    },
    /// An event that lacks a field or has one of another type.
    #[error("line {line} is not an event: {reason}")]
    NotEvent {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// More than fits.
    #[error("more than {ENTRIES} entries; compare less at a time")]
    TooMany,
    /// The scenario's last event is missing.
    #[error("the event scenario_ended is missing; let the run end, or run it again")]
    NoEnd,
}

/// What every line has, whatever its event.
#[derive(Deserialize)]
struct Header {
    schema: Option<u32>,
}

/// Reads all events.
pub(super) fn for_each(
    input: impl BufRead,
    mut consume: impl FnMut(EventRecord),
) -> Result<(), EventsError> {
    try_for_each(input, |record, _| {
        consume(record);
        Ok(())
    })
}

/// Reads all events, each with its line, until `consume` fails.
fn try_for_each(
    mut input: impl BufRead,
    mut consume: impl FnMut(EventRecord, usize) -> Result<(), EventsError>,
) -> Result<(), EventsError> {
    for number in 1.. {
        let Some(line) = next_line(&mut input, number)? else { break };
        consume(parse(&line, number)?, number)?;
    }
    Ok(())
}

/// The next line; none at the end.
fn next_line(input: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>, EventsError> {
    let mut line = Vec::new();
    if input.by_ref().take(LINE + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 > LINE {
        return Err(EventsError::LongLine { line: number });
    }
    Ok(Some(line))
}

/// The scenario that the first event about one names.
pub(super) fn scenario(mut input: impl BufRead) -> Result<Option<String>, EventsError> {
    for number in 1.. {
        let Some(line) = next_line(&mut input, number)? else { break };
        let record = parse(&line, number)?;
        if record.scenario.is_some() {
            return Ok(record.scenario);
        }
    }
    Ok(None)
}

/// What a file of events tells of a run.
#[derive(Debug, Default)]
pub(super) struct KeptEvents {
    /// The run, without its capture.
    pub(super) saved: SavedRun,
    /// The lab, as pictures show it.
    pub(super) lab: Option<Lab>,
}

/// Reads what runs are compared by, of the last try.
pub(super) fn read(input: impl BufRead) -> Result<KeptEvents, EventsError> {
    let mut kept = KeptEvents::default();
    let mut entries = 0;
    try_for_each(input, |record, line| {
        let time_ns = record.time_us.saturating_mul(1000);
        entries += match record.event {
            Event::TryFailed { .. } => {
                let file = std::mem::take(&mut kept.saved.file);
                kept = KeptEvents::default();
                kept.saved.file = file;
                0
            }
            Event::LabBuilt { lab, plan, .. } => {
                kept.lab = lab.map(|lab| *lab);
                kept.saved.shown = kept.lab.as_ref().map(shown).unwrap_or_default();
                kept.saved.plan = plan;
                let lines: usize = kept.saved.plan.values().map(Vec::len).sum();
                lines + kept.saved.shown.values().map(Vec::len).sum::<usize>()
            }
            event => {
                add_step(&mut kept.saved, &event, time_ns) + add(&mut kept.saved, event, line)?
            }
        };
        if entries > ENTRIES {
            return Err(EventsError::TooMany);
        }
        Ok(())
    })?;
    if kept.saved.outcome.is_empty() {
        return Err(EventsError::NoEnd);
    }
    Ok(kept)
}

/// What pictures show of each node.
fn shown(lab: &Lab) -> BTreeMap<String, Vec<ShownRow>> {
    let row = |row: &labsim_picture::Row| ShownRow {
        text: format!("{} {}", row.label, row.text).trim().to_owned(),
        in_plan: row.kind == RowKind::Interface,
    };
    lab.nodes.iter().map(|node| (node.name.clone(), node.rows.iter().map(row).collect())).collect()
}

/// Adds what an event tells of steps. Returns how many entries that were.
fn add_step(saved: &mut SavedRun, event: &Event, time_ns: u64) -> usize {
    match event {
        Event::ScenarioStarted { file, .. } => {
            saved.file = file.display().to_string();
            0
        }
        Event::StepStarted { step, what } => {
            saved.steps.push(SavedStep {
                name: step.clone(),
                what: what.clone(),
                result: None,
                client: None,
                from_ns: time_ns,
                to_ns: u64::MAX,
            });
            1
        }
        Event::StepEnded { step, result, local, .. } => {
            let own = |it: &&mut SavedStep| it.name == *step && it.result.is_none();
            if let Some(own) = saved.steps.iter_mut().rev().find(own) {
                (own.result, own.client, own.to_ns) = (Some(result.clone()), *local, time_ns);
            }
            0
        }
        Event::Diagnosed { findings, causes, .. } => {
            let mut findings: Vec<_> = findings.iter().collect();
            for record in causes {
                let is_its = |found: &&labsim_verdict::Finding| {
                    found.code.as_deref() == Some(record.code.as_str())
                };
                let found = findings.iter().position(is_its).map(|place| findings.remove(place));
                let sentence = found.map(|found| found.sentence.clone()).unwrap_or_default();
                saved.causes.push(SavedCause { record: record.clone(), sentence });
            }
            causes.len()
        }
        _ => 0,
    }
}

fn parse(bytes: &[u8], line: usize) -> Result<EventRecord, EventsError> {
    let header: Header =
        serde_json::from_slice(bytes).map_err(|_| EventsError::NotJson { line })?;
    match header.schema {
        Some(SCHEMA) => {}
        None => return Err(EventsError::NoSchema { line }),
        Some(schema) => return Err(EventsError::OtherSchema { line, schema }),
    }
    serde_json::from_slice(bytes)
        .map_err(|error| EventsError::NotEvent { line, reason: error.to_string() })
}

/// Adds what an event tells. Returns how many entries that were.
fn add(saved: &mut SavedRun, event: Event, line: usize) -> Result<usize, EventsError> {
    let not_event = |reason: String| EventsError::NotEvent { line, reason };
    let node = |name: &str| NodeName::new(name).map_err(|error| not_event(error.to_string()));
    match event {
        Event::Ready { data_planes, .. } => {
            for name in data_planes.keys() {
                saved.balancers.insert(node(name)?);
            }
            Ok(data_planes.len())
        }
        Event::Judged(result) => {
            // A problem of the run itself has no name. The sentence about a step holds times, which
            // differ from run to run.
            let ExpectationResult { name, passed, sentence, code, place, .. } = result;
            let name = match (name.is_empty(), code) {
                (false, _) => name,
                (true, Some(code)) if !place.is_empty() => format!("{code} at {place}"),
                (true, _) => sentence,
            };
            saved.expectations.insert(name, passed);
            Ok(1)
        }
        Event::KernelCounted { node: name, counters, devices } => {
            let node = node(&name)?;
            let mut entries = 1 + counters.len();
            saved.observations.kernel_counters.insert(node.clone(), counters);
            let own = saved.observations.device_counters.entry(node).or_default();
            for (name, counters) in devices {
                let device =
                    InterfaceName::new(&name).map_err(|error| not_event(error.to_string()))?;
                entries += 1 + counters.len();
                own.insert(device, counters);
            }
            Ok(entries)
        }
        Event::MonitorsStopped { node: name, sources } => {
            let entries = sources.len();
            saved.observations.probes.insert(node(&name)?, sources);
            Ok(entries)
        }
        Event::ScenarioEnded { outcome, .. } => {
            outcome.name().clone_into(&mut saved.outcome);
            Ok(1)
        }
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str =
        r#""event":"scenario_ended","outcome":"passed","held":1,"expectations":1,"took_ms":1.0"#;

    /// An event's line.
    fn line(fields: &str) -> String {
        format!("{{\"schema\":1,\"time_us\":7,\"at_ms\":1.0,{fields}}}\n")
    }

    fn read_text(text: &str) -> Result<KeptEvents, EventsError> {
        read(text.as_bytes())
    }

    #[test]
    fn outcome_verdicts_and_counters_are_read_and_the_rest_is_ignored() {
        let lines = [
            r#""event":"ready","capture_points":1,"took_ms":1.0,"data_planes":{"lb":"packet-ring"}"#,
            r#""event":"judged","name":"login","passed":true,"sentence":"x","place":"s.yaml:1""#,
            r#""event":"of_a_later_version","field":1"#,
            r#""event":"kernel_counted","node":"rs1","counters":{"IpInAddrErrors":3},"devices":{"tunl0":{"rx_errors":1}}"#,
            r#""event":"monitors_stopped","node":"lb","addresses":["172.16.0.10"],"tcp":[40000],"udp":[],"icmp":[7]"#,
            END,
        ];
        let saved = read_text(&lines.map(line).concat()).unwrap().saved;
        assert_eq!(saved.outcome, "passed");
        assert!(saved.expectations["login"]);
        assert_eq!(saved.balancers.len(), 1);
        let node = NodeName::new("rs1").unwrap();
        let device = InterfaceName::new("tunl0").unwrap();
        let probes = &saved.observations.probes[&NodeName::new("lb").unwrap()];
        assert_eq!((probes.tcp.first(), probes.icmp.first()), (Some(&40_000), Some(&7)));
        assert!(probes.addresses.contains(&"172.16.0.10".parse().unwrap()));
        assert_eq!(saved.observations.kernel_counters[&node]["IpInAddrErrors"], 3);
        assert_eq!(saved.observations.device_counters[&node][&device]["rx_errors"], 1);
    }

    #[test]
    fn a_file_that_is_not_of_events_is_refused_with_its_line() {
        let end = line(END);
        for (text, expected) in [
            (String::new(), "scenario_ended is missing"),
            (format!("{end}nonsense\n"), "line 2 is not a JSON object"),
            (format!("{end}[]\n"), "line 2"),
            (line(r#""event":"judged","name":"x""#), "line 1 is not an event: missing field"),
            (
                line(
                    r#""event":"ready","capture_points":1,"took_ms":1.0,"data_planes":{"../x":""}"#,
                ),
                "line 1 is not an event",
            ),
            (
                line(r#""event":"kernel_counted","node":"a","counters":{"x":-1}"#),
                "line 1 is not an event",
            ),
        ] {
            let error = read_text(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        assert!(read(endless).unwrap_err().to_string().contains("longer than"));
    }

    #[test]
    fn events_of_another_format_are_refused_with_the_remedy() {
        let old = format!("{{\"at_ms\":1.0,{END}}}\n");
        let error = read_text(&old).unwrap_err().to_string();
        assert!(error.contains("no `schema` number") && error.contains("run the scenario again"));
        let later = line(END).replace("\"schema\":1", "\"schema\":2");
        let error = read_text(&later).unwrap_err().to_string();
        assert!(error.contains("schema 2, and this labsim reads 1"), "{error}");
    }
}
