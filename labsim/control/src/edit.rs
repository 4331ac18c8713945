//! Changes of members as edits of a configuration. Pure.

use crate::protocol::{MemberName, MemberSettings, NewMember};
use labsim_forwarder::{Config, Member};
use std::net::SocketAddr;

/// Adds a member to a pool.
pub(crate) fn add(config: &mut Config, what: &NewMember) -> Result<(), String> {
    let NewMember { pool, member, ratio, profile, state } = what;
    let members = members(config, pool)?;
    if members.iter().any(|one| one.address == *member) {
        return Err(format!(
            "{member} is already a member of `{pool}`; set its ratio or state instead"
        ));
    }
    members.push(Member { address: *member, ratio: *ratio, profile: *profile, state: *state });
    Ok(())
}

/// Gives a member another ratio, another state, or both.
pub(crate) fn set(config: &mut Config, what: &MemberSettings) -> Result<(), String> {
    let index = position(config, &what.pool, what.member)?;
    let member = &mut members(config, &what.pool)?[index];
    member.ratio = what.ratio.unwrap_or(member.ratio);
    member.state = what.state.unwrap_or(member.state);
    Ok(())
}

/// Removes a member from its pool.
pub(crate) fn remove(config: &mut Config, what: &MemberName) -> Result<(), String> {
    let MemberName { pool, member } = what;
    let index = position(config, pool, *member)?;
    let members = members(config, pool)?;
    if members.len() == 1 {
        return Err(format!(
            "{member} is the last member of `{pool}`, and a pool needs at least one; drain it \
             (ratio 0) instead"
        ));
    }
    members.remove(index);
    Ok(())
}

fn members<'a>(config: &'a mut Config, pool: &str) -> Result<&'a mut Vec<Member>, String> {
    let known: Vec<&str> = config.balancer.pools.keys().map(String::as_str).collect();
    let unknown = format!("unknown pool `{}`; known: {}", pool.escape_debug(), known.join(", "));
    config.balancer.pools.get_mut(pool).map(|pool| &mut pool.members).ok_or(unknown)
}

fn position(config: &mut Config, pool: &str, member: SocketAddr) -> Result<usize, String> {
    let members = members(config, pool)?;
    members.iter().position(|one| one.address == member).ok_or_else(|| {
        let known: Vec<String> = members.iter().map(|one| one.address.to_string()).collect();
        format!("unknown member {member} of `{pool}`; known: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{add, remove, set};
    use crate::protocol::{MemberName, MemberSettings, NewMember};
    use labsim_forwarder::Config;
    use labsim_model::AdminState;

    fn config() -> Config {
        let text = r#"{"interface": "eth0", "virtual_servers": {},
            "pools": {"p": {"members": ["10.1.1.51:49", "10.1.1.52:49"]}}}"#;
        labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap()
    }

    fn new(pool: &str, member: &str, ratio: u16) -> NewMember {
        let (pool, member) = (pool.to_owned(), member.parse().unwrap());
        NewMember { pool, member, ratio, profile: None, state: AdminState::Enabled }
    }

    fn settings(member: &str, ratio: Option<u16>, state: Option<AdminState>) -> MemberSettings {
        MemberSettings { pool: "p".to_owned(), member: member.parse().unwrap(), ratio, state }
    }

    fn name(pool: &str, address: &str) -> MemberName {
        MemberName { pool: pool.to_owned(), member: address.parse().unwrap() }
    }

    #[test]
    fn members_come_change_and_go() {
        let mut config = config();
        add(&mut config, &new("p", "10.1.1.53:49", 2)).unwrap();
        set(&mut config, &settings("10.1.1.51:49", Some(0), None)).unwrap();
        set(&mut config, &settings("10.1.1.53:49", None, Some(AdminState::Disabled))).unwrap();
        remove(&mut config, &name("p", "10.1.1.52:49")).unwrap();
        let members = config.balancer.pools["p"].members.iter();
        let members: Vec<_> =
            members.map(|one| (one.address.to_string(), one.ratio, one.state)).collect();
        assert_eq!(
            members,
            [
                ("10.1.1.51:49".to_owned(), 0, AdminState::Enabled),
                ("10.1.1.53:49".to_owned(), 2, AdminState::Disabled)
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let mut config = config();
        let no_pool = add(&mut config, &new("q", "10.1.1.53:49", 1)).unwrap_err();
        assert_eq!(no_pool, "unknown pool `q`; known: p");
        let there = add(&mut config, &new("p", "10.1.1.51:49", 1)).unwrap_err();
        assert!(there.contains("already"), "{there}");
        let absent = set(&mut config, &settings("10.1.1.53:49", Some(1), None)).unwrap_err();
        assert_eq!(absent, "unknown member 10.1.1.53:49 of `p`; known: 10.1.1.51:49, 10.1.1.52:49");
        remove(&mut config, &name("p", "10.1.1.51:49")).unwrap();
        let last = remove(&mut config, &name("p", "10.1.1.52:49")).unwrap_err();
        assert!(last.contains("drain it"), "{last}");
    }
}
