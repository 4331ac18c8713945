//! Steps that change members of running load balancers or wait for them, and which members there are
//! meanwhile.

use super::forwarders::{Forwarders, load_balancer};
use super::seconds;
use crate::file::{RawAddMember, RawAwaitMember, RawRemoveMember, RawSetMember};
use crate::model::{LoadBalancer, MemberChange, MemberUpdate, NodeName, Pool, StepAction};
use crate::resolve::lookup::Lookup;
use crate::resolve::{Report, address};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How long a member is waited for, in seconds.
const TIMEOUT: u64 = 5;

/// The members of every pool while the steps go by.
pub(super) struct Pools<'a> {
    load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    members: BTreeMap<(NodeName, String), Vec<SocketAddr>>,
}

/// Where a step's member is.
struct Place<'a> {
    node: &'a Located<String>,
    pool: &'a Located<String>,
    member: &'a Located<String>,
}

impl<'a> Pools<'a> {
    /// As the file has them.
    pub(super) fn new(load_balancers: &'a BTreeMap<NodeName, LoadBalancer>) -> Self {
        let mut pools = Self { load_balancers, members: BTreeMap::new() };
        load_balancers.keys().for_each(|node| pools.begin_anew(node));
        pools
    }

    /// A load balancer that is started again has what the file says.
    pub(super) fn begin_anew(&mut self, node: &NodeName) {
        let pools = self.load_balancers.get(node).into_iter().flat_map(|balancer| &balancer.pools);
        self.members.extend(pools.map(|pool| {
            let (name, pool) = pool;
            let members = pool.members.iter().map(|one| one.address);
            ((node.clone(), name.clone()), members.collect())
        }));
    }

    pub(super) fn add(
        &mut self,
        fields: &RawAddMember,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawAddMember { node, pool, member, ratio, profile, state } = fields;
        let ratio = ratio.as_ref().map_or(1, |ratio| self::ratio(ratio, report));
        let fate = MemberChange::Added { ratio, profile: *profile, state: *state };
        self.change(&Place { node, pool, member }, fate, forwarders, lookup, report)
    }

    pub(super) fn set(
        &mut self,
        fields: &RawSetMember,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawSetMember { node, pool, member, ratio, state } = fields;
        if ratio.is_none() && state.is_none() {
            report.empty(member.span, "nothing is set; write `ratio`, `state` or both");
        }
        let ratio = ratio.as_ref().map(|ratio| self::ratio(ratio, report));
        let fate = MemberChange::Set { ratio, state: *state };
        self.change(&Place { node, pool, member }, fate, forwarders, lookup, report)
    }

    pub(super) fn remove(
        &mut self,
        fields: &RawRemoveMember,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawRemoveMember { node, pool, member } = fields;
        let place = Place { node, pool, member };
        self.change(&place, MemberChange::Removed, forwarders, lookup, report)
    }

    /// A step that waits for what a monitor finds.
    pub(super) fn await_state(
        &mut self,
        fields: &RawAwaitMember,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawAwaitMember { node, pool, member, state, timeout } = fields;
        let timeout = seconds(*timeout, TIMEOUT, report);
        let place = Place { node, pool, member };
        let (node, pool, socket) =
            self.find(&place, "runs no monitors", forwarders, lookup, report)?;
        if pool.monitor.is_none() {
            report.empty(
                place.pool.span,
                format!("the pool {} has no `monitor`; add one", quoted(place.pool)),
            );
        }
        let members = self.members.get(&(node.clone(), place.pool.value.clone()));
        if let Some(members) = members.filter(|members| !members.contains(&socket)) {
            report.at(
                member.span,
                file::UNKNOWN_NAME,
                format!(
                    "{socket} is not a member at this step; the pool has {}",
                    listed(members.iter())
                ),
            );
            return None;
        }
        let pool = place.pool.value.clone();
        Some(StepAction::AwaitMember { node, pool, member: socket, state: *state, timeout })
    }

    /// What a step's words name, at a forwarder that runs; without it, it `lack`s something.
    fn find(
        &self,
        place: &Place<'_>,
        lack: &str,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<(NodeName, &'a Pool, SocketAddr)> {
        let member = report.take(place.member.span, address::one_port(place.member));
        let node = load_balancer(place.node, self.load_balancers, lookup, report)?;
        forwarders.must_run(&node, place.node, lack, report);
        let pools = self.load_balancers.get(&node).map(|balancer| &balancer.pools)?;
        let Some(pool) = pools.get(place.pool.as_str()) else {
            let known = listed(pools.keys());
            let message = format!("`{node}` has no pool {}; it has {known}", quoted(place.pool));
            report.absent(place.pool.span, place.pool, message);
            return None;
        };
        Some((node, pool, member?))
    }

    fn change(
        &mut self,
        place: &Place<'_>,
        to: MemberChange,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let (node, own, member) =
            self.find(place, "accepts no changes", forwarders, lookup, report)?;
        let balancer = self.load_balancers.get(&node)?;
        let pool = place.pool.value.clone();
        let members = self.members.entry((node.clone(), pool.clone())).or_default();
        let change = |members: &mut Vec<SocketAddr>| match to {
            // The forwarder knows its members.
            MemberChange::Added { .. } if report.is_live() => {
                changed(&mut Vec::new(), member, to, lookup)
            }
            _ if report.is_live() => Ok(()),
            _ => changed(members, member, to, lookup),
        };
        let mut servers = balancer.virtual_servers.iter().filter(|(_, it)| it.pool == pool);
        let fits = match to {
            MemberChange::Added { profile, .. } => {
                let profile = profile.unwrap_or(own.profile);
                match servers.find_map(|(name, it)| balancer.misfit(name, it, profile, member)) {
                    Some(why) => Err(why),
                    None => change(members),
                }
            }
            MemberChange::Set { .. } | MemberChange::Removed => change(members),
        };
        if let Err(why) = fits {
            report.at(place.member.span, file::CONFLICT, why);
            return None;
        }
        Some(StepAction::ChangeMember(MemberUpdate { node, pool, member, to }))
    }
}

/// Changes the list as the step does, or says why it cannot.
fn changed(
    members: &mut Vec<SocketAddr>,
    member: SocketAddr,
    to: MemberChange,
    lookup: &Lookup<'_>,
) -> Result<(), String> {
    let place = members.iter().position(|one| *one == member);
    match (to, place) {
        (MemberChange::Added { .. }, Some(_)) => {
            Err(format!("{member} is a member at this step already; use `set_member`"))
        }
        (MemberChange::Added { .. }, None)
            if lookup.knows_addresses() && lookup.owner(member.ip()).is_none() =>
        {
            Err(format!("no node has the member's address {}; name a real server's", member.ip()))
        }
        (MemberChange::Added { .. }, None) => {
            members.push(member);
            Ok(())
        }
        (_, None) => Err(format!(
            "{member} is not a member at this step; the pool has {}",
            listed(members.iter())
        )),
        (MemberChange::Set { .. }, Some(_)) => Ok(()),
        (MemberChange::Removed, Some(_)) if members.len() == 1 => Err(format!(
            "{member} is the pool's last member at this step; drain it by `set_member` with \
             `ratio: 0`"
        )),
        (MemberChange::Removed, Some(place)) => {
            members.remove(place);
            Ok(())
        }
    }
}

fn ratio(ratio: &Located<u64>, report: &mut Report<'_>) -> u16 {
    ratio.value.try_into().unwrap_or_else(|_| {
        report.at(
            ratio.span,
            file::OUT_OF_RANGE,
            format!("a ratio of {}; write 0 to {}", ratio.value, u16::MAX),
        );
        1
    })
}
