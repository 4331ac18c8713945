//! `labsim forwarder ctl`.

use crate::args::{Ctl, Order, PoolMember};
use crate::exit::Exit;
use crate::{forwarder, say};
use labsim_control::{Address, Answer, MemberName, MemberRatio, Request, Status, ask};
use labsim_forwarder::Changes;
use std::fmt::Write as _;

/// Asks the forwarder of the present network namespace. What it refuses is a failure, and a
/// forwarder that is not there too.
pub(crate) fn ctl(args: &Ctl) -> Exit {
    let request = match request(&args.order) {
        Ok(request) => request,
        Err(exit) => return exit,
    };
    match ask(&Address::from(args.socket.clone()), &request) {
        Ok(Answer::Refused(reasons)) => {
            reasons.iter().for_each(say::problem);
            Exit::Failed
        }
        Ok(answer) => {
            tell(&answer, &args.order);
            Exit::Success
        }
        Err(error) => {
            say::problem(error);
            Exit::CannotRun
        }
    }
}

fn request(order: &Order) -> Result<Request, Exit> {
    let with = |PoolMember { pool, member }: &PoolMember, ratio| MemberRatio {
        pool: pool.clone(),
        member: *member,
        ratio,
    };
    Ok(match order {
        Order::Status { .. } => Request::Status,
        Order::Metrics => Request::Metrics,
        Order::Reload { file: None } => Request::Reload,
        Order::Reload { file: Some(file) } => {
            let config = forwarder::read(file).map_err(|mistakes| {
                say::mistakes(mistakes);
                Exit::Invalid
            })?;
            Request::Configure(Box::new(config))
        }
        Order::Add { member, ratio } => Request::AddMember(with(member, *ratio)),
        Order::Set { member, ratio } => Request::SetMember(with(member, *ratio)),
        Order::Drain(member) => Request::SetMember(with(member, 0)),
        Order::Remove(PoolMember { pool, member }) => {
            Request::RemoveMember(MemberName { pool: pool.clone(), member: *member })
        }
    })
}

fn tell(answer: &Answer, order: &Order) {
    match (answer, order) {
        (Answer::Status(_), Order::Status { json: true }) => say::answer(answer),
        (Answer::Status(status), _) => say::line(table(status).trim_end()),
        (Answer::Metrics(text), _) => say::line(text.trim_end()),
        (Answer::Changed(changes), _) => say::line(changed(changes)),
        _ => say::answer(answer),
    }
}

/// `members: 1 added, 2 changed`
fn changed(changes: &Changes) -> String {
    let kinds = [
        ("virtual servers", changes.virtual_servers),
        ("pools", changes.pools),
        ("members", changes.members),
    ];
    let mut told = Vec::new();
    for (kind, it) in kinds {
        let figures = [(it.added, "added"), (it.removed, "removed"), (it.changed, "changed")];
        let figures = figures.into_iter().filter(|(count, _)| *count > 0);
        let figures: Vec<_> = figures.map(|(count, how)| format!("{count} {how}")).collect();
        if !figures.is_empty() {
            told.push(format!("{kind}: {}", figures.join(", ")));
        }
    }
    if told.is_empty() { "nothing has changed".to_owned() } else { told.join("; ") }
}

/// Each virtual server, its pool's members below it.
fn table(status: &Status) -> String {
    let (config, engine) = (&status.config, &status.counted.engine);
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, server) in &config.virtual_servers {
        let counted = engine.virtual_servers.get(name).copied().unwrap_or_default();
        let protocol = match server.ip_protocol {
            labsim_forwarder::IpProtocol::Tcp => "tcp",
            labsim_forwarder::IpProtocol::Udp => "udp",
        };
        let _ = writeln!(
            text,
            "virtual server {name} {protocol} {}: {} flows, {} opened, {} packets",
            server.destination, counted.flows, counted.flows_opened, counted.taken.packets
        );
        let Some(pool) = config.pools.get(&server.pool) else { continue };
        let _ = writeln!(text, "  pool {}", server.pool);
        for member in &pool.members {
            let address = member.address.to_string();
            let members = engine.members.get(&server.pool);
            let counted = members.and_then(|members| members.get(&address).copied());
            let counted = counted.unwrap_or_default();
            let state = match (counted.reachable, member.ratio) {
                (false, _) => "unreachable",
                (true, 0) => "drained",
                (true, _) => "up",
            };
            let _ = writeln!(
                text,
                "    {address:<21} {state:<11} ratio {:<5} {} flows, {} opened, {} packets",
                member.ratio, counted.flows, counted.flows_opened, counted.sent.packets
            );
        }
    }
    text
}
