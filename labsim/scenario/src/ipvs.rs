//! What of a scenario keeps Linux Virtual Server (IPVS) from being the engine of its load balancers.

use crate::model::{
    Check, Expectation, LoadBalancer, Member, MemberChange, MemberUpdate, NodeName, Scenario, Step,
    StepAction, StepName,
};
use labsim_model::ipvs::{COUNTERS, Severity, obstacles};
use labsim_model::{Engine, KeyPath, list_of};
use std::collections::BTreeMap;
use std::fmt;

/// Something that IPVS does not have, or does in another way.
///
/// Displayed as `lb: virtual server vs_web: ...`, ``step `await`: ...``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is of.
    pub of: ObstacleOf,
    /// What IPVS has in its place, as a sentence without its end.
    pub why: String,
}

/// What an obstacle is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObstacleOf {
    /// A key of a load balancer.
    LoadBalancer {
        /// The load balancer.
        node: NodeName,
        /// The key.
        path: KeyPath,
        /// Whether it is none where the key's default holds.
        only_if_written: bool,
    },
    /// A step.
    Step(StepName),
    /// An expectation.
    Expectation(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, why } = self;
        match of {
            ObstacleOf::LoadBalancer { node, .. } => write!(f, "{node}: {why}"),
            ObstacleOf::Step(name) => write!(f, "step `{name}`: {why}"),
            ObstacleOf::Expectation(name) => write!(f, "expectation `{name}`: {why}"),
        }
    }
}

impl Scenario {
    /// The same scenario with another engine of all load balancers.
    ///
    /// # Errors
    /// What IPVS does not have of it. What it does in another way where a key's default holds is none.
    pub fn with_engine(&self, engine: Engine) -> Result<Self, Vec<Obstacle>> {
        let mut scenario = self.clone();
        scenario.load_balancers.values_mut().for_each(|balancer| balancer.engine = engine);
        let found = find(&scenario.load_balancers, &scenario.steps, &scenario.expectations);
        let real = |one: &Obstacle| {
            !matches!(one.of, ObstacleOf::LoadBalancer { only_if_written: true, .. })
        };
        let found: Vec<Obstacle> = found.into_iter().filter(real).collect();
        if found.is_empty() { Ok(scenario) } else { Err(found) }
    }
}

/// All obstacles of the load balancers whose engine is IPVS.
pub(crate) fn find(
    balancers: &BTreeMap<NodeName, LoadBalancer>,
    steps: &[Step],
    expectations: &[Expectation],
) -> Vec<Obstacle> {
    let mut now: BTreeMap<&NodeName, LoadBalancer> = balancers
        .iter()
        .filter(|(_, balancer)| balancer.engine == Engine::Ipvs)
        .map(|(node, balancer)| (node, balancer.clone()))
        .collect();
    let mut found = Vec::new();
    for (node, balancer) in &now {
        found.extend(obstacles(balancer).into_iter().map(|one| {
            let only_if_written = one.severity == Severity::Default;
            let (node, why) = ((*node).clone(), one.to_string());
            Obstacle { of: ObstacleOf::LoadBalancer { node, path: one.path, only_if_written }, why }
        }));
    }
    for step in steps {
        if let Some(why) = of_step(&step.action, &mut now) {
            found.push(Obstacle { of: ObstacleOf::Step(step.name.clone()), why });
        }
    }
    for one in expectations {
        if let Check::Forwarder { node, counter, .. } = &one.check
            && now.contains_key(node)
            && let Some(why) = of_counter(counter)
        {
            found.push(Obstacle { of: ObstacleOf::Expectation(one.name.clone()), why });
        }
    }
    found
}

fn of_counter(counter: &str) -> Option<String> {
    let known = || list_of(COUNTERS.iter());
    (!COUNTERS.contains(&counter))
        .then(|| format!("IPVS counts no `{counter}`; it has {}", known()))
}

fn of_step(action: &StepAction, now: &mut BTreeMap<&NodeName, LoadBalancer>) -> Option<String> {
    match action {
        StepAction::KillForwarder { node } | StepAction::StartForwarder { node }
            if now.contains_key(node) =>
        {
            let why = "IPVS has no process that could be killed, and its connections last until they \
                       expire";
            Some(why.to_owned())
        }
        StepAction::Failover { from, to } if now.contains_key(from) || now.contains_key(to) => {
            Some("which IPVS director is active is VRRP's to say".to_owned())
        }
        StepAction::AwaitMember { node, .. } if now.contains_key(node) => {
            Some("IPVS monitors no server; keepalived does".to_owned())
        }
        StepAction::AwaitCounter { node, counter, .. } if now.contains_key(node) => {
            of_counter(counter)
        }
        StepAction::ChangeMember(change) => of_change(change, now.get_mut(&change.node)?),
        _ => None,
    }
}

/// What IPVS would do in another way after a change of a member that it did not before.
fn of_change(change: &MemberUpdate, balancer: &mut LoadBalancer) -> Option<String> {
    let MemberUpdate { pool, member, to, .. } = change;
    let before = obstacles(balancer);
    let members = &mut balancer.pools.get_mut(pool)?.members;
    match *to {
        MemberChange::Added { ratio, profile, state } => {
            members.push(Member { address: *member, ratio, profile, state });
        }
        MemberChange::Set { ratio, state } => {
            let one = members.iter_mut().find(|one| one.address == *member)?;
            one.ratio = ratio.unwrap_or(one.ratio);
            one.state = state.unwrap_or(one.state);
        }
        MemberChange::Removed => members.retain(|one| one.address != *member),
    }
    let after = obstacles(balancer);
    after.into_iter().find(|one| !before.contains(one)).map(|one| one.to_string())
}
