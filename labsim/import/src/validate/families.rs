//! Which address families go together: any in a tunnel, and otherwise the same ones.

use crate::address::Family;
use crate::lb_model::{LbModel, Member, Pool, VirtualServer};
use crate::report::Report;
use labsim_model::{OuterSource, Persistence, SourceTranslation};
use std::collections::BTreeMap;

/// Leaves out members and SNAT addresses of the other family that cannot be used. A pool that virtual servers
/// of both families have becomes one for each.
pub(super) fn fit(model: &mut LbModel, report: &mut Report<'_>) {
    // By the pool, and by which of its members fit.
    let mut parts: BTreeMap<(usize, Vec<bool>), usize> = BTreeMap::new();
    let LbModel { virtuals, pools, .. } = model;
    virtuals.retain_mut(|one| {
        fit_snat(one, report);
        fit_persistence(one, report);
        let Some(pool) = pools.get(one.pool) else { return false };
        let fits: Vec<bool> =
            pool.members.iter().map(|it| misfit(one, pool, it).is_none()).collect();
        if fits.iter().all(|fits| *fits) {
            return true;
        }
        let others = pool.members.iter().zip(&fits).filter(|(_, fits)| !**fits);
        for (member, _) in others {
            if let Some(why) = misfit(one, pool, member) {
                let what = format!("{}: member {}", one.what, member.address);
                report.not_imported(member.place, what, why);
            }
        }
        if fits.iter().all(|fits| !*fits) {
            let why = "none of its members can be reached for packets of its address family";
            report.not_imported(one.place, one.what.clone(), why);
            return false;
        }
        let key = (one.pool, fits);
        if let Some(part) = parts.get(&key) {
            one.pool = *part;
            return true;
        }
        let members = pool.members.iter().zip(&key.1).filter(|(_, fits)| **fits);
        let part = Pool {
            name: format!("{}-{}", pool.name, one.family().name()),
            members: members.map(|(member, _)| member.clone()).collect(),
            ..pool.clone()
        };
        one.pool = pools.len();
        pools.push(part);
        parts.insert(key, one.pool);
        true
    });
}

/// Why a member of a virtual server's pool cannot serve it, for its address family.
fn misfit(one: &VirtualServer, pool: &Pool, member: &Member) -> Option<String> {
    let (own, other) = (one.family(), Family::of(member.address));
    if own == other {
        return None;
    }
    let (own, other) = (own.name(), other.name());
    if one.settings.translate_address || one.has_snat() {
        Some(format!("labsim translates no {own} to {other}"))
    } else if pool.tunnel(member).is_none() {
        Some(format!("only a tunnel carries {own} to a server that is known by {other}"))
    } else {
        None
    }
}

/// Takes SNAT addresses of the other family out.
fn fit_snat(one: &mut VirtualServer, report: &mut Report<'_>) {
    let family = one.family();
    if let SourceTranslation::Snat(addresses) = &mut one.settings.source_address_translation {
        addresses.retain(|address| {
            let fits = Family::of(*address) == family;
            if !fits {
                let what = format!("{}: SNAT address {address}", one.what);
                let why = format!("its clients' packets are {}", family.name());
                report.not_imported(one.place, what, why);
            }
            fits
        });
    }
}

/// Takes out a prefix length of persistence that is longer than clients' addresses.
fn fit_persistence(one: &mut VirtualServer, report: &mut Report<'_>) {
    let most = one.family().bits();
    let Persistence::SourceAddress(rule) = &mut one.settings.persistence else { return };
    if let Some(length) = rule.prefix_length.filter(|length| *length >= most) {
        rule.prefix_length = None;
        if length > most {
            let why = "it is longer than its clients' addresses; the whole address counts";
            let what = format!("{}: persistence: prefix length {length}", one.what);
            report.not_imported(one.place, what, why);
        }
    }
}

/// A client is no source of tunnel packets of the other family: the load balancer is.
pub(super) fn settle_outer_source(model: &mut LbModel, report: &mut Report<'_>) {
    if model.outer_source != OuterSource::Client {
        return;
    }
    let crosses = |one: &&VirtualServer| {
        let pool = model.pools.get(one.pool);
        let mut members = pool.into_iter().flat_map(|pool| &pool.members);
        members.any(|member| Family::of(member.address) != one.family())
    };
    let Some(one) = model.virtuals.iter().find(crosses) else { return };
    let why = "tunnel packets of the other address family cannot carry the client's address as their source; \
               the load balancer's own is used, of all pools (`outer_source: egress`)";
    report.warn(one.place, one.what.clone(), why);
    model.outer_source = OuterSource::Egress;
}
