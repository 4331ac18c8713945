//! What a forwarder's configuration differs in from the one that it was given. Pure.

use labsim_model::{AdminState, ForwarderConfig, Member, Pool};

/// What `running`, which has no secrets, differs in from `given`: members, a phrase each, and that anything
/// else does.
pub(in crate::components) fn differences(
    given: &ForwarderConfig,
    running: &ForwarderConfig,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = running.clone();
    for (name, pool) in &given.balancer.pools {
        let Some(now) = rest.balancer.pools.get_mut(name) else { continue };
        members(name, pool, now, &mut found);
        now.members.clone_from(&pool.members);
    }
    let (is, was) = (rest.balancer.failover_state, given.balancer.failover_state);
    if is != was {
        found.push(format!("the load balancer is {}, was {}", is.word(), was.word()));
        rest.balancer.failover_state = was;
    }
    if rest != given.clone().without_secrets() {
        found.push(
            "the forwarder was given another configuration by `labsim forwarder ctl reload`"
                .to_owned(),
        );
    }
    found
}

/// `running` with the members that were changed in `was`, in pools whose members the new configuration
/// has as the old one had them.
pub(in crate::components) fn keep_members(
    new: &ForwarderConfig,
    old: &ForwarderConfig,
    running: &ForwarderConfig,
) -> ForwarderConfig {
    let mut kept = new.clone();
    for (name, pool) in &mut kept.balancer.pools {
        let members = |config: &ForwarderConfig| {
            config.balancer.pools.get(name).map(|pool| pool.members.clone())
        };
        if members(old).as_ref() == Some(&pool.members)
            && let Some(now) = members(running)
        {
            pool.members = now;
        }
    }
    kept
}

fn members(pool: &str, was: &Pool, now: &Pool, found: &mut Vec<String>) {
    let of = |all: &Pool, member: &Member| {
        all.members.iter().find(|one| one.address == member.address).cloned()
    };
    for member in was.members.iter().filter(|member| of(now, member).is_none()) {
        found.push(format!("gone: member {} of {pool}", member.address));
    }
    for member in &now.members {
        let address = member.address;
        let Some(before) = of(was, member) else {
            let ratio = (member.ratio != 1).then(|| format!(", ratio {}", member.ratio));
            let is_enabled = member.state == AdminState::Enabled;
            let state = (!is_enabled).then(|| format!(", {}", member.state.word()));
            let further: String = ratio.into_iter().chain(state).collect();
            found.push(format!("new: member {address} of {pool}{further}"));
            continue;
        };
        if member.state != before.state {
            let (is, was) = (member.state.word(), before.state.word());
            found.push(format!("member {address} of {pool} is {is}, was {was}"));
        }
        if member.ratio != before.ratio {
            let (is, was) = (member.ratio, before.ratio);
            found.push(format!("the ratio of member {address} of {pool} is {is}, was {was}"));
        }
        if member.profile != before.profile {
            found.push(format!("member {address} of {pool} has another profile"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_model::FailoverState;

    fn config(members: &[&str], source: &str) -> ForwarderConfig {
        let text = format!(
            r#"{{"interface": "eth0", "outer_source": "{source}", "virtual_servers": {{}},
                "pools": {{"p": {{"members": [{}]}}}}}}"#,
            members.join(", ")
        );
        serde_json::from_str(&text).unwrap()
    }

    const ONE: &str = r#"{"address": "10.1.1.51:49"}"#;
    const TWO: &str = r#"{"address": "10.1.1.52:49"}"#;
    const TWO_DISABLED: &str = r#"{"address": "10.1.1.52:49", "state": "disabled", "ratio": 2}"#;
    const THREE: &str = r#"{"address": "10.1.1.53:49", "ratio": 0}"#;

    #[test]
    fn members_that_came_went_or_changed_are_named_and_nothing_else() {
        let given = config(&[ONE, TWO], "egress");
        assert_eq!(differences(&given, &given), [""; 0]);
        assert_eq!(
            differences(&given, &config(&[TWO_DISABLED, THREE], "egress")),
            [
                "gone: member 10.1.1.51:49 of p",
                "member 10.1.1.52:49 of p is disabled, was enabled",
                "the ratio of member 10.1.1.52:49 of p is 2, was 1",
                "new: member 10.1.1.53:49 of p, ratio 0",
            ]
        );
        let mut standby = given.clone();
        standby.balancer.failover_state = FailoverState::Standby;
        let state = differences(&given, &standby);
        assert_eq!(state, ["the load balancer is standby, was active"]);
        let other = differences(&given, &config(&[ONE, TWO], "client"));
        assert!(other.len() == 1 && other[0].contains("another configuration"), "{other:?}");
    }

    #[test]
    fn members_stay_as_they_are_unless_the_new_configuration_has_others() {
        let (given, running) = (config(&[ONE, TWO], "egress"), config(&[TWO_DISABLED], "egress"));
        let members = |config: &ForwarderConfig| config.balancer.pools["p"].members.clone();
        let same = keep_members(&config(&[ONE, TWO], "client"), &given, &running);
        assert_eq!(members(&same), members(&running));
        let others = keep_members(&config(&[ONE, THREE], "client"), &given, &running);
        assert_eq!(members(&others), members(&config(&[ONE, THREE], "client")));
    }
}
