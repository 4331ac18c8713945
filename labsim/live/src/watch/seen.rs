//! What is seen of a lab at two moments, and what has happened between them. Pure.

use labsim_model::{count_of, outcome};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: BTreeMap<String, SeenNode>,
    /// How each thing that labsim started in a node ended, if it did; `None` while that is not known.
    pub(crate) running: Option<BTreeMap<(String, String), Option<String>>>,
}

/// What was seen of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenNode {
    /// What was changed since everything ran; `None` if it could not be read.
    pub(crate) changed: Option<BTreeSet<String>>,
    /// By how much counters of the kernel's drops have risen since the last time.
    pub(crate) drops: BTreeMap<String, u64>,
    /// What filters of the scenario have dropped, by hook and rule.
    pub(crate) filtered: BTreeMap<String, u64>,
    /// What its forwarder says, if it has one that answers.
    pub(crate) forwarder: Option<SeenForwarder>,
}

/// What a forwarder says.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenForwarder {
    /// State and reason of each monitored member, by pool and address.
    pub(crate) members: BTreeMap<(String, String), (String, String)>,
    /// Packets by outcome.
    pub(crate) counters: BTreeMap<String, u64>,
}

impl Seen {
    /// What has happened since `before`, a line each. What is not known now is taken from there.
    pub(crate) fn since(&mut self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, node) in &mut self.nodes {
            if let Some(before) = before.nodes.get(name) {
                lines.extend(node.since(before).into_iter().map(|line| format!("{name}: {line}")));
            }
        }
        match (&before.running, &self.running) {
            (Some(before), Some(now)) => {
                for ((node, what), ended) in now {
                    let was = before.get(&(node.clone(), what.clone()));
                    match (was, ended) {
                        (Some(None), Some(how)) => lines.push(format!("{node}: {what}: {how}")),
                        (Some(Some(_)), None) => lines.push(format!("{node}: {what} runs again")),
                        _ => {}
                    }
                }
            }
            (before, None) => self.running.clone_from(before),
            (None, Some(_)) => {}
        }
        lines
    }
}

impl SeenNode {
    fn since(&mut self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        match (&before.changed, &self.changed) {
            (Some(before), Some(now)) => {
                lines.extend(now.difference(before).map(|it| format!("changed: {it}")));
                lines
                    .extend(before.difference(now).map(|it| format!("not changed any more: {it}")));
            }
            (before, None) => self.changed.clone_from(before),
            (None, Some(_)) => {}
        }
        for (name, rise) in &self.drops {
            let packets = packets(*rise);
            let meaning = meaning(name);
            lines.push(format!("the kernel dropped {packets}: {meaning} ({name} +{rise})"));
        }
        for (rule, count) in &self.filtered {
            let rise = rise(before.filtered.get(rule), *count);
            if rise > 0 {
                lines.push(format!("a filter dropped {}: {rule}", packets(rise)));
            }
        }
        match (&before.forwarder, &mut self.forwarder) {
            (Some(before), Some(now)) => lines.extend(now.since(before)),
            // One that does not run says nothing, and has said what it said.
            (before, now @ None) => now.clone_from(before),
            (None, Some(_)) => {}
        }
        lines
    }
}

impl SeenForwarder {
    fn since(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (member, (state, reason)) in &self.members {
            let was = before.members.get(member).map(|(state, _)| state);
            if was != Some(state) {
                let (pool, member) = member;
                let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                lines.push(format!("member {member} of {pool} is {state}{because}"));
            }
        }
        for (name, why) in outcome::drops() {
            let now = self.counters.get(name).copied().unwrap_or_default();
            let rise = rise(before.counters.get(name), now);
            if rise > 0 {
                let packets = packets(rise);
                lines.push(format!("the forwarder dropped {packets}: {why} ({name} +{rise})"));
            }
        }
        lines
    }
}

/// By how much a counter has risen, which begins anew with what counts.
fn rise(before: Option<&u64>, now: u64) -> u64 {
    let before = before.copied().unwrap_or_default();
    now.checked_sub(before).unwrap_or(now)
}

fn packets(count: u64) -> String {
    count_of(usize::try_from(count).unwrap_or(usize::MAX), "packet")
}

/// What a counter of the kernel's drops counts (RFC 4293, and netstat's extension), as a clause.
fn meaning(name: &str) -> &'static str {
    const MEANINGS: [(&str, &str); 10] = [
        ("InAddrErrors", "their destination is no address of the node"),
        ("InHdrErrors", "their header is invalid, or their TTL is used up"),
        ("InUnknownProtos", "nothing takes their protocol"),
        ("InDiscards", "they were discarded though nothing is wrong with them"),
        ("OutDiscards", "they were not sent though nothing is wrong with them"),
        ("InNoRoutes", "there is no route for them"),
        ("OutNoRoutes", "there is no route for them"),
        ("IPReversePathFilter", "the reverse path filter refuses their source"),
        ("FragFails", "they are too long, and may not be fragmented"),
        ("InTooBigErrors", "they are too long for the next link"),
    ];
    let found = MEANINGS.iter().find(|(end, _)| name.ends_with(end));
    found.map_or("a reason that has only a name", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(change: impl FnOnce(&mut SeenNode)) -> Seen {
        let mut node = SeenNode { changed: Some(BTreeSet::new()), ..SeenNode::default() };
        change(&mut node);
        Seen { nodes: BTreeMap::from([("rs1".to_owned(), node)]), running: None }
    }

    fn forwarder(state: &str, no_flow: u64) -> Option<SeenForwarder> {
        let member = ("p".to_owned(), "10.1.1.51:49".to_owned());
        Some(SeenForwarder {
            members: BTreeMap::from([(member, (state.to_owned(), "refused".to_owned()))]),
            counters: BTreeMap::from([("no_flow".to_owned(), no_flow)]),
        })
    }

    #[test]
    fn changes_are_told_once_and_so_is_their_end() {
        let gone = || BTreeSet::from(["gone: address 172.16.4.99/32 on lo".to_owned()]);
        let built = node(|_| ());
        let mut broken = node(|node| node.changed = Some(gone()));
        assert_eq!(broken.since(&built), ["rs1: changed: gone: address 172.16.4.99/32 on lo"]);
        let mut unread = node(|node| node.changed = None);
        assert_eq!(unread.since(&broken), [""; 0]);
        let mut same = node(|node| node.changed = Some(gone()));
        assert_eq!(same.since(&unread), [""; 0]);
        assert_eq!(
            node(|_| ()).since(&same),
            ["rs1: not changed any more: gone: address 172.16.4.99/32 on lo"]
        );
    }

    #[test]
    fn members_and_drops_are_told_with_their_reasons_and_counters_may_begin_anew() {
        let up = node(|node| node.forwarder = forwarder("up", 5));
        let mut down = node(|node| node.forwarder = forwarder("down", 7));
        assert_eq!(
            down.since(&up),
            [
                "rs1: member 10.1.1.51:49 of p is down: refused",
                "rs1: the forwarder dropped 2 packets: it belongs to no flow and begins none \
                    (no_flow +2)"
            ]
            .map(|line| {
                let why = outcome::drops().find(|(name, _)| *name == "no_flow").unwrap().1;
                line.replace("it belongs to no flow and begins none", why)
            })
        );
        let mut silent = node(|_| ());
        assert_eq!(silent.since(&down), [""; 0]);
        let mut anew = node(|node| node.forwarder = forwarder("down", 1));
        let lines = anew.since(&silent);
        assert!(matches!(&lines[..], [one] if one.ends_with("(no_flow +1)")), "{lines:?}");
        let drops = BTreeMap::from([("IpInAddrErrors".to_owned(), 1)]);
        assert_eq!(
            node(|node| node.drops = drops).since(&node(|_| ())),
            ["rs1: the kernel dropped 1 packet: their destination is no address of the node \
                (IpInAddrErrors +1)"]
        );
    }

    #[test]
    fn what_ends_and_what_runs_again_is_told() {
        let running = |ended: Option<&str>| Seen {
            running: Some(BTreeMap::from([(
                ("rs1".to_owned(), "process radiusd".to_owned()),
                ended.map(str::to_owned),
            )])),
            ..Seen::default()
        };
        let mut ended = running(Some("ended with exit code 1"));
        assert_eq!(ended.since(&running(None)), ["rs1: process radiusd: ended with exit code 1"]);
        let mut busy = Seen::default();
        assert_eq!(busy.since(&ended), [""; 0]);
        assert_eq!(running(None).since(&busy), ["rs1: process radiusd runs again"]);
    }
}
