//! A checked configuration with its schedulers already built, so that a running engine applies it
//! quickly; and the difference between two configurations.

use crate::scheduler::Scheduler;
use crate::{Config, Problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A configuration for [`crate::Engine::reconfigure`]. Build it where time does not matter, outside
/// of the engine's own thread.
#[derive(Debug)]
pub struct CheckedConfig {
    pub(crate) config: Config,
    /// By pool, in the order of their names.
    pub(crate) schedulers: Vec<Scheduler>,
}

impl CheckedConfig {
    /// Checks a configuration and builds its pools' schedulers. With Maglev that takes milliseconds
    /// for each pool.
    ///
    /// # Errors
    /// Every [`Problem`] of the configuration that does not depend on an interface.
    pub fn new(config: Config) -> Result<Self, Vec<Problem>> {
        let problems = config.check();
        if !problems.is_empty() {
            return Err(problems);
        }
        let schedulers = config
            .balancer
            .pools
            .values()
            .map(|pool| Scheduler::new(pool.load_balancing_mode, &pool.members));
        Ok(Self { schedulers: schedulers.collect(), config })
    }
}

/// What a new configuration changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Virtual servers, by name.
    pub virtual_servers: Changed,
    /// Pools, by name; members are counted separately.
    pub pools: Changed,
    /// Members, by pool, address and port.
    pub members: Changed,
}

/// How many items of one kind changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Only in the new configuration.
    pub added: usize,
    /// Only in the old configuration.
    pub removed: usize,
    /// In both, with different settings.
    pub changed: usize,
}

impl Changes {
    /// The difference between two configurations.
    pub(crate) fn between(old: &Config, new: &Config) -> Self {
        let settings = |config: &Config| -> BTreeMap<_, _> {
            let pools = config.balancer.pools.iter();
            let settings = |(name, pool): (&String, &crate::Pool)| {
                let watch = (pool.monitor.clone(), pool.action_on_down);
                (name.clone(), (pool.profile, pool.load_balancing_mode, watch))
            };
            pools.map(settings).collect()
        };
        let members = |config: &Config| -> BTreeMap<_, _> {
            let pools = config.balancer.pools.iter();
            let members = pools.flat_map(|(name, pool)| {
                pool.members.iter().map(|member| ((name.clone(), member.address), *member))
            });
            members.collect()
        };
        Self {
            virtual_servers: count_changes(
                &old.balancer.virtual_servers,
                &new.balancer.virtual_servers,
            ),
            pools: count_changes(&settings(old), &settings(new)),
            members: count_changes(&members(old), &members(new)),
        }
    }
}

fn count_changes<K: Ord, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Changed {
    let common = || new.iter().filter_map(|(key, value)| Some((old.get(key)?, value)));
    Changed {
        added: new.len() - common().count(),
        removed: old.len() - common().count(),
        changed: common().filter(|(before, after)| before != after).count(),
    }
}
