//! Reads what `events.jsonl` tells that runs are compared by.

use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_verdict::Probes;
use labsim_verdict::compare::Kept;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read as _};

/// The longest line, in bytes.
const LINE: u64 = 8 << 20;
/// Counters, expectations, nodes of a scenario.
const ENTRIES: usize = 100_000;

/// Reads all events.
///
/// # Errors
/// A sentence, with the line that it is about.
pub(super) fn read(mut input: impl BufRead) -> Result<Kept, String> {
    let mut kept = Kept::default();
    let mut entries = 0;
    for number in 1.. {
        let mut line = Vec::new();
        let got = input.by_ref().take(LINE + 1).read_until(b'\n', &mut line);
        let got = got.map_err(|error| error.to_string())?;
        if got == 0 {
            break;
        }
        if line.len() as u64 > LINE {
            return Err(format!("line {number} is longer than {LINE} bytes"));
        }
        let at = |what: &str| format!("line {number} {what}");
        let event: Value = serde_json::from_slice(&line)
            .map_err(|_| at("is no JSON object; an events.jsonl has one on every line"))?;
        entries += take(&mut kept, &event).ok_or_else(|| at("is no event of labsim's"))?;
        if entries > ENTRIES {
            return Err(format!("more than {ENTRIES} entries; compare less at a time"));
        }
    }
    if kept.outcome.is_empty() {
        return Err("the scenario has no end in it; let the run end, or run it again".to_owned());
    }
    Ok(kept)
}

/// Takes an event; `None` if it has not what it must have. Tells how many entries it added.
fn take(kept: &mut Kept, event: &Value) -> Option<usize> {
    let text = |key: &str| event.get(key)?.as_str();
    match text("event")? {
        "ready" => {
            let nodes = event.get("data_planes")?.as_object()?;
            for node in nodes.keys() {
                kept.balancers.insert(NodeName::new(node).ok()?);
            }
            Some(nodes.len())
        }
        "judged" => {
            let name = text("name")?;
            let passed = event.get("passed")?.as_bool()?;
            // A finding about the run itself has no name, and its sentence is what it is.
            let name = if name.is_empty() { text("sentence")? } else { name };
            kept.expectations.insert(name.to_owned(), passed);
            Some(1)
        }
        "kernel_counted" => {
            let node = NodeName::new(text("node")?).ok()?;
            let counters = counters(event.get("counters")?.as_object()?)?;
            let mut entries = 1 + counters.len();
            kept.observations.kernel_counters.insert(node.clone(), counters);
            if let Some(devices) = event.get("devices") {
                let own = kept.observations.device_counters.entry(node).or_default();
                for (name, device) in devices.as_object()? {
                    let device = self::counters(device.as_object()?)?;
                    entries += 1 + device.len();
                    own.insert(InterfaceName::new(name).ok()?, device);
                }
            }
            Some(entries)
        }
        "monitors_stopped" => {
            let node = NodeName::new(text("node")?).ok()?;
            let list = |key: &str| event.get(key)?.as_array();
            let numbers = |key: &str| -> Option<BTreeSet<u16>> {
                list(key)?.iter().map(|number| number.as_u64()?.try_into().ok()).collect()
            };
            let addresses = list("addresses")?.iter().map(|text| text.as_str()?.parse().ok());
            let probes = Probes {
                addresses: addresses.collect::<Option<_>>()?,
                tcp: numbers("tcp")?,
                udp: numbers("udp")?,
                icmp: numbers("icmp")?,
            };
            let Probes { addresses, tcp, udp, icmp } = &probes;
            let entries = addresses.len() + tcp.len() + udp.len() + icmp.len();
            kept.observations.probes.insert(node, probes);
            Some(entries)
        }
        "scenario_ended" => {
            text("outcome")?.clone_into(&mut kept.outcome);
            Some(1)
        }
        _ => Some(0),
    }
}

fn counters(map: &Map<String, Value>) -> Option<BTreeMap<String, u64>> {
    map.iter().map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = r#"{"at_ms":1.0,"event":"scenario_ended","outcome":"passed"}"#;

    fn read_text(text: &str) -> Result<Kept, String> {
        read(text.as_bytes())
    }

    #[test]
    fn outcome_verdicts_and_counters_are_read_and_the_rest_is_passed_over() {
        let kept = read_text(&format!(
            "{}\n{}\n{}\n{{\"event\":\"of a later version\"}}\n{}\n{END}\n",
            r#"{"event":"ready","data_planes":{"lb":"packet-ring"}}"#,
            r#"{"event":"judged","name":"login","passed":true,"sentence":"x"}"#,
            r#"{"event":"kernel_counted","node":"rs1","counters":{"IpInAddrErrors":3},"devices":{"tunl0":{"rx_errors":1}}}"#,
            r#"{"event":"monitors_stopped","node":"lb","addresses":["172.16.0.10"],"tcp":[40000],"udp":[],"icmp":[7]}"#,
        ))
        .unwrap();
        assert_eq!(kept.outcome, "passed");
        assert!(kept.expectations["login"]);
        assert_eq!(kept.balancers.len(), 1);
        let node = NodeName::new("rs1").unwrap();
        let device = InterfaceName::new("tunl0").unwrap();
        let probes = &kept.observations.probes[&NodeName::new("lb").unwrap()];
        assert_eq!((probes.tcp.first(), probes.icmp.first()), (Some(&40_000), Some(&7)));
        assert!(probes.addresses.contains(&"172.16.0.10".parse().unwrap()));
        assert_eq!(kept.observations.kernel_counters[&node]["IpInAddrErrors"], 3);
        assert_eq!(kept.observations.device_counters[&node][&device]["rx_errors"], 1);
    }

    #[test]
    fn what_is_no_whole_events_file_is_told_with_its_line() {
        for (text, expected) in [
            (String::new(), "has no end in it"),
            (format!("{END}\nnonsense\n"), "line 2 is no JSON object"),
            (format!("{END}\n[]\n"), "line 2 is no event"),
            (r#"{"event":"judged","name":"x"}"#.to_owned(), "line 1 is no event"),
            (r#"{"event":"ready","data_planes":{"../x":""}}"#.to_owned(), "line 1 is no event"),
            (
                r#"{"event":"kernel_counted","node":"a","counters":{"x":-1}}"#.to_owned(),
                "line 1 is no event",
            ),
        ] {
            let mistake = read_text(&text).unwrap_err();
            assert!(mistake.contains(expected), "{text}: {mistake}");
        }
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        assert!(read(endless).unwrap_err().contains("longer than"));
    }
}
