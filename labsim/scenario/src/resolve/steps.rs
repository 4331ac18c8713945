//! Steps: who does what, in which order.

use super::forwarders::{Forwarders, await_counter};
use super::links::Links;
use super::lookup::{Lookup, Vips};
use super::members::Pools;
use super::running::Running;
use super::servers::SECRET;
use super::tacacs_login::{finish, resume, tacacs_login, unfinished};
use super::{Report, packet, processes, radius};
use crate::file::{StepForm, Table};
use crate::model::{LoadBalancer, NodeName, Secret, Step, StepAction, StepName};
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Most steps of a scenario.
const STEPS: usize = 1024;
/// Shortest and longest time in seconds that anything is waited for.
const SHORTEST: f64 = 0.05;
const LONGEST: f64 = 3600.0;

/// What the servers hold that steps speak to.
pub(super) struct Servers<'a> {
    pub(super) vips: &'a Vips,
    pub(super) load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    /// Nodes with built-in servers.
    pub(super) serving: BTreeSet<&'a NodeName>,
    pub(super) tacacs_secrets: &'a [Secret],
    pub(super) radius_secrets: &'a [Secret],
}

/// A step's name, and whether it asks a server, so that expectations can speak of the answer.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: StepName,
    pub(super) asks: bool,
    /// Whether it runs a program, so that they can speak of how it ended.
    pub(super) runs: bool,
}

/// Resolves all steps. A step with a mistake is left out, but its name is known.
pub(super) fn steps(
    table: &Table<Located<StepForm>>,
    servers: &Servers<'_>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (Vec<Step>, Vec<Known>) {
    let (mut steps, mut names) = (Vec::new(), Vec::new());
    let mut forwarders = Forwarders::new(servers.load_balancers);
    let mut pools = Pools::new(servers.load_balancers);
    let mut running = Running::new(&servers.serving);
    let mut links = Links::default();
    if table.is_empty() {
        report.empty(
            Span::default(),
            "`steps` is empty; a scenario does something, such as a `tacacs_login`",
        );
    }
    if let Some((key, _)) = table.iter().nth(STEPS) {
        report.limit(key.span, table.len(), STEPS, "step");
    }
    for (key, form) in table.iter().take(STEPS) {
        let name = report.take(key.span, StepName::new(key));
        let asker = Asker { key: key.span, servers, lookup };
        let action = match &form.value {
            StepForm::TacacsLogin(fields) => tacacs_login(fields, &asker, report),
            StepForm::Resume(fields) => resume(&fields.login, (&steps, &names), report),
            StepForm::Finish(fields) => finish(&fields.login, (&steps, &names), report),
            StepForm::RadiusLogin(fields) => radius::login(fields, &asker, report),
            StepForm::RadiusAccounting(fields) => radius::accounting(fields, &asker, report),
            StepForm::RadiusStatus(fields) => radius::status(fields, &asker, report),
            StepForm::Run(fields) => processes::run(fields, lookup, report),
            StepForm::SendPacket(fields) => packet::send(fields, lookup, report),
            StepForm::KillForwarder(fields) => forwarders.kill(&fields.node, lookup, report),
            StepForm::StartForwarder(fields) => forwarders.start(&fields.node, lookup, report),
            StepForm::AwaitCounter(fields) => await_counter(fields, &forwarders, lookup, report),
            StepForm::AddMember(fields) => pools.add(fields, &forwarders, lookup, report),
            StepForm::SetMember(fields) => pools.set(fields, &forwarders, lookup, report),
            StepForm::RemoveMember(fields) => pools.remove(fields, &forwarders, lookup, report),
            StepForm::AwaitMember(fields) => pools.await_state(fields, &forwarders, lookup, report),
            StepForm::StopServer(fields) => running.stop(fields, lookup, report),
            StepForm::StartServer(fields) => running.start(&fields.node, lookup, report),
            StepForm::SetLink(fields) => links.set(fields, lookup, report),
        };
        if let Some(StepAction::StartForwarder { node }) = &action {
            pools.begin_anew(node);
        }
        let Some(name) = name else { continue };
        let asks = match &form.value {
            StepForm::TacacsLogin(_)
            | StepForm::RadiusLogin(_)
            | StepForm::RadiusAccounting(_)
            | StepForm::RadiusStatus(_) => true,
            StepForm::Resume(_)
            | StepForm::Finish(_)
            | StepForm::AddMember(_)
            | StepForm::SetMember(_)
            | StepForm::RemoveMember(_)
            | StepForm::AwaitMember(_)
            | StepForm::StopServer(_)
            | StepForm::StartServer(_)
            | StepForm::SetLink(_)
            | StepForm::Run(_)
            | StepForm::SendPacket(_)
            | StepForm::KillForwarder(_)
            | StepForm::StartForwarder(_)
            | StepForm::AwaitCounter(_) => false,
        };
        let runs = matches!(form.value, StepForm::Run(_));
        names.push(Known { name: name.clone(), asks, runs });
        steps.extend(action.map(|action| Step { name, action }));
    }
    for (key, form) in table.iter().take(STEPS) {
        if let StepForm::TacacsLogin(fields) = &form.value
            && fields.background.is_some_and(|background| background.value)
        {
            unfinished(key, table, report);
        }
    }
    (steps, names)
}

/// What every step that asks a server needs.
pub(super) struct Asker<'a> {
    /// Where the step's name stands.
    pub(super) key: Span,
    pub(super) servers: &'a Servers<'a>,
    pub(super) lookup: &'a Lookup<'a>,
}

impl Asker<'_> {
    /// Where the step connects to; every client must have an address of that family.
    pub(super) fn to(
        &self,
        text: &Located<String>,
        from: &[NodeName],
        report: &mut Report<'_>,
    ) -> Option<SocketAddr> {
        let to = report.take(text.span, super::address::one_port(text))?;
        if !report.lacks_some() {
            report.take(text.span, self.reachable(to, from));
        }
        Some(to)
    }

    /// Whether anybody has the address, and whether the clients have one of its family.
    fn reachable(&self, to: SocketAddr, from: &[NodeName]) -> Result<(), String> {
        if !self.lookup.knows_addresses() {
            return Ok(());
        }
        let address = to.ip();
        if self.lookup.owner(address).is_none() && !self.servers.vips.may_hold(address) {
            return Err(format!(
                "nobody has {address}; name a virtual server's destination, or an address of a node"
            ));
        }
        for node in from.iter().filter_map(|name| self.lookup.get(name)) {
            let mut own = node.interfaces.iter().flat_map(|one| &one.addresses);
            if !own.any(|net| net.addr().is_ipv4() == address.is_ipv4()) {
                let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
                return Err(format!(
                    "`{}` has no {family} address to connect to {address} from; give it one",
                    node.name
                ));
            }
        }
        Ok(())
    }

    /// The step's own secret, or the one that all servers of a kind share.
    pub(super) fn secret(
        &self,
        own: Option<&Located<String>>,
        kind: ServerKind,
        report: &mut Report<'_>,
    ) -> Option<Secret> {
        if let Some(secret) = own {
            let good = report.plain(secret, "secret", SECRET);
            return good.then(|| Secret::new(secret.value.clone()));
        }
        let secrets = match kind {
            ServerKind::Tacacs => self.servers.tacacs_secrets,
            ServerKind::Radius => self.servers.radius_secrets,
        };
        let (what, list) = kind.words();
        let Some((first, others)) = secrets.split_first() else {
            report.empty(
                self.key,
                format!(
                    "there is no {what} server whose secret this step could use; add one to \
                     `{list}`, or write `secret`"
                ),
            );
            return None;
        };
        if others.iter().any(|secret| secret != first) {
            report.at(
                self.key,
                format!("the {what} servers have different secrets; write this step's `secret`"),
            );
            return None;
        }
        Some(first.clone())
    }
}

/// Which servers a step speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    /// TACACS+.
    Tacacs,
    /// RADIUS.
    Radius,
}

impl ServerKind {
    /// The protocol, and the key that declares its servers.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Tacacs => ("TACACS+", "tacacs_servers"),
            Self::Radius => ("RADIUS", "radius_servers"),
        }
    }
}

/// How long something may take: `usual` seconds unless it is written.
pub(super) fn seconds(
    written: Option<Located<f64>>,
    usual: u64,
    report: &mut Report<'_>,
) -> Duration {
    let Some(written) = written else { return Duration::from_secs(usual) };
    if !(SHORTEST..=LONGEST).contains(&written.value) {
        report.at(
            written.span,
            format!("a timeout of {} s; write {SHORTEST} to {LONGEST}", written.value),
        );
        return Duration::from_secs(usual);
    }
    Duration::from_secs_f64(written.value)
}

/// How often: from 1 to `most`, `usual` unless it is written.
pub(super) fn number(
    written: Option<Located<u32>>,
    (usual, most): (u32, u32),
    what: &str,
    report: &mut Report<'_>,
) -> u32 {
    let Some(written) = written else { return usual };
    if !(1..=most).contains(&written.value) {
        report.at(written.span, format!("`{what}` is {}; write 1 to {most}", written.value));
        return usual;
    }
    written.value
}
