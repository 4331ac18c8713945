//! Every event comes back from its line as it was written, and the schema describes it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use labsim_event::{
    CauseRecord, CauseStanding, Event, EventRecord, ExpectationResult, Finding, Fix, Outcome,
    Proof, SCHEMA, Standing, Totals, TrialResult,
};
use labsim_model::ProbeSources;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every event once with all of its fields, and once without those that may be absent.
fn all() -> Vec<Event> {
    let counters = || BTreeMap::from([("IpInAddrErrors".to_owned(), 5)]);
    let devices = || BTreeMap::from([("tunl0".to_owned(), counters())]);
    let ended = |outcome, reason: Option<&str>, code: Option<&str>| Event::ScenarioEnded {
        outcome,
        reason: reason.map(str::to_owned),
        code: code.map(str::to_owned),
        held: 3,
        expectations: 4,
        took_ms: 48.25,
    };
    let run_started = |scenarios| Event::RunStarted {
        version: "0.1.0".into(),
        scenarios,
        jobs: 1,
        rights: "root".into(),
    };
    let try_failed = |reason: Option<&str>, code: Option<&str>| Event::TryFailed {
        number: 1,
        outcome: Outcome::Failed,
        reason: reason.map(str::to_owned),
        code: code.map(str::to_owned),
        took_ms: 48.25,
    };
    let run_ended = |ended_early: Option<&str>| Event::RunEnded {
        totals: Totals {
            passed: 1,
            flaky: 7,
            failed: 2,
            errors: 6,
            skipped: 3,
            interrupted: 4,
            not_run: 5,
        },
        ended_early: ended_early.map(str::to_owned),
        took_ms: 99.5,
    };
    let built = |impairments| Event::LabBuilt {
        nodes: 6,
        links: 8,
        tunnel: "kernel".into(),
        impairments,
        took_ms: 20.5,
        lab: None,
        plan: Default::default(),
    };
    let stepped = |local| Event::StepEnded {
        step: "login".into(),
        result: "pass".into(),
        detail: "welcome".into(),
        attempts: 1,
        local,
        took_ms: 1.5,
    };
    vec![
        run_started(Some(2)),
        run_started(None),
        Event::ScenarioStarted { file: "scenarios/x.yaml".into() },
        Event::ScenarioLoaded { configuration: "topology: x.yaml\n".into() },
        Event::Warned { warning: "x.yaml:3:1: never".into() },
        Event::FileRejected { errors: vec!["x.yaml:3:1: unknown key `vips` [unknown-key]".into()] },
        try_failed(None, Some("vip-missing")),
        try_failed(Some("it took too long [scenario-timed-out]"), None),
        built(Some("netem".into())),
        built(None),
        Event::Ready {
            capture_points: 9,
            data_planes: [("lb".to_owned(), "packet ring".to_owned())].into(),
            took_ms: 3.0,
        },
        Event::StepStarted { step: "login".into(), what: "logs in".into() },
        Event::StepWaits { step: "ready".into(), found: "flows of lb is 1".into() },
        stepped(Some("192.168.11.201:40001".parse().unwrap())),
        stepped(Some("[2001:db8::1]:40001".parse().unwrap())),
        stepped(None),
        Event::ServerLogged {
            node: "rs1".into(),
            client: "192.168.11.201:40001".parse().unwrap(),
            line: "login of alice: pass".into(),
        },
        Event::IsolationRefused {
            node: "rs1".into(),
            program: "radius".into(),
            isolation: "PID namespace".into(),
            reason: "Operation not permitted".into(),
        },
        Event::ProcessLogged {
            file: "radius@rs1.log".into(),
            node: "rs1".into(),
            bytes: 5,
            lost: 1,
            text: Arc::from(*b"hello"),
        },
        Event::MonitorsStopped {
            node: "lb".into(),
            sources: ProbeSources {
                addresses: ["172.16.5.10".parse().unwrap(), "2001:db8::5".parse().unwrap()].into(),
                tcp: [40_000, 40_001].into(),
                udp: [50_000].into(),
                icmp: [7].into(),
            },
        },
        Event::ForwarderCounted { node: "lb".into(), counters: counters() },
        Event::LinkCounted { interface: "rs1:eth0".into(), counters: counters() },
        Event::FilterCounted {
            node: "rs1".into(),
            filter: "host_firewall".into(),
            counters: [("input: policy drop".to_owned(), 3)].into(),
        },
        Event::KernelCounted { node: "rs1".into(), counters: counters(), devices: devices() },
        Event::KernelCounted { node: "rs1".into(), counters: counters(), devices: BTreeMap::new() },
        Event::Observed { frames: 120, dropped: 0, observations: Arc::default() },
        Event::Judged(ExpectationResult {
            name: "ttl".into(),
            passed: false,
            sentence: "the TTL differs".into(),
            code: None,
            place: "x.yaml:9".into(),
            expected: vec!["ttl 126".into()],
            seen: vec!["ttl 127".into()],
            frames: vec!["+0.100 ms lb:eth0 in  IP".into()],
            ..ExpectationResult::default()
        }),
        Event::Judged(ExpectationResult {
            sentence: "frames were lost".into(),
            code: Some("capture-dropped".into()),
            ..ExpectationResult::default()
        }),
        Event::Diagnosed {
            step: "login".into(),
            findings: vec![
                Finding {
                    code: Some("vip-missing".into()),
                    sentence: "rs1 dropped it".into(),
                    ..Finding::default()
                },
                Finding {
                    code: None,
                    sentence: "no answer was captured anywhere".into(),
                    ..Finding::default()
                },
            ],
            causes: vec![CauseRecord {
                code: "vip-missing".into(),
                node: Some("rs1".into()),
                step: "login".into(),
                count: 5,
                frames: vec![7],
                counters: BTreeMap::from([("IpInAddrErrors".to_owned(), 5)]),
                fix: Fix { what: "add it".into(), ..Fix::default() },
                ..CauseRecord::default()
            }],
        },
        Event::TrialEnded(TrialResult {
            change: vec!["real_servers: {servers: {vip: 172.16.4.99}}".into()],
            passed: true,
            held: 8,
            expectations: 8,
            took_ms: 80.0,
            ..TrialResult::default()
        }),
        Event::TrialEnded(TrialResult {
            change: vec!["impairments: {rs1:eth0: null}".into()],
            held: 1,
            expectations: 8,
            failed: vec!["login".into()],
            causes: vec!["vip-missing".into()],
            took_ms: 1500.0,
            ..TrialResult::default()
        }),
        Event::TrialEnded(TrialResult {
            impossible: Some("the change:1:1: unknown key".into()),
            ..TrialResult::default()
        }),
        Event::Proved(Proof {
            complete: true,
            sentence: "all expectations hold with one change".into(),
            labs: 2,
            causes: vec![CauseStanding {
                standing: Standing::Proved,
                reason: "without its fix 7 expectations or steps fail".into(),
                sentence: "rs1 dropped it".into(),
                cause: CauseRecord { code: "vip-missing".into(), ..CauseRecord::default() },
            }],
            overlay: vec!["extends: x.yaml".into()],
            linux: vec!["rs1: ip address add 172.16.4.99/32 dev lo scope host".into()],
            tmsh: vec!["modify ltm pool p profiles { ipip }".into()],
            acos: vec!["slb virtual-server v 172.16.4.99".into()],
        }),
        Event::Proved(Proof::default()),
        ended(Outcome::Passed, None, None),
        ended(Outcome::Failed, None, Some("vip-missing")),
        ended(Outcome::Skipped, Some("no TUN device [tun-missing]"), Some("tun-missing")),
        ended(Outcome::Broken, Some("x [build-failed]"), Some("build-failed")),
        ended(Outcome::Interrupted, Some("interrupted"), Some("interrupted")),
        ended(Outcome::Flaky, None, None),
        run_ended(None),
        run_ended(Some("--max-fail 1")),
    ]
}

/// The name of an event in its line. The compiler asks for a new event here, and the first test
/// then asks for it in `all`.
fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run_started",
        Event::ScenarioStarted { .. } => "scenario_started",
        Event::ScenarioLoaded { .. } => "scenario_loaded",
        Event::Warned { .. } => "warned",
        Event::FileRejected { .. } => "file_rejected",
        Event::TryFailed { .. } => "try_failed",
        Event::LabBuilt { .. } => "lab_built",
        Event::Ready { .. } => "ready",
        Event::StepStarted { .. } => "step_started",
        Event::StepWaits { .. } => "step_waits",
        Event::StepEnded { .. } => "step_ended",
        Event::ServerLogged { .. } => "server_logged",
        Event::IsolationRefused { .. } => "isolation_refused",
        Event::ProcessLogged { .. } => "process_logged",
        Event::MonitorsStopped { .. } => "monitors_stopped",
        Event::ForwarderCounted { .. } => "forwarder_counted",
        Event::LinkCounted { .. } => "link_counted",
        Event::FilterCounted { .. } => "filter_counted",
        Event::KernelCounted { .. } => "kernel_counted",
        Event::Observed { .. } => "observed",
        Event::Judged { .. } => "judged",
        Event::Diagnosed { .. } => "diagnosed",
        Event::TrialEnded(_) => "trial_ended",
        Event::Proved(_) => "proved",
        Event::ScenarioEnded { .. } => "scenario_ended",
        Event::RunEnded { .. } => "run_ended",
        Event::Unknown => "unknown",
    }
}

fn line(event: Event) -> Map<String, Value> {
    let record = EventRecord::now(12.5, Some("x".into()), event);
    let Value::Object(line) = serde_json::to_value(&record).unwrap() else { panic!("an object") };
    line
}

/// The schema's alternatives, by the event's name.
fn alternatives() -> BTreeMap<String, Value> {
    let schema: Value = serde_json::from_str(&labsim_event::schema()).unwrap();
    let alternatives = schema["oneOf"].as_array().unwrap().clone();
    let named = alternatives.into_iter().map(|it| {
        let name = it["properties"]["event"]["const"].as_str().unwrap().to_owned();
        (name, it)
    });
    named.collect()
}

/// The fields of an object in the schema, and those that it must have, of references too.
fn fields(schema: &Value, root: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut required: BTreeSet<String> = BTreeSet::new();
    known.extend(schema["properties"].as_object().into_iter().flat_map(|it| it.keys().cloned()));
    let listed = schema["required"].as_array().into_iter().flatten();
    required.extend(listed.map(|it| it.as_str().unwrap().to_owned()));
    let referred = schema["$ref"].as_str().into_iter();
    let referred = referred.map(|path| root.pointer(path.trim_start_matches('#')).unwrap());
    for part in referred.chain(schema["allOf"].as_array().into_iter().flatten()) {
        let (more, needed) = fields(part, root);
        known.extend(more);
        required.extend(needed);
    }
    (known, required)
}

#[test]
fn every_event_comes_back_from_its_line() {
    let mut seen = BTreeSet::new();
    for event in all() {
        let (name, line) = (name(&event), line(event));
        seen.insert(name);
        assert_eq!((&line["event"], &line["schema"]), (&json!(name), &json!(SCHEMA)));
        let read: EventRecord = serde_json::from_value(Value::Object(line.clone())).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), Value::Object(line.clone()), "{name}");
        let text = serde_json::to_string(&line).unwrap();
        let read: EventRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), Value::Object(line), "{name}");
    }
    let described: BTreeSet<String> = alternatives().into_keys().collect();
    assert_eq!(seen.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), described);
}

#[test]
fn the_schema_has_every_field_and_requires_only_what_is_always_there() {
    let root: Value = serde_json::from_str(&labsim_event::schema()).unwrap();
    let alternatives = alternatives();
    let (common, common_required) = fields(&root, &root);
    for event in all() {
        let (name, line) = (name(&event), line(event));
        let (own, own_required) = fields(&alternatives[name], &root);
        for key in line.keys() {
            assert!(common.contains(key) || own.contains(key), "{name}.{key} is not in the schema");
        }
        for key in common_required.iter().chain(&own_required) {
            assert!(line.contains_key(key), "{name}.{key} is required and absent");
        }
    }
}

#[test]
fn the_schema_in_the_repository_is_this_ones() {
    assert_eq!(
        labsim_event::schema(),
        include_str!("../schema/events.json"),
        "out of step; `labsim schema events` prints it"
    );
}

#[test]
fn an_event_of_a_later_version_is_read_as_unknown() {
    let line = json!({"schema": 1, "time_us": 1, "at_ms": 1.0, "event": "later", "field": [1]});
    let read: EventRecord = serde_json::from_value(line).unwrap();
    assert!(matches!(read.event, Event::Unknown));
}

#[test]
fn time_is_the_wall_clocks() {
    let record = EventRecord::now(1.0, None, Event::Warned { warning: String::new() });
    // 2026-01-01, and a hundred years later.
    assert!((1_767_225_600_000_000..4_923_000_000_000_000).contains(&record.time_us));
}
