//! `labsim forwarder ctl`.

use crate::args::{Ctl, CtlCommand, PoolMember};
use crate::exit::Exit;
use crate::{forwarder, output};
use labsim_control::{
    Address, Answer, MemberName, MemberSettings, NewMember, Request, Status, ask,
};
use labsim_forwarder::{AdminState, Changes, FailoverState};
use labsim_monitor::{Health, State};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

/// Sends a command to the forwarder of the current network namespace. A rejected command exits
/// with [`Exit::Failed`], a missing forwarder with [`Exit::CannotRun`].
pub(crate) fn ctl(args: &Ctl) -> Exit {
    let request = match request(&args.command) {
        Ok(request) => request,
        Err(exit) => return exit,
    };
    match ask(&Address::from(args.control.clone()), &request) {
        Ok(Answer::Refused(reasons)) => {
            reasons.iter().for_each(output::error);
            Exit::Failed
        }
        Ok(answer) => {
            print_answer(&answer, &args.command);
            Exit::Success
        }
        Err(error) => {
            output::error(error);
            Exit::CannotRun
        }
    }
}

fn request(command: &CtlCommand) -> Result<Request, Exit> {
    let set = |PoolMember { pool, member }: &PoolMember, ratio, state| {
        Request::SetMember(MemberSettings { pool: pool.clone(), member: *member, ratio, state })
    };
    Ok(match command {
        CtlCommand::Status { .. } => Request::Status,
        CtlCommand::Metrics => Request::Metrics,
        CtlCommand::Reload { file: None } => Request::Reload,
        CtlCommand::Reload { file: Some(file) } => {
            let config = forwarder::read_config(file).map_err(|diagnostics| {
                output::diagnostics(diagnostics);
                Exit::Invalid
            })?;
            Request::Configure(Box::new(config))
        }
        CtlCommand::Add { member: PoolMember { pool, member }, ratio, state } => {
            let state = state.map_or(AdminState::Enabled, AdminState::from);
            let (pool, member) = (pool.clone(), *member);
            Request::AddMember(NewMember { pool, member, ratio: *ratio, profile: None, state })
        }
        CtlCommand::Set { member, ratio, state } => set(member, *ratio, state.map(Into::into)),
        CtlCommand::Drain(member) => set(member, Some(0), None),
        CtlCommand::Remove(PoolMember { pool, member }) => {
            Request::RemoveMember(MemberName { pool: pool.clone(), member: *member })
        }
    })
}

fn print_answer(answer: &Answer, command: &CtlCommand) {
    match (answer, command) {
        (Answer::Status(_), CtlCommand::Status { json: true }) => output::answer(answer),
        (Answer::Status(status), _) => output::line(status_table(status).trim_end()),
        (Answer::Metrics(text), _) => output::line(text.trim_end()),
        (Answer::Changed(changes), _) => output::line(describe_changes(changes)),
        _ => output::answer(answer),
    }
}

/// `members: 1 added, 2 changed`
fn describe_changes(changes: &Changes) -> String {
    let kinds = [
        ("virtual servers", changes.virtual_servers),
        ("pools", changes.pools),
        ("members", changes.members),
    ];
    let mut parts = Vec::new();
    for (kind, it) in kinds {
        let figures = [(it.added, "added"), (it.removed, "removed"), (it.changed, "changed")];
        let figures = figures.into_iter().filter(|(count, _)| *count > 0);
        let figures: Vec<_> = figures.map(|(count, how)| format!("{count} {how}")).collect();
        if !figures.is_empty() {
            parts.push(format!("{kind}: {}", figures.join(", ")));
        }
    }
    if parts.is_empty() { "no change".to_owned() } else { parts.join("; ") }
}

/// Each virtual server, with its pool's members below it.
fn status_table(status: &Status) -> String {
    let (config, engine) = (&status.config, &status.counted.engine);
    let mut text = String::new();
    if config.balancer.failover_state == FailoverState::Standby {
        text.push_str("the load balancer is on standby\n");
    }
    if status.counted.data_plane.is_about_acceleration() {
        let _ = writeln!(text, "data plane: {}", status.counted.data_plane);
    }
    // Writing to a string cannot fail.
    for (name, server) in &config.balancer.virtual_servers {
        let counted = engine.virtual_servers.get(name).copied().unwrap_or_default();
        let protocol = match server.ip_protocol {
            labsim_forwarder::IpProtocol::Tcp => "tcp",
            labsim_forwarder::IpProtocol::Udp => "udp",
        };
        let _ = writeln!(
            text,
            "virtual server {name} {protocol} {}: {} flows, {} opened, {} packets",
            server.destination, counted.flows, counted.flows_opened, counted.received.packets
        );
        let Some(pool) = config.balancer.pools.get(&server.pool) else { continue };
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
                (true, _) if !member.state.is_enabled() => member.state.word(),
                (true, _) if member.ratio == 0 => "drained",
                (true, Some(state)) => state.name(),
                (true, None) => "unmonitored",
            };
            let by_record = match counted.flows_by_persistence {
                0 => String::new(),
                count => format!(" ({count} by persistence)"),
            };
            let _ = writeln!(
                text,
                "    {address:<21} {state:<11} ratio {:<5} {} flows, {} opened{by_record}, {} packets",
                member.ratio, counted.flows, counted.flows_opened, counted.sent.packets
            );
            if let Some(health) = health {
                let _ = writeln!(text, "      {}", describe_health(health));
            }
        }
    }
    text
}

/// `up for 12 s; 3 of 40 probes failed; connected`
fn describe_health(health: &Health) -> String {
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(health.since_ms);
    let seconds = since.elapsed().unwrap_or_default().as_secs();
    let (state, failed, probes) = (health.state.name(), health.failed, health.probes);
    let reason = if health.reason.is_empty() { "not probed yet" } else { &health.reason };
    format!("{state} for {seconds} s; {failed} of {probes} probes failed; {reason}")
}
