//! Changes of members, as another configuration. Pure.

use crate::protocol::{MemberName, MemberRatio};
use labsim_forwarder::{Config, Member};
use std::net::SocketAddr;

/// Adds a member to a pool.
pub(crate) fn add(config: &mut Config, what: &MemberRatio) -> Result<(), String> {
    let MemberRatio { pool, member, ratio } = what;
    let members = members(config, pool)?;
    if members.iter().any(|one| one.address == *member) {
        return Err(format!("{member} is a member of `{pool}` already; set its ratio instead"));
    }
    members.push(Member { address: *member, ratio: *ratio });
    Ok(())
}

/// Gives a member another ratio.
pub(crate) fn set(config: &mut Config, what: &MemberRatio) -> Result<(), String> {
    let place = place(config, &what.pool, what.member)?;
    members(config, &what.pool)?[place].ratio = what.ratio;
    Ok(())
}

/// Takes a member out of its pool.
pub(crate) fn remove(config: &mut Config, what: &MemberName) -> Result<(), String> {
    let MemberName { pool, member } = what;
    let place = place(config, pool, *member)?;
    let members = members(config, pool)?;
    if members.len() == 1 {
        return Err(format!(
            "{member} is the last member of `{pool}`, and a pool has one at least; drain it \
             (ratio 0) instead"
        ));
    }
    members.remove(place);
    Ok(())
}

fn members<'a>(config: &'a mut Config, pool: &str) -> Result<&'a mut Vec<Member>, String> {
    let known: Vec<&str> = config.pools.keys().map(String::as_str).collect();
    let unknown =
        format!("no pool is named `{}`; known: {}", pool.escape_debug(), known.join(", "));
    config.pools.get_mut(pool).map(|pool| &mut pool.members).ok_or(unknown)
}

fn place(config: &mut Config, pool: &str, member: SocketAddr) -> Result<usize, String> {
    let members = members(config, pool)?;
    members.iter().position(|one| one.address == member).ok_or_else(|| {
        let known: Vec<String> = members.iter().map(|one| one.address.to_string()).collect();
        format!("{member} is no member of `{pool}`; known: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{add, remove, set};
    use crate::protocol::{MemberName, MemberRatio};
    use labsim_forwarder::Config;

    fn config() -> Config {
        let text = r#"{"interface": "eth0", "virtual_servers": {},
            "pools": {"p": {"members": ["10.1.1.51:49", "10.1.1.52:49"]}}}"#;
        serde_json::from_str(text).unwrap()
    }

    fn member(pool: &str, member: &str, ratio: u16) -> MemberRatio {
        MemberRatio { pool: pool.to_owned(), member: member.parse().unwrap(), ratio }
    }

    fn name(pool: &str, address: &str) -> MemberName {
        MemberName { pool: pool.to_owned(), member: address.parse().unwrap() }
    }

    #[test]
    fn members_come_change_and_go() {
        let mut config = config();
        add(&mut config, &member("p", "10.1.1.53:49", 2)).unwrap();
        set(&mut config, &member("p", "10.1.1.51:49", 0)).unwrap();
        remove(&mut config, &name("p", "10.1.1.52:49")).unwrap();
        let members = config.pools["p"].members.iter();
        let members: Vec<_> = members.map(|one| (one.address.to_string(), one.ratio)).collect();
        assert_eq!(members, [("10.1.1.51:49".to_owned(), 0), ("10.1.1.53:49".to_owned(), 2)]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let mut config = config();
        let no_pool = add(&mut config, &member("q", "10.1.1.53:49", 1)).unwrap_err();
        assert_eq!(no_pool, "no pool is named `q`; known: p");
        let there = add(&mut config, &member("p", "10.1.1.51:49", 1)).unwrap_err();
        assert!(there.contains("already"), "{there}");
        let absent = set(&mut config, &member("p", "10.1.1.53:49", 1)).unwrap_err();
        assert_eq!(absent, "10.1.1.53:49 is no member of `p`; known: 10.1.1.51:49, 10.1.1.52:49");
        remove(&mut config, &name("p", "10.1.1.51:49")).unwrap();
        let last = remove(&mut config, &name("p", "10.1.1.52:49")).unwrap_err();
        assert!(last.contains("drain it"), "{last}");
    }
}
