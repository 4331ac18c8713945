//! Addresses, routes, rules and neighbours in the kernel's messages, which make again what they describe.

use super::{ask, dump};
use labsim_sys::netlink::{Request, Socket};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHopFlags,
};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// The kernel's own table of routes (rtnetlink(7)): what is in it follows from the addresses.
const LOCAL_TABLE: u32 = 255;

/// Messages, without what changes by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    pub(super) links: Vec<LinkMessage>,
    addresses: Vec<AddressMessage>,
    routes: Vec<RouteMessage>,
    rules: Vec<RuleMessage>,
    neighbours: Vec<NeighbourMessage>,
}

impl Messages {
    /// Those of the calling thread's namespace.
    pub(super) fn of_this_namespace() -> Self {
        Self {
            links: links(),
            addresses: addresses(),
            routes: routes(),
            rules: rules(),
            neighbours: neighbours(),
        }
    }

    /// Makes the addresses what they were.
    pub(super) fn restore_addresses(&self, refused: &mut Vec<String>) {
        let now = addresses();
        let is_gone = |one: &&AddressMessage| !has_address(&now, one);
        let gone: Vec<_> = self.addresses.iter().filter(is_gone).collect();
        // The first address of a network is the source of what is sent there: their order counts.
        let again = |one: &AddressMessage| {
            gone.iter().any(|gone| {
                let (this, that) = (&one.header, &gone.header);
                this.index == that.index && this.family == that.family
            })
        };
        for one in now.iter().filter(|one| again(one) || !has_address(&self.addresses, one)) {
            let delete = Request::new(RouteNetlinkMessage::DelAddress(one.clone()));
            // A network's further addresses go with its first one.
            let done = Socket::open().map_err(Into::into).and_then(|mut it| it.execute(delete));
            if let Err(refusal) = done
                && has_address(&addresses(), one)
            {
                refused.push(format!("{}: {refusal}", address_in_words(one)));
            }
        }
        for one in self.addresses.iter().filter(|one| again(one)) {
            let add = Request::create(RouteNetlinkMessage::NewAddress(one.clone()));
            ask(add, &address_in_words(one), refused);
        }
    }

    /// Makes routes, rules and neighbours what they were.
    pub(super) fn restore_routing(&self, refused: &mut Vec<String>) {
        use RouteNetlinkMessage as Message;
        exchange(&self.routes, routes, Message::DelRoute, Message::NewRoute, "a route", refused);
        exchange(&self.rules, rules, Message::DelRule, Message::NewRule, "a rule", refused);
        exchange(
            &self.neighbours,
            neighbours,
            Message::DelNeighbour,
            Message::NewNeighbour,
            "a neighbour",
            refused,
        );
    }
}

/// Deletes what is new, and makes what is gone. One may need another: whatever is refused is tried again
/// as long as something else succeeds.
fn exchange<M: Clone + PartialEq>(
    built: &[M],
    now: impl Fn() -> Vec<M>,
    delete: fn(M) -> RouteNetlinkMessage,
    make: fn(M) -> RouteNetlinkMessage,
    what: &str,
    refused: &mut Vec<String>,
) {
    let found = now();
    for one in found.iter().filter(|one| !built.contains(one)) {
        ask(Request::new(delete(one.clone())), what, refused);
    }
    let found = now();
    let mut missing: Vec<_> = built.iter().filter(|one| !found.contains(one)).collect();
    loop {
        let before = missing.len();
        let mut refusals = Vec::new();
        missing.retain(|one| {
            let tried = refusals.len();
            ask(Request::create(make((*one).clone())), what, &mut refusals);
            refusals.len() > tried
        });
        if missing.is_empty() || missing.len() == before {
            refused.append(&mut refusals);
            return;
        }
    }
}

fn links() -> Vec<LinkMessage> {
    let list = dump(RouteNetlinkMessage::GetLink(LinkMessage::default()));
    let links = list.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    });
    links.collect()
}

fn addresses() -> Vec<AddressMessage> {
    let list = dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    let addresses = list.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewAddress(address) => Some(bare_address(address)),
        _ => None,
    });
    addresses.collect()
}

/// Without its age, and the flags that say what the kernel makes of it.
fn bare_address(mut message: AddressMessage) -> AddressMessage {
    let kept = AddressFlags::Nodad | AddressFlags::Noprefixroute | AddressFlags::Homeaddress;
    message.attributes.retain(|it| !matches!(it, AddressAttribute::CacheInfo(_)));
    for attribute in &mut message.attributes {
        if let AddressAttribute::Flags(flags) = attribute {
            *flags &= kept;
        }
    }
    message.header.flags = netlink_packet_route::address::AddressHeaderFlags::empty();
    message
}

fn has_address(all: &[AddressMessage], wanted: &AddressMessage) -> bool {
    all.contains(wanted)
}

fn address_in_words(message: &AddressMessage) -> String {
    let find = |pick: fn(&AddressAttribute) -> Option<std::net::IpAddr>| {
        message.attributes.iter().find_map(pick)
    };
    let local = find(|it| match it {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = || {
        find(|it| match it {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    };
    match local.or_else(any) {
        Some(address) => format!("address {address}/{}", message.header.prefix_len),
        None => "an address".to_owned(),
    }
}

fn routes() -> Vec<RouteMessage> {
    let list = dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()));
    let routes = list.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewRoute(route) if !is_kernels(&route) => Some(bare_route(route)),
        _ => None,
    });
    routes.collect()
}

/// Whether a route follows from the addresses and devices alone.
fn is_kernels(route: &RouteMessage) -> bool {
    let table = route.attributes.iter().find_map(|it| match it {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    let to = route.attributes.iter().find_map(|it| match it {
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(*address),
        _ => None,
    });
    let of_link = to.is_some_and(|to| to.is_unicast_link_local() || to.is_multicast());
    let of_ip = matches!(route.header.address_family, AddressFamily::Inet | AddressFamily::Inet6);
    table.unwrap_or_else(|| route.header.table.into()) == LOCAL_TABLE || of_link || !of_ip
}

/// Without its age, and what the kernel makes of it.
fn bare_route(mut message: RouteMessage) -> RouteMessage {
    message.header.flags &= RouteFlags::Onlink;
    bare_attributes(&mut message.attributes);
    message
}

fn bare_attributes(attributes: &mut Vec<RouteAttribute>) {
    attributes
        .retain(|it| !matches!(it, RouteAttribute::CacheInfo(_) | RouteAttribute::Expires(_)));
    for attribute in attributes {
        if let RouteAttribute::MultiPath(hops) = attribute {
            for hop in hops {
                hop.flags &= RouteNextHopFlags::Onlink;
                bare_attributes(&mut hop.attributes);
            }
        }
    }
}

fn rules() -> Vec<RuleMessage> {
    let list = dump(RouteNetlinkMessage::GetRule(RuleMessage::default()));
    let rules = list.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewRule(rule) => Some(rule),
        _ => None,
    });
    let of_ip = |rule: &RuleMessage| {
        matches!(rule.header.family, AddressFamily::Inet | AddressFamily::Inet6)
    };
    rules.filter(of_ip).collect()
}

/// Those that were set by hand.
fn neighbours() -> Vec<NeighbourMessage> {
    let list = dump(RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()));
    let by_hand = list.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewNeighbour(mut one)
            if one.header.state == NeighbourState::Permanent =>
        {
            one.attributes.retain(|it| {
                matches!(
                    it,
                    NeighbourAttribute::Destination(_) | NeighbourAttribute::LinkLayerAddress(_)
                )
            });
            Some(one)
        }
        _ => None,
    });
    by_hand.collect()
}
