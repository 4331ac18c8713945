//! What the servers made of packets that arrived.

use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject};
use crate::observe::ServerEntry;
use crate::servers;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, LoginResult, NodeName};

/// Causes by the servers' own logs and the client's: a login that was rejected, a client that is
/// not known, secrets that differ.
pub(super) fn logged(subject: &Subject<'_>) -> Vec<Cause> {
    let entries = servers::entries(subject.context, subject.step, subject.attempt);
    let mut causes: Vec<Cause> = Vec::new();
    for entry in &entries {
        let Some(cause) = of_entry(subject, entry) else { continue };
        match causes.iter_mut().find(|it| it.is_like(&cause)) {
            Some(known) => known.count += 1,
            None => causes.push(cause),
        }
    }
    let detail = &subject.attempt.detail;
    if causes.is_empty() && detail.contains("secrets differ") {
        causes.extend(replying_node(subject).map(|node| secrets(subject, node).packets(1)));
    }
    if causes.is_empty() && detail.contains("(no-message-authenticator") {
        causes.extend(replying_node(subject).map(|node| unauthenticated(subject, node)));
    }
    causes
}

fn of_entry(subject: &Subject<'_>, entry: &ServerEntry) -> Option<Cause> {
    let (node, outcome) = (&entry.node, entry.outcome.as_str());
    let own = subject.flow.source.ip();
    let cause = if outcome.starts_with("refused") {
        let seen = entry.client.ip();
        if seen == own {
            let sentence =
                format!("{node} refused the client {seen}: it is not in its list of clients");
            Cause::new(cause::CLIENT_UNKNOWN, sentence, fix::client(subject, node, seen)).at(node)
        } else {
            return source_translated(subject, Some(entry));
        }
    } else if outcome.starts_with("protocol error") {
        secrets(subject, node)
    } else if outcome.ends_with("FAIL") && subject.attempt.result == LoginResult::Fail {
        let user = entry.user.as_deref().unwrap_or("the user");
        let sentence = format!("{node} rejected the login of {user}: user or password are wrong");
        Cause::new(cause::LOGIN_REJECTED, sentence, fix::login(node)).at(node)
    } else {
        return None;
    };
    Some(cause.packets(1))
}

fn secrets(subject: &Subject<'_>, node: &NodeName) -> Cause {
    let detail = &subject.attempt.detail;
    let sentence = format!(
        "{node} and {} cannot read each other's packets: their shared secrets differ, most likely \
         (the client: {detail})",
        subject.client
    );
    Cause::new(cause::SECRET_MISMATCH, sentence, fix::secret(subject, node)).at(node)
}

/// The client drops replies that carry no Message-Authenticator.
fn unauthenticated(subject: &Subject<'_>, node: &NodeName) -> Cause {
    let (client, detail) = (&subject.client, &subject.attempt.detail);
    let sentence = format!(
        "the replies of {node} arrived, and {client} dropped them: they carry no Message-Authenticator \
         (the client: {detail})"
    );
    let fix = fix::message_authenticator(subject, node);
    Cause::new(cause::REPLY_UNAUTHENTICATED, sentence, fix).at(node).packets(1)
}

/// The node that replied first.
fn replying_node<'a>(subject: &Subject<'a>) -> Option<&'a NodeName> {
    subject.back.iter().find_map(|index| {
        let frame = subject.frame(*index)?;
        (frame.record.direction == Direction::Out).then(|| subject.at(&frame)).flatten()
    })
}

/// The load balancer translated the source: the server does not see the client's own address, and
/// its replies return through the load balancer.
pub(super) fn source_translated(
    subject: &Subject<'_>,
    refused: Option<&ServerEntry>,
) -> Option<Cause> {
    let carriers = subject.context.frames.carriers(subject.flow);
    let own = subject.flow;
    let carrier = carriers.iter().find(|it| {
        it.source.ip() != own.source.ip()
            && it.source.ip() != own.destination.ip()
            // Under SNAT on purpose the destination is translated too.
            && (refused.is_some() || it.destination.ip() == own.destination.ip())
    })?;
    let frames: Vec<usize> = subject.context.frames.of_flow(*carrier).collect();
    let first = subject.frame(*frames.first()?)?;
    let node = super::sender(subject, &first)?;
    let seen = carrier.source.ip();
    let effect = match refused {
        Some(entry) => format!("{} refuses that client", entry.node),
        None => "the server does not see the client, and its replies return through it".to_owned(),
    };
    let sentence = format!("{node} translated the source {} to {seen}: {effect}", own.source.ip());
    let fix = fix::source_translation(subject);
    let cause = Cause::new(cause::SOURCE_TRANSLATED, sentence, fix).at(node);
    let sent = subject.seen_at(&frames, node, Direction::Out);
    Some(subject.shown(cause, &sent))
}
