//! `ltm pool`, `ltm node`: the servers, and how packets reach them.

use super::address::{Host, HostPort, full, host_port, leaf};
use super::config::{Config, Object};
use super::monitors::Monitors;
use super::read;
use super::tree::{Block, Property, Word};
use crate::lb_model::{Member, Pool};
use crate::report::Report;
use crate::text::printable;
use crate::validate::can_add;
use labsim_model::quote;
use labsim_model::{ActionOnDown, AdminState, GreOptions, LoadBalancingMode, Profile};
use std::collections::{BTreeMap, BTreeSet};

/// The pools that virtual servers use, read once each.
#[derive(Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    by_path: BTreeMap<String, usize>,
    /// The paths of nodes that members are.
    nodes: BTreeSet<String>,
    /// The paths of tunnels that pools and members have.
    tunnels: BTreeSet<String>,
    monitors: Monitors,
}

impl Pools {
    /// A pool's place among all, if there is such a pool.
    pub(super) fn get(
        &mut self,
        name: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let object = config.pools.get(name)?;
        if let Some(index) = self.by_path.get(&object.path) {
            return Some(*index);
        }
        let pool = self.pool(object, config, report);
        self.by_path.insert(object.path.clone(), self.all.len());
        self.all.push(pool);
        Some(self.all.len() - 1)
    }

    /// Lists pools, nodes and tunnels that nothing refers to, and the rest of the others.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        // What is not imported of a pool was listed when it was read.
        for object in config.pools.all.iter().filter(|one| !self.by_path.contains_key(&one.path)) {
            let why = "no virtual server that is imported uses it";
            report.not_imported(object.place, object.what.clone(), why);
        }
        let known = ["address", "session", "state"];
        config.nodes.not_imported(|one| self.nodes.contains(&one.path), &known, report);
        let is_used = |one: &Object| self.tunnels.contains(&one.path);
        config.ipip.not_imported(is_used, &["defaults-from"], report);
        config.gre.not_imported(is_used, &["defaults-from"], report);
        self.monitors.report_unused(config, report);
    }

    fn pool(&mut self, object: &Object, config: &Config, report: &mut Report<'_>) -> Pool {
        let properties = object.block.properties();
        let (mut settings, mut down) = (labsim_model::Pool::default(), None);
        let mut profile_at = None;
        for property in &properties {
            match property.name() {
                "members" if property.is_none() || property.block().is_some() => {}
                "members" => {
                    let message = "write `members { 10.1.1.51:49 { address 10.1.1.51 } }`";
                    report.diagnostic(property.place, message);
                }
                "load-balancing-mode" => {
                    settings.load_balancing_mode = balancing_mode(property, &object.what, report);
                }
                "profiles" => {
                    if let Some(found) = self.profile(property, &object.what, config, report) {
                        settings.profile = found;
                        profile_at = Some(property.place);
                    }
                }
                "monitor" => {
                    settings.monitor =
                        self.monitors.of_pool(property, &object.what, config, report);
                }
                "service-down-action" => down = Some(property),
                _ => read::not_imported(&object.what, property, report),
            }
        }
        if let Some(down) = down {
            settings.action_on_down = action_on_down(down, &object.what, &settings, report);
        }
        let members = properties.iter().filter(|one| one.name() == "members");
        let mut found: Vec<Member> = Vec::new();
        for (word, block) in members.filter_map(Property::block).flat_map(Block::names) {
            let what = format!("{}: member {}", object.what, printable(leaf(&word.text)));
            let Some(member) = self.member(word, block, &what, config, report) else { continue };
            if can_add(&member, &what, found.iter(), report) {
                found.push(member);
            }
        }
        settings.profile = common_profile(&mut found, settings.profile);
        Pool {
            name: object.name().to_owned(),
            place: object.place,
            what: object.what.clone(),
            members: found,
            settings,
            profile_at,
        }
    }

    /// A member, with the tunnel that it has instead of the pool's.
    fn member(
        &mut self,
        word: &Word,
        block: Option<&Block>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Member> {
        let HostPort { host, port, route_domain } =
            report.check(word.place, host_port(&word.text))?;
        let (mut address, mut profile, mut ratio) = (None, None, 1);
        let mut state = AdminState::Enabled;
        for property in block.map(Block::properties).unwrap_or_default() {
            match property.name() {
                "address" => address = read::word(&property, report),
                "profiles" => profile = self.profile(&property, what, config, report),
                "ratio" => {
                    let word = read::word(&property, report)?;
                    let message = format!("{} is not a ratio; write 1 to 65535", quote(&word.text));
                    ratio = report.check(word.place, word.text.parse().map_err(|_| message))?;
                }
                "session" | "state" => state = state.max(admin_state(&property)),
                _ => read::not_imported(what, &property, report),
            }
        }
        read::note_route_domain(route_domain, word.place, what, report);
        let path = node_path(&word.text);
        if let Some(node) = config.nodes.get(&path) {
            self.nodes.insert(path.clone());
            // A node that is switched off is so in every pool.
            let properties = node.block.properties();
            let states = properties.iter().filter(|one| ["session", "state"].contains(&one.name()));
            state = states.map(admin_state).fold(state, AdminState::max);
        }
        let written = match address {
            Some(word) => Some(word.clone()),
            None => node_address(&path, config),
        };
        let (text, place) = match (&written, &host) {
            (Some(written), _) if !written.text.starts_with("any") => {
                (written.text.split('%').next().unwrap_or_default().to_owned(), written.place)
            }
            (None, Host::Address(address)) => (address.to_string(), word.place),
            _ => {
                let why = "its address is in none of the imported files, and the lab has no DNS";
                return report.skip(word.place, what, why);
            }
        };
        let address = report.address(place, &text, what)?;
        let name = match host {
            Host::Name(name) => Some(name.to_owned()),
            Host::Address(_) | Host::Any => None,
        };
        Some(Member { name, place: word.place, address, port, ratio, profile, state })
    }
}

/// A pool's load balancing mode; one that labsim does not have is listed.
fn balancing_mode(
    property: &Property<'_>,
    what: &str,
    report: &mut Report<'_>,
) -> LoadBalancingMode {
    let Some(word) = read::word(property, report) else { return LoadBalancingMode::default() };
    let what = format!("{what}: load-balancing-mode {}", printable(&word.text));
    match word.text.as_str() {
        "round-robin" => LoadBalancingMode::RoundRobin,
        "ratio-member" => LoadBalancingMode::Ratio,
        "least-connections-member" | "least-connections-members" => {
            LoadBalancingMode::LeastConnections
        }
        "ratio-least-connections-member" => LoadBalancingMode::RatioLeastConnections,
        "least-connections-node" => {
            let why = "labsim counts a member's flows, and not a node's over all pools; \
                       `least_connections` is used";
            report.warn(word.place, what, why);
            LoadBalancingMode::LeastConnections
        }
        _ => {
            let why = "labsim's modes are round-robin, ratio-member, least-connections-member and \
                       ratio-least-connections-member; `round_robin` is used";
            report.not_imported(word.place, what, why);
            LoadBalancingMode::default()
        }
    }
}

/// What becomes of a member's flows when it is down, which needs a monitor.
fn action_on_down(
    property: &Property<'_>,
    what: &str,
    settings: &labsim_model::Pool,
    report: &mut Report<'_>,
) -> ActionOnDown {
    let word = property.word().map(|word| word.text.as_str());
    match (word, &settings.monitor) {
        (Some("reset"), Some(_)) => return ActionOnDown::Reset,
        (Some("reselect"), Some(_)) => return ActionOnDown::Reselect,
        (Some("drop"), Some(_)) => {
            let why = "labsim's are reset and reselect; the flows stay";
            report.not_imported(property.place, format!("{what}: service-down-action drop"), why);
        }
        _ => read::not_imported(what, property, report),
    }
    ActionOnDown::None
}

/// What an operator has set by `session` or `state`; the rest of their words is the device's own view.
fn admin_state(property: &Property<'_>) -> AdminState {
    match property.word().map(|word| word.text.as_str()) {
        Some("user-down" | "offline") => AdminState::ForcedOffline,
        Some("user-disabled") => AdminState::Disabled,
        _ => AdminState::Enabled,
    }
}

/// The profile of all members where they have one in common, which the pool then has; otherwise the
/// pool's, and members have their own where it differs.
fn common_profile(members: &mut [Member], own: Profile) -> Profile {
    let of = |member: &Member| member.profile.unwrap_or(own);
    let first = members.first().map_or(own, of);
    let common = if members.iter().all(|member| of(member) == first) { first } else { own };
    for member in members {
        member.profile = member.profile.filter(|profile| *profile != common);
    }
    common
}

/// The path of the node that a member is: `/P/node-a:http` is `/P/node-a`.
fn node_path(member: &str) -> String {
    let separator = if leaf(member).matches(':').count() > 1 { '.' } else { ':' };
    full(member.rsplit_once(separator).map_or(member, |(node, _)| node))
}

fn node_address(path: &str, config: &Config) -> Option<Word> {
    let object = config.nodes.get(path)?;
    let properties = object.block.properties();
    properties.iter().find(|one| one.name() == "address")?.word().cloned()
}

impl Pools {
    /// The tunnel of `profiles { ipip }`; `Some(None)` of `profiles none`.
    fn profile(
        &mut self,
        property: &Property<'_>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Profile> {
        let names: Vec<(&Word, Option<&Block>)> = match (property.word(), property.block()) {
            (Some(word), _) => vec![(word, None)],
            (None, Some(block)) => block.names(),
            (None, None) => {
                read::word(property, report);
                return None;
            }
        };
        let mut found = None;
        for (name, block) in names {
            let tunnel = match leaf(&name.text) {
                "none" => Some(Profile::None),
                "ipip" | "ip4ip4" | "ip4ip6" | "ip6ip4" | "ip6ip6" => Some(Profile::Ipip),
                "gre" => Some(Profile::Gre(GreOptions::default())),
                _ if config.ipip.get(&name.text).is_some() => Some(Profile::Ipip),
                _ if config.gre.get(&name.text).is_some() => {
                    Some(Profile::Gre(GreOptions::default()))
                }
                _ => None,
            };
            self.tunnels.insert(full(&name.text));
            match (tunnel, found) {
                (Some(tunnel), None) => found = Some(tunnel),
                (Some(_), Some(_)) => {
                    let message = "a pool has one tunnel profile; remove the others";
                    report.diagnostic(name.place, message);
                }
                (None, _) => report.not_imported(
                    name.place,
                    format!("{what}: profiles {}", printable(leaf(&name.text))),
                    "unknown tunnel profile; expected `ipip` or `gre`",
                ),
            }
            for property in block.map(Block::properties).unwrap_or_default() {
                read::not_imported(&format!("{what}: profiles"), &property, report);
            }
        }
        found
    }
}
