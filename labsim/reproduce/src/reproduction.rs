//! What the labs of an explanation's connections showed.

use crate::difference::Difference;
use crate::experiment::{Experiment, Lab, NotBuilt};
use labsim_codes::Code;
use labsim_explain::{ConnectionReport, Explanation};
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;

/// Differences of a lab that are printed at most.
const MAX_PRINTED: usize = 4;

/// What became of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// Its captures are those of the connection.
    Same,
    /// They are not.
    Differs {
        /// In what.
        differences: Vec<Difference>,
    },
    /// It was not run, or what it captured cannot be compared.
    NotCompared {
        /// Why.
        why: String,
    },
}

/// A lab and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabResult {
    /// The lab.
    #[serde(flatten)]
    pub lab: Lab,
    /// Its result.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A connection and its labs.
#[derive(Debug, Clone, Serialize)]
pub struct Connection {
    /// The client.
    pub client: SocketAddr,
    /// Whom it asked.
    pub server: SocketAddr,
    /// Further connections with the same packets.
    pub alike: usize,
    /// The folder of its files; none if no lab can be made of it.
    pub folder: Option<String>,
    /// Why none can be.
    pub impossible: Option<String>,
    /// What the packets do not show, and what was assumed.
    pub assumptions: Vec<String>,
    /// What else is not compared.
    pub left_out: Vec<String>,
    /// The causes that the captures leave possible.
    pub causes: Vec<Code>,
    /// Whether every fault was tried, as the captures name no cause.
    pub tries_all: bool,
    /// The causes whose labs have the same packets.
    pub reproduced: Vec<Code>,
    /// The labs.
    pub labs: Vec<LabResult>,
    /// Causes without a lab.
    pub not_built: Vec<NotBuilt>,
}

/// What the labs of all connections showed.
#[derive(Debug, Clone, Serialize)]
pub struct Reproduction {
    /// What is never compared.
    pub left_out: Vec<&'static str>,
    /// The connections.
    pub connections: Vec<Connection>,
    /// Connections that no labs were built for, as there are too many.
    pub further: usize,
}

/// An explanation, and what labs showed of it if any were built.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The explanation, whose keys are this document's.
    #[serde(flatten)]
    pub explanation: &'a Explanation,
    /// What the labs showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reproduction: Option<&'a Reproduction>,
}

impl Connection {
    /// A connection with its labs' results.
    #[must_use]
    pub fn new(
        report: &ConnectionReport,
        experiment: &Experiment,
        folder: String,
        labs: Vec<LabResult>,
    ) -> Self {
        let mut reproduced = Vec::new();
        for result in labs.iter().filter(|it| it.outcome == Outcome::Same) {
            if let Some(cause) = result.lab.cause.filter(|cause| !reproduced.contains(cause)) {
                reproduced.push(cause);
            }
        }
        Self {
            client: report.client,
            server: report.server,
            alike: experiment.alike,
            folder: Some(folder),
            impossible: None,
            assumptions: experiment.assumptions.clone(),
            left_out: experiment.left_out.clone(),
            causes: experiment.causes.clone(),
            tries_all: experiment.tries_all,
            reproduced,
            labs,
            not_built: experiment.not_built.clone(),
        }
    }

    /// A connection that no lab can be made of.
    #[must_use]
    pub fn impossible(report: &ConnectionReport, why: String) -> Self {
        Self {
            client: report.client,
            server: report.server,
            alike: 0,
            folder: None,
            impossible: Some(why),
            assumptions: Vec::new(),
            left_out: Vec::new(),
            causes: Vec::new(),
            tries_all: false,
            reproduced: Vec::new(),
            labs: Vec::new(),
            not_built: Vec::new(),
        }
    }

    /// What follows from the labs, in a sentence.
    fn conclusion(&self) -> String {
        let is_compared = |it: &&LabResult| !matches!(it.outcome, Outcome::NotCompared { .. });
        if !self.labs.iter().any(|it| is_compared(&it)) {
            return "nothing was compared".to_owned();
        }
        let is_healthy =
            self.labs.iter().any(|it| it.lab.cause.is_none() && it.outcome == Outcome::Same);
        if is_healthy {
            return "the same packets as in a network without a fault".to_owned();
        }
        let names =
            |codes: &[Code]| codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(", ");
        let mut built: Vec<Code> = Vec::new();
        for code in self.labs.iter().filter_map(|it| it.lab.cause) {
            if !built.contains(&code) {
                built.push(code);
            }
        }
        let has_run = |code: &Code| {
            self.labs.iter().filter(|it| it.lab.cause == Some(*code)).all(|it| is_compared(&it))
        };
        let (compared, failed): (Vec<Code>, Vec<Code>) = built.into_iter().partition(has_run);
        let is_other = |code: &Code| !self.reproduced.contains(code);
        let differ: Vec<Code> = compared.into_iter().filter(is_other).collect();
        let mut open: Vec<Code> = failed.into_iter().filter(is_other).collect();
        open.extend(self.not_built.iter().map(|it| it.cause));
        let mut text = match (self.reproduced.as_slice(), self.tries_all) {
            ([], true) => format!(
                "the captures name no cause, and none of {} that were built has the same packets",
                differ.len()
            ),
            ([], false) if differ.is_empty() => {
                "other packets than in the lab without a fault, and no fault was built".to_owned()
            }
            ([], false) => "no lab has the same packets".to_owned(),
            (reproduced, true) => format!(
                "the captures name no cause; of {} that were built the same packets have: {}",
                differ.len() + reproduced.len(),
                names(reproduced)
            ),
            (reproduced, false) => format!("the same packets as with {}", names(reproduced)),
        };
        if !differ.is_empty() && !self.tries_all {
            text.push_str(&format!("; other packets, as they were built: {}", names(&differ)));
        }
        if !open.is_empty() {
            text.push_str(&format!("; not built, and so still possible: {}", names(&open)));
        }
        text
    }
}

impl fmt::Display for Reproduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "REPRODUCTION")?;
        for connection in &self.connections {
            let Connection { client, server, alike, .. } = connection;
            write!(f, "  {client} -> {server}")?;
            if *alike > 0 {
                write!(f, ", and {alike} with the same packets")?;
            }
            if let Some(why) = &connection.impossible {
                writeln!(f, ": no lab can be built: {why}")?;
                continue;
            }
            writeln!(f, ": {}", connection.conclusion())?;
            if let Some(folder) = &connection.folder {
                writeln!(f, "    written to {folder}")?;
            }
            for text in &connection.assumptions {
                writeln!(f, "    assumed: {text}")?;
            }
            for LabResult { lab, outcome } in &connection.labs {
                // Of many, those that are the same say something.
                if connection.tries_all && lab.cause.is_some() && *outcome != Outcome::Same {
                    continue;
                }
                match outcome {
                    Outcome::Same => writeln!(f, "    same     {}: {}", lab.name, lab.what)?,
                    Outcome::NotCompared { why } => {
                        writeln!(f, "    not run  {}: {why}", lab.name)?;
                    }
                    Outcome::Differs { differences } => {
                        writeln!(f, "    differs  {}: {}", lab.name, lab.what)?;
                        for it in differences.iter().take(MAX_PRINTED) {
                            writeln!(f, "      {}: {}", it.place.name(), it.text)?;
                        }
                        let more = differences.len().saturating_sub(MAX_PRINTED);
                        if more > 0 {
                            writeln!(f, "      {more} more: --json has all")?;
                        }
                    }
                }
            }
            for it in &connection.not_built {
                writeln!(f, "    not built {}: {}", it.cause, it.why)?;
            }
            for text in &connection.left_out {
                writeln!(f, "    not compared: {text}")?;
            }
        }
        if self.further > 0 {
            writeln!(f, "  {} further connections: filter the captures", self.further)?;
        }
        writeln!(f, "  never compared:")?;
        for text in &self.left_out {
            writeln!(f, "    {text}")?;
        }
        Ok(())
    }
}
