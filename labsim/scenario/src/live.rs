//! A scenario whose lab is up: steps that it does not have, and changes of what runs in its nodes.

mod kinds;

pub use kinds::{CONFIGURATION, StepForm, step_forms};

use crate::Input;
use crate::load::{self, Loaded, lone_step};
use crate::model::{NodeName, Scenario, Step};
use kinds::Kind;
use labsim_codes::file;
use labsim_model::IpProtocol;
use labsim_yaml::{Diagnostic, Diagnostics, Difference, Document, Part, Source};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

/// What messages call a change.
const NAME: &str = "labsim set";
/// Most changes of the configuration at a time.
const CHANGES: usize = 256;

/// A scenario whose lab is up, with the changes of its configuration.
#[derive(Debug, Clone)]
pub struct LiveScenario {
    /// As the lab was built.
    base: Loaded,
    path: PathBuf,
    changes: Vec<Change>,
    now: Loaded,
    scenario: Rc<Scenario>,
}

/// A change of the configuration.
#[derive(Debug, Clone)]
struct Change {
    /// One of [`CONFIGURATION`].
    key: &'static str,
    /// The entries below it; none if it is no map.
    names: Vec<String>,
    text: String,
}

/// What is to be done in a lab.
#[derive(Debug)]
pub enum LiveChange {
    /// A step.
    Step(Box<Step>),
    /// Another configuration of what runs.
    Configuration(Box<LiveScenario>),
}

impl LiveScenario {
    /// Reads the scenario that the lab is built of.
    ///
    /// # Errors
    /// As of [`load`](crate::load()).
    pub fn open<'a>(input: impl Into<Input<'a>>) -> Result<Self, Diagnostics> {
        let input = input.into();
        let base = load::load(input)?;
        Ok(Self::of(base, input.path(), Vec::new()))
    }

    fn of(base: Loaded, path: PathBuf, changes: Vec<Change>) -> Self {
        let scenario = Rc::new(base.scenario.clone());
        Self { now: base.clone(), base, path, changes, scenario }
    }

    /// The scenario with all changes.
    #[must_use]
    pub fn scenario(&self) -> &Rc<Scenario> {
        &self.scenario
    }

    /// Reads a change: a step that changes the lab, `link` with `node: rs1, interface: eth0, state: down`,
    /// or one of [`CONFIGURATION`] with what a file that extends the scenario has below it. With it comes
    /// what is to be said of the change all the same.
    ///
    /// # Errors
    /// Those of the change, and of what it makes of the scenario, each with its place.
    pub fn change(
        &self,
        kind: &str,
        fields: &str,
    ) -> Result<(LiveChange, Diagnostics), Diagnostics> {
        let kind = Kind::named(kind)
            .map_err(|(code, message)| Diagnostic::of_file(NAME, code, message))?;
        let fields = checked(kind, fields)?;
        match kind {
            Kind::Step(key) => self.step(key, &fields),
            Kind::Configuration(key) => self.configuration(key, &fields),
        }
        .map(|(change, warnings)| (change, in_own_lines(warnings)))
        .map_err(in_own_lines)
    }

    fn step(&self, key: &str, fields: &str) -> Result<(LiveChange, Diagnostics), Diagnostics> {
        let taken = self.now.document.keys_of(&["steps"]);
        let names = std::iter::once("set".to_owned()).chain((2..).map(|n| format!("set-{n}")));
        let mut free = names.filter(|name| !taken.contains(&name.as_str()));
        let name = free.next().unwrap_or_default();
        let text = format!("{{steps: {{{name}: {{{key}:\n{fields}\n}}}}}}");
        let document = self.now.document.clone().with_overlay(Source::new(NAME, text));
        let (step, warnings) = lone_step(&document, &self.path, &name)?;
        let own = warnings.into_iter().filter(|warning| warning.file == NAME).collect();
        Ok((LiveChange::Step(Box::new(step)), own))
    }

    fn configuration(
        &self,
        key: &'static str,
        fields: &str,
    ) -> Result<(LiveChange, Diagnostics), Diagnostics> {
        if self.changes.len() >= CHANGES {
            let message = format!(
                "the configuration was changed {CHANGES} times, and no more is kept; `labsim reset` undoes \
                 all of that, `labsim restart` builds the lab again"
            );
            return Err(Diagnostic::of_file(NAME, file::TOO_MANY, message).into());
        }
        let text = format!("{{{key}:\n{fields}\n}}");
        let names = Document::parse(Source::new(NAME, text.as_str()));
        let names = names.keys_of(&[key]).into_iter().map(str::to_owned).collect();
        let change = Change { key, names, text };
        let changed = self.with(change)?;
        let before: Vec<&Diagnostic> = self.now.warnings.iter().collect();
        let new = changed.now.warnings.iter().filter(|warning| !before.contains(warning));
        let new = new.cloned().collect();
        Ok((LiveChange::Configuration(Box::new(changed)), new))
    }

    /// The scenario with one more change.
    fn with(&self, change: Change) -> Result<Self, Diagnostics> {
        let source = Source::new(NAME, change.text.as_str());
        let document = self.now.document.clone().with_overlay(source);
        let mut now = load::scenario(&document, &self.path)?;
        now.sources.clone_from(&self.base.sources);
        let mut changes = self.changes.clone();
        changes.push(change);
        let scenario = Rc::new(now.scenario.clone());
        Ok(Self { base: self.base.clone(), path: self.path.clone(), changes, now, scenario })
    }

    /// The scenario without the changes that concern a node, or without any. One that concerns others as
    /// well goes as a whole.
    ///
    /// # Errors
    /// Later changes rest on it; the errors that they have without.
    pub fn without(&self, node: Option<&NodeName>) -> Result<Self, Diagnostics> {
        let mut left = Self::of(self.base.clone(), self.path.clone(), Vec::new());
        let Some(node) = node else { return Ok(left) };
        for change in &self.changes {
            let concerns = |name: &String| self.concerned(change.key, Some(name)).contains(node);
            let is_of_node = match change.names.as_slice() {
                [] => self.concerned(change.key, None).contains(node),
                names => names.iter().any(concerns),
            };
            if !is_of_node {
                left = left.with(change.clone())?;
            }
        }
        Ok(left)
    }

    /// What was changed in the configuration of what runs in a node, a phrase each, without secrets.
    #[must_use]
    pub fn changed(&self, node: &NodeName) -> Vec<String> {
        let mut found = Vec::new();
        for key in CONFIGURATION {
            let differences =
                self.base.document.differences(&self.now.document, &[key], &load::SECRETS);
            let of_node = differences.iter().filter(|difference| {
                let name = difference.keys.get(1);
                self.concerned(key, name).contains(node)
            });
            found.extend(of_node.map(show));
        }
        found
    }

    /// Whether there are changes; they may be such as have no effect.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The nodes in which something runs that an entry below a key configures, now or when the lab was
    /// built.
    fn concerned(&self, key: &str, name: Option<&String>) -> BTreeSet<NodeName> {
        let scenarios = [&self.base.scenario, &*self.scenario];
        scenarios.into_iter().flat_map(|scenario| concerned(scenario, key, name)).collect()
    }
}

fn concerned(scenario: &Scenario, key: &str, name: Option<&String>) -> Vec<NodeName> {
    let is_of_name = |group: &Option<String>| name.is_none() || group.as_ref() == name;
    let services = |protocol: IpProtocol| {
        let has = move |all: &[crate::model::Service]| {
            all.iter().any(|it| it.protocol() == protocol && is_of_name(&it.group))
        };
        let nodes = scenario.services.iter().filter(move |(_, all)| has(all));
        nodes.map(|(node, _)| node.clone()).collect()
    };
    match key {
        "load_balancers" => {
            let nodes = scenario.load_balancers.keys();
            let nodes = nodes.filter(|node| name.is_none_or(|name| node.as_str() == name));
            nodes.cloned().collect()
        }
        "tacacs_servers" => {
            let nodes = scenario.tacacs_servers.iter().filter(|(_, it)| is_of_name(&it.group));
            nodes.map(|(node, _)| node.clone()).collect()
        }
        "radius_servers" => {
            let nodes = scenario.radius_servers.iter().filter(|(_, it)| is_of_name(&it.group));
            nodes.map(|(node, _)| node.clone()).collect()
        }
        "tcp_servers" => services(IpProtocol::Tcp),
        "udp_servers" => services(IpProtocol::Udp),
        _ => Vec::new(),
    }
}

/// `tacacs_servers.aaa.port is 49, was 4949`
fn show(difference: &Difference) -> String {
    let Difference { keys, was, is } = difference;
    let keys = keys.join(".");
    match (was, is) {
        // Both are secrets.
        (Some(was), Some(is)) if was == is => format!("{keys} is another one"),
        (Some(was), Some(is)) => format!("{keys} is {is}, was {was}"),
        (Some(was), None) => format!("gone: {keys}, was {was}"),
        (None, is) => format!("new: {keys}: {}", is.as_deref().unwrap_or("null")),
    }
}

/// The fields of a change in braces, or in brackets if it is a list, and nothing after them.
fn checked(kind: Kind, fields: &str) -> Result<String, Diagnostics> {
    let fields = fields.trim();
    let text = match fields.starts_with(['{', '[']) {
        true => fields.to_owned(),
        false => format!("{{{fields}}}"),
    };
    let document = Document::parse(Source::new(NAME, text.as_str()));
    let is_list = text.starts_with('[');
    let is_empty = if is_list {
        document.read::<Vec<Part>>()?.is_empty()
    } else {
        document.read::<Part>()?.keys.is_empty()
    };
    let lacks = match kind {
        // A step has names for its fields.
        Kind::Step(_) if !is_empty && !is_list => return Ok(text),
        Kind::Configuration(_) if !is_empty => return Ok(text),
        Kind::Step(key) => kinds::keys_of_step(key),
        Kind::Configuration(key) => format!("write what is to be other below `{key}`"),
    };
    let message = format!("nothing is said of what to change; {lacks}");
    Err(Diagnostic::of_file(NAME, file::MISSING_VALUE, message).into())
}

/// Errors at the place that they have in what was typed: a line is before it.
fn in_own_lines(found: Diagnostics) -> Diagnostics {
    let own = |mut one: Diagnostic| {
        if one.file == NAME && one.line > 1 {
            one.line -= 1;
        }
        one
    };
    found.into_iter().map(own).collect()
}

#[cfg(test)]
mod tests;
