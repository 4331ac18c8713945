//! Steps that change members of running load balancers or wait for them, and which members there are
//! meanwhile.

use super::families::misfit;
use super::forwarders::{Forwarders, load_balancer};
use super::lookup::Lookup;
use super::steps::seconds;
use super::{Report, address};
use crate::file::{
    AddMemberFields, AwaitMemberFields, MemberStateWord, RemoveMemberFields, SetMemberFields,
};
use crate::model::{
    LoadBalancer, MemberChange, MemberFate, MemberState, NodeName, Pool, StepAction,
};
use crate::text::{listed, quoted};
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
            let members = pool.members.iter().map(|one| SocketAddr::new(one.address, one.port));
            ((node.clone(), pool.name.clone()), members.collect())
        }));
    }

    pub(super) fn add(
        &mut self,
        fields: &AddMemberFields,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let AddMemberFields { node, pool, member, ratio } = fields;
        let fate = MemberFate::Added { ratio: self::ratio(ratio.as_ref(), report) };
        self.change(&Place { node, pool, member }, fate, forwarders, lookup, report)
    }

    pub(super) fn set(
        &mut self,
        fields: &SetMemberFields,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let SetMemberFields { node, pool, member, ratio } = fields;
        let fate = MemberFate::Set { ratio: self::ratio(Some(ratio), report) };
        self.change(&Place { node, pool, member }, fate, forwarders, lookup, report)
    }

    pub(super) fn remove(
        &mut self,
        fields: &RemoveMemberFields,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RemoveMemberFields { node, pool, member } = fields;
        let place = Place { node, pool, member };
        self.change(&place, MemberFate::Removed, forwarders, lookup, report)
    }

    /// A step that waits for what a monitor finds.
    pub(super) fn await_state(
        &mut self,
        fields: &AwaitMemberFields,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let AwaitMemberFields { node, pool, member, state, timeout } = fields;
        let timeout = seconds(*timeout, TIMEOUT, report);
        let place = Place { node, pool, member };
        let (node, pool, socket) =
            self.find(&place, "watches nobody", forwarders, lookup, report)?;
        if pool.monitor.is_none() {
            report.at(
                place.pool.span,
                format!("nobody watches the pool {}; write its `monitor`", quoted(place.pool)),
            );
        }
        let state = match state {
            MemberStateWord::Up => MemberState::Up,
            MemberStateWord::Down => MemberState::Down,
        };
        let members = self.members.get(&(node.clone(), pool.name.clone()));
        if let Some(members) = members.filter(|members| !members.contains(&socket)) {
            report.at(
                member.span,
                format!(
                    "{socket} is no member at this step; the pool has {}",
                    listed(members.iter())
                ),
            );
            return None;
        }
        let pool = pool.name.clone();
        Some(StepAction::AwaitMember { node, pool, member: socket, state, timeout })
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
        let Some(pool) = pools.iter().find(|pool| pool.name == place.pool.value) else {
            let known = listed(pools.iter().map(|pool: &Pool| &pool.name));
            let message = format!("`{node}` has no pool {}; it has {known}", quoted(place.pool));
            report.absent(place.pool.span, place.pool, message);
            return None;
        };
        Some((node, pool, member?))
    }

    fn change(
        &mut self,
        place: &Place<'_>,
        to: MemberFate,
        forwarders: &Forwarders<'_>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let (node, own, member) =
            self.find(place, "takes no orders", forwarders, lookup, report)?;
        let balancer = self.load_balancers.get(&node)?;
        let pool = own.name.clone();
        let members = self.members.entry((node.clone(), pool.clone())).or_default();
        let mut servers = balancer.virtual_servers.iter().filter(|it| it.pool == own.name);
        let misfit = servers.find_map(|it| misfit(it, own, balancer.outer_source, member));
        let fits = match (to, misfit) {
            (MemberFate::Added { .. }, Some(why)) => Err(why),
            _ => changed(members, member, to, lookup),
        };
        if let Err(why) = fits {
            report.at(place.member.span, why);
            return None;
        }
        Some(StepAction::ChangeMember(MemberChange { node, pool, member, to }))
    }
}

/// Changes the list as the step does, or says why it cannot.
fn changed(
    members: &mut Vec<SocketAddr>,
    member: SocketAddr,
    to: MemberFate,
    lookup: &Lookup<'_>,
) -> Result<(), String> {
    let place = members.iter().position(|one| *one == member);
    match (to, place) {
        (MemberFate::Added { .. }, Some(_)) => {
            Err(format!("{member} is a member at this step already; use `set_member`"))
        }
        (MemberFate::Added { .. }, None)
            if lookup.knows_addresses() && lookup.owner(member.ip()).is_none() =>
        {
            Err(format!("no node has the member's address {}; name a real server's", member.ip()))
        }
        (MemberFate::Added { .. }, None) => {
            members.push(member);
            Ok(())
        }
        (_, None) => Err(format!(
            "{member} is no member at this step; the pool has {}",
            listed(members.iter())
        )),
        (MemberFate::Set { .. }, Some(_)) => Ok(()),
        (MemberFate::Removed, Some(_)) if members.len() == 1 => Err(format!(
            "{member} is the pool's last member at this step, and it has one at least; drain it, \
             by `set_member` with `ratio: 0`"
        )),
        (MemberFate::Removed, Some(place)) => {
            members.remove(place);
            Ok(())
        }
    }
}

/// 1 unless it is written.
fn ratio(ratio: Option<&Located<u64>>, report: &mut Report<'_>) -> u16 {
    let Some(ratio) = ratio else { return 1 };
    ratio.value.try_into().unwrap_or_else(|_| {
        report.at(ratio.span, format!("a ratio of {}; write 0 to {}", ratio.value, u16::MAX));
        1
    })
}
