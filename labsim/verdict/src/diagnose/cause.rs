//! A cause, what shows it, and what cures it.

use super::Change;
use crate::frames::FrameList;
use labsim_codes::Code;
use labsim_scenario::model::{NodeName, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why packets did not arrive or an exchange went wrong, as far as something shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its stable code, one of [`labsim_codes::cause`].
    pub code: Code,
    /// The node that it is at.
    pub node: Option<NodeName>,
    /// The interface of that node that it is about.
    pub device: Option<String>,
    /// What happened, in a sentence with the numbers that show it.
    pub sentence: String,
    /// How many packets show it.
    pub count: u64,
    /// The counters that show it, each with its own number.
    pub counters: BTreeMap<String, u64>,
    /// The frames that show it; empty if a counter or a log does.
    pub frames: FrameList,
    /// What cures it.
    pub fix: Fix,
}

/// What cures a cause, in the forms that exist.
///
/// The lines of one form belong together. Another way to cure it is an alternative.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// In a sentence.
    pub what: String,
    /// As a part of a scenario file that extends this one: YAML lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenario: Vec<String>,
    /// As commands on a Linux host, with the node in front: `rs1: ip link set tunl0 up`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linux: Vec<String>,
    /// As tmsh commands of an F5 BIG-IP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tmsh: Vec<String>,
    /// As lines of an A10 Thunder's configuration (ACOS), indented below what they belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acos: Vec<String>,
    /// Other ways to cure it, where what is observed does not decide: `labsim diagnose` tries each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Self>,
    /// Why it is not known how to change the scenario, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_scenario: Option<String>,
    /// What `scenario` says, to be laid over the scenario.
    #[serde(skip)]
    pub change: Change,
}

/// A cause as an event and a report hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseRecord {
    /// The stable code (`labsim help CODE`).
    pub code: String,
    /// The node that it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The interface of that node that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The step that went wrong.
    pub step: String,
    /// How many packets show it.
    pub count: u64,
    /// The first frames that show it, by their numbers in `capture.pcapng` as Wireshark shows them,
    /// from 1; a capture with markers (`--markers`) has other numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<usize>,
    /// The counters that show it, each with its own number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// What cures it.
    pub fix: Fix,
}

impl Cause {
    /// A cause without counters and frames.
    pub(crate) fn new(code: Code, sentence: impl Into<String>, fix: Fix) -> Self {
        Self {
            code,
            node: None,
            device: None,
            sentence: sentence.into(),
            count: 0,
            counters: BTreeMap::new(),
            frames: FrameList::default(),
            fix,
        }
    }

    pub(super) fn at(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self
    }

    pub(super) fn device(mut self, device: impl Into<String>) -> Self {
        self.device = Some(device.into());
        self
    }

    pub(super) fn counted(mut self, name: impl Into<String>, value: u64) -> Self {
        self.counters.insert(name.into(), value);
        self
    }

    pub(super) fn packets(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    pub(super) fn shown_by(mut self, frames: FrameList) -> Self {
        self.frames = frames;
        self
    }

    /// Whether it is the same cause at the same node.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.code == other.code && self.node == other.node && self.device == other.device
    }

    /// For an event or a report.
    pub(super) fn record(&self, step: &StepName) -> CauseRecord {
        CauseRecord {
            code: self.code.name().to_owned(),
            node: self.node.as_ref().map(ToString::to_string),
            device: self.device.clone(),
            step: step.to_string(),
            count: self.count,
            frames: self.frames.numbers(),
            counters: self.counters.clone(),
            fix: self.fix.clone(),
        }
    }
}

impl Fix {
    /// A fix that only a sentence tells.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// With a change of the scenario, beside those that it has.
    pub(crate) fn change(mut self, change: &Change) -> Self {
        self.change.lay(change);
        self.scenario = self.change.lines();
        self
    }

    /// Without a change of the scenario, for that reason.
    pub(crate) fn not_in_scenario(mut self, reason: impl Into<String>) -> Self {
        self.not_in_scenario = Some(reason.into());
        self
    }

    /// With another way to cure it.
    pub(crate) fn or(mut self, mut other: Self) -> Self {
        let more = std::mem::take(&mut other.alternatives);
        self.alternatives.push(other);
        self.alternatives.extend(more);
        self
    }

    pub(crate) fn linux(mut self, node: &NodeName, command: impl AsRef<str>) -> Self {
        self.linux.push(format!("{node}: {}", command.as_ref()));
        self
    }

    pub(crate) fn tmsh(mut self, command: impl Into<String>) -> Self {
        self.tmsh.push(command.into());
        self
    }

    pub(crate) fn acos(mut self, lines: Vec<String>) -> Self {
        self.acos.extend(lines);
        self
    }
}
