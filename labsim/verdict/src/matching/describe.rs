//! What an expectation says about a frame, in words.

use labsim_scenario::model::{FrameMatch, OuterMatch};
use std::fmt::Display;

/// `in, source 192.168.11.201, ttl 126, flags S, outer (ttl 255, length 72)`; `any frame` if
/// nothing is printed.
pub(crate) fn describe(wanted: &FrameMatch) -> String {
    let mut words = Vec::new();
    words.extend(wanted.direction.map(|direction| direction.to_string()));
    say(&mut words, "source", wanted.source.as_ref());
    say(&mut words, "destination", wanted.destination.as_ref());
    say(&mut words, "protocol", wanted.protocol);
    say(&mut words, "source port", wanted.source_port);
    say(&mut words, "destination port", wanted.destination_port);
    say(&mut words, "ttl", wanted.ttl);
    say(&mut words, "length", wanted.length);
    say(&mut words, "tos", wanted.tos);
    words.extend(fragmenting(wanted.dont_fragment));
    say(&mut words, "flags", wanted.flags);
    say(&mut words, "seq", wanted.sequence);
    say(&mut words, "ack", wanted.acknowledgement);
    say(&mut words, "payload", wanted.payload);
    if let Some(icmp) = &wanted.icmp {
        say(&mut words, "icmp type", Some(icmp.kind));
        say(&mut words, "code", icmp.code);
    }
    match &wanted.outer {
        None => {}
        Some(None) => words.push("no outer header".to_owned()),
        Some(Some(outer)) => words.push(format!("outer ({})", describe_outer(outer))),
    }
    if words.is_empty() { "any frame".to_owned() } else { words.join(", ") }
}

fn describe_outer(outer: &OuterMatch) -> String {
    let mut words = Vec::new();
    say(&mut words, "source", outer.source.as_ref());
    say(&mut words, "destination", outer.destination.as_ref());
    say(&mut words, "protocol", outer.protocol);
    say(&mut words, "ttl", outer.ttl);
    say(&mut words, "length", outer.length);
    say(&mut words, "tos", outer.tos);
    words.extend(fragmenting(outer.dont_fragment));
    if words.is_empty() { "any".to_owned() } else { words.join(", ") }
}

fn fragmenting(dont_fragment: Option<bool>) -> Option<String> {
    dont_fragment.map(|set| if set { "DF set" } else { "DF not set" }.to_owned())
}

fn say(words: &mut Vec<String>, name: &str, value: Option<impl Display>) {
    words.extend(value.map(|value| format!("{name} {value}")));
}
