//! A configuration that was looked through, with all of it that takes time already made, so that
//! an engine at work takes it over in little; and what is new about it.

use crate::scheduler::Scheduler;
use crate::{Config, Problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A configuration for [`crate::Engine::reconfigure`]. Make it wherever time does not matter: beside
/// the engine's own thread, for one.
#[derive(Debug)]
pub struct Plan {
    pub(crate) config: Config,
    /// By pool, in the order of their names.
    pub(crate) schedulers: Vec<Scheduler>,
}

impl Plan {
    /// Checks a configuration and makes its pools' schedulers. With Maglev that takes milliseconds a
    /// pool.
    ///
    /// # Errors
    /// Every [`Problem`] that the configuration has by itself.
    pub fn new(config: Config) -> Result<Self, Vec<Problem>> {
        let problems = config.check();
        if !problems.is_empty() {
            return Err(problems);
        }
        let schedulers = config.pools.values().map(|pool| {
            let shares: Vec<_> = pool.members.iter().map(|one| (one.address, one.ratio)).collect();
            Scheduler::new(pool.load_balancing_mode, &shares)
        });
        Ok(Self { schedulers: schedulers.collect(), config })
    }
}

/// What a new configuration changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Virtual servers, by name.
    pub virtual_servers: Changed,
    /// Pools, by name; their members are counted apart.
    pub pools: Changed,
    /// Members, by pool, address and port.
    pub members: Changed,
}

/// How many of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// That were not there before.
    pub added: usize,
    /// That are not there any more.
    pub removed: usize,
    /// That have other settings than before.
    pub changed: usize,
}

impl Changes {
    /// What is different in `new`.
    pub(crate) fn between(old: &Config, new: &Config) -> Self {
        let settings = |config: &Config| -> BTreeMap<_, _> {
            let pools = config.pools.iter();
            let settings = |(name, pool): (&String, &crate::Pool)| {
                let watch = (pool.monitor.clone(), pool.action_on_down);
                (name.clone(), (pool.profile, pool.load_balancing_mode, watch))
            };
            pools.map(settings).collect()
        };
        let members = |config: &Config| -> BTreeMap<_, _> {
            let pools = config.pools.iter();
            let members = pools.flat_map(|(name, pool)| {
                pool.members.iter().map(|member| ((name.clone(), member.address), member.ratio))
            });
            members.collect()
        };
        Self {
            virtual_servers: changed(&old.virtual_servers, &new.virtual_servers),
            pools: changed(&settings(old), &settings(new)),
            members: changed(&members(old), &members(new)),
        }
    }
}

fn changed<K: Ord, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Changed {
    let kept = || new.iter().filter_map(|(key, value)| Some((old.get(key)?, value)));
    Changed {
        added: new.len() - kept().count(),
        removed: old.len() - kept().count(),
        changed: kept().filter(|(before, after)| before != after).count(),
    }
}
