//! `labsim forwarder ctl`.

use crate::args::{Ctl, Order, PoolMember};
use crate::exit::Exit;
use crate::{forwarder, say};
use labsim_control::{Address, Answer, MemberName, MemberRatio, Request, Status, ask};
use labsim_forwarder::Changes;
use labsim_monitor::{Health, State};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

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
            let health = status.health.get(&server.pool).and_then(|pool| pool.get(&address));
            let state = match (counted.reachable, health.map(|health| health.state)) {
                (false, _) => "unreachable",
                (true, Some(State::Down)) => "down",
                (true, _) if member.ratio == 0 => "drained",
                (true, Some(state)) => state.word(),
                (true, None) => "unmonitored",
            };
            let _ = writeln!(
                text,
                "    {address:<21} {state:<11} ratio {:<5} {} flows, {} opened, {} packets",
                member.ratio, counted.flows, counted.flows_opened, counted.sent.packets
            );
            if let Some(health) = health {
                let _ = writeln!(text, "      {}", said(health));
            }
        }
    }
    text
}

/// `up for 12 s; 3 of 40 probes failed; 10.1.1.51:49: nobody listens (refused)`
fn said(health: &Health) -> String {
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(health.since_ms);
    let seconds = since.elapsed().unwrap_or_default().as_secs();
    let (state, failed, probes) = (health.state.word(), health.failed, health.probes);
    let reason = if health.reason.is_empty() { "not probed yet" } else { &health.reason };
    format!("{state} for {seconds} s; {failed} of {probes} probes failed; {reason}")
}
