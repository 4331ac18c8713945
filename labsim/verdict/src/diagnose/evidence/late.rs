//! Replies that arrived after the client had given up.

use crate::diagnose::{Cause, Fix, Subject, fix};
use crate::frames::Frame;
use crate::messages::duration;
use labsim_codes::cause;
use labsim_scenario::model::{Attachment, Direction, LoginResult};
use labsim_wire::decode::Transport;
use labsim_wire::tcp::Flags;

use super::{came_in_at_client, place};

/// The first reply that came in at the client when its time was over, and where the exchange lost
/// most of that time.
pub(super) fn reply(subject: &Subject<'_>) -> Option<Cause> {
    if subject.attempt.result != LoginResult::Timeout {
        return None;
    }
    let frame = |index: &usize| subject.frame(*index);
    let began = frame(subject.forward.first()?)?.record.time_ns;
    let gave_up = began.saturating_add(subject.attempt.duration_ns);
    let came_in: Vec<usize> =
        subject.back.iter().copied().filter(|it| came_in_at_client(subject, *it)).collect();
    // A reply after others, or one that carries nothing, is not what the client waited for.
    let is = |index: &usize, what: fn(&Frame<'_>) -> bool| frame(index).is_some_and(|it| what(&it));
    let first = came_in.first().filter(|index| is(index, answers));
    let first_data = came_in.iter().find(|index| is(index, carries));
    let is_late = |index: &&usize| frame(index).is_some_and(|it| it.record.time_ns > gave_up);
    let late = first.filter(is_late).or(first_data.filter(is_late))?;
    let arrived = frame(late)?;
    let mut all: Vec<usize> = subject.forward.iter().chain(&subject.back).copied().collect();
    all.sort_unstable();
    all.retain(|index| index <= late);
    let pairs = all.windows(2).filter_map(|pair| match pair {
        [before, after] => Some((frame(before)?, frame(after)?)),
        _ => None,
    });
    let pause = |(before, after): &(Frame<'_>, Frame<'_>)| {
        after.record.time_ns.saturating_sub(before.record.time_ns)
    };
    let longest = pairs.max_by_key(pause)?;
    // The client's own wait is no one else's delay.
    if pause(&longest) < subject.attempt.duration_ns / 2
        || came_in_at_client(subject, longest.0.index)
    {
        return None;
    }
    let sentence = format!(
        "a reply reached the client {} after the exchange began, when it had given up ({}); the \
         longest pause, {}, was between {} and {}",
        duration(arrived.record.time_ns.saturating_sub(began)),
        duration(subject.attempt.duration_ns),
        duration(pause(&longest)),
        place(subject, &longest.0),
        place(subject, &longest.1)
    );
    let cause = match delaying(subject, pause(&longest)) {
        Some(end) => {
            let delay = subject.context.scenario.impairments.get(&end)?;
            let sentence = format!("{sentence}; the impaired link behind {end} has {delay}");
            let cause = Cause::new(cause::REPLY_LATE, sentence, fix::delay(&end));
            cause.at(&end.node).device(end.interface.as_str())
        }
        None => {
            let fix = Fix::new(cause::REPLY_LATE.remedy());
            let cause = Cause::new(cause::REPLY_LATE, sentence, fix).at(subject.at(&longest.0)?);
            cause.device(subject.interface(&longest.0))
        }
    };
    Some(subject.shown(cause, &[longest.0.index, longest.1.index, arrived.index]))
}

/// Whether a frame carries data.
fn carries(frame: &Frame<'_>) -> bool {
    match frame.decoded.packet().map(|packet| &packet.transport) {
        Some(Transport::Tcp(tcp)) => tcp.payload > 0,
        Some(Transport::Udp(udp)) => udp.payload > 0,
        _ => false,
    }
}

/// Whether a frame carries data or accepts a connection.
fn answers(frame: &Frame<'_>) -> bool {
    carries(frame) || frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::SYN))
}

/// The end of a link that the exchange passed and that keeps frames at least half as long as the pause;
/// of several the slowest.
fn delaying(subject: &Subject<'_>, pause: u64) -> Option<Attachment> {
    let impairments = subject.context.scenario.impairments.iter();
    let slow = impairments.filter(|(end, impairment)| {
        let frames = [&subject.forward, &subject.back];
        let sent = frames.iter().flat_map(|way| subject.seen_at(way, &end.node, Direction::Out));
        let mut sent = sent.filter_map(|index| subject.frame(index));
        impairment.delay.as_nanos() >= u128::from(pause / 2)
            && sent.any(|frame| subject.interface(&frame) == end.interface.as_str())
    });
    slow.max_by_key(|(_, impairment)| impairment.delay).map(|(end, _)| end.clone())
}
