//! Which lines of a scenario make which cause: the table of faults that labs are built with.

use crate::scenario::Words;
use crate::wiring::Wiring;
use labsim_codes::{Code, cause};

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) cause: Code,
    /// Tells the ways apart in which one cause is built; empty for the only or usual one.
    pub(crate) variant: &'static str,
    /// What is wrong, in words.
    pub(crate) what: &'static str,
    /// Words of the network that the lines have not and that it has to have, with blanks between.
    needs: &'static str,
    /// How its topology differs.
    pub(crate) wiring: Wiring,
    /// What changes, with words of the network, such as `<vip>`.
    change: &'static str,
}

/// All faults. A step `later` is the exchange after other steps.
const FAULTS: &[Fault] = &[
    Fault {
        cause: cause::TUNNEL_MISSING,
        variant: "",
        what: "The server has no tunnel device",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {tunnel: null, sysctls: {net.ipv4.conf.<device>.rp_filter: null}}}",
    },
    Fault {
        cause: cause::TUNNEL_DOWN,
        variant: "",
        what: "The server's tunnel device is down",
        needs: "",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {tunnel: {mode: <tunnel>, up: false}}}",
    },
    Fault {
        cause: cause::ENCAPSULATION_MISMATCH,
        variant: "",
        what: "The server's tunnel is of another kind than the load balancer's",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "real_servers:\n  servers:\n    tunnel: <other_tunnel>\n    sysctls: \
                 {net.ipv4.conf.<device>.rp_filter: null, net.ipv4.conf.<other_device>.rp_filter: 0}",
    },
    Fault {
        cause: cause::VIP_MISSING,
        variant: "",
        what: "The server does not have the VIP",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {vip: null}}",
    },
    Fault {
        cause: cause::RP_FILTER,
        variant: "",
        what: "The server's reverse path filter is strict on the tunnel device",
        needs: "",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {sysctls: {net.ipv4.conf.all.rp_filter: 0, \
                 net.ipv4.conf.<device>.rp_filter: 1}}}",
    },
    Fault {
        cause: cause::NO_ROUTE_TO_VIP,
        variant: "",
        what: "The router has no route to the VIP",
        needs: "",
        wiring: Wiring::Usual,
        change: "steps:\n  exchange: null\n  remove: {set_route: {node: <router>, to: <vip>, via: none}}\n  \
                 later: <exchange>",
    },
    Fault {
        cause: cause::NO_ROUTE,
        variant: "",
        what: "The server has no route to the client",
        needs: "server_gateway",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {sysctls: {net.ipv4.conf.all.rp_filter: 0}}}\n\n\
                 steps:\n  exchange: null\n  remove: {set_route: {node: server, to: 0.0.0.0/0, via: none}}\n  \
                 later: <exchange>",
    },
    Fault {
        cause: cause::FORWARDER_STOPPED,
        variant: "",
        what: "The load balancer does not forward",
        needs: "",
        wiring: Wiring::Usual,
        change: "steps:\n  exchange: null\n  stop: {kill_forwarder: {node: lb}}\n  later: <exchange>",
    },
    Fault {
        cause: cause::FORWARDER_DROPPED,
        variant: "",
        what: "The load balancer has no virtual server for the protocol",
        needs: "",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {virtual_servers: {vs: {ip_protocol: <other_protocol><without_fastl4>}}}}",
    },
    Fault {
        cause: cause::ROUTING_LOOP,
        variant: "",
        what: "The load balancer sends packets on as they are, to a server that it does not share a segment with",
        needs: "router",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {pools: {pool: {profile: none}}}}",
    },
    Fault {
        cause: cause::PORT_DIFFERS,
        variant: "",
        what: "The load balancer translates the port under Direct Server Return",
        needs: "",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {pools: {pool: {members: [\"<server>:<other_port>\"]}}}}\n\
                 <servers>: {service: {<listens>: <other_port>}}",
    },
    Fault {
        cause: cause::PORT_DIFFERS,
        variant: "untranslated",
        what: "The server listens at another port than clients ask",
        needs: "",
        wiring: Wiring::Usual,
        change: "load_balancers:\n  lb:\n    virtual_servers: {vs: {translate_port: false}}\n    pools: {pool: \
                 {members: [\"<server>:<other_port>\"]}}\n<servers>: {service: {<listens>: <other_port>}}",
    },
    Fault {
        cause: cause::DESTINATION_TRANSLATED,
        variant: "",
        what: "The load balancer translates the VIP, in the tunnel",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {virtual_servers: {vs: {translate_address: true}}}}",
    },
    Fault {
        cause: cause::DESTINATION_TRANSLATED,
        variant: "plain",
        what: "The load balancer translates the VIP, without a tunnel",
        needs: "",
        wiring: Wiring::Usual,
        change: "load_balancers:\n  lb:\n    virtual_servers: {vs: {translate_address: true}}\n    pools: {pool: \
                 {profile: none}}",
    },
    Fault {
        cause: cause::SOURCE_TRANSLATED,
        variant: "",
        what: "The load balancer translates the client's address, in the tunnel",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {virtual_servers: {vs: {source_address_translation: automap}}}}",
    },
    Fault {
        cause: cause::REPLY_FROM_OTHER_ADDRESS,
        variant: "",
        what: "The service answers from the server's own address",
        needs: "udp",
        wiring: Wiring::Usual,
        change: "<servers>: {service: {packet_info: false}}",
    },
    Fault {
        cause: cause::LINK_LOSSY,
        variant: "server",
        what: "The server's link loses what it sends",
        needs: "",
        wiring: Wiring::Usual,
        change: "impairments: {\"server:eth0\": {loss: 100%}}",
    },
    Fault {
        cause: cause::LINK_LOSSY,
        variant: "to-load-balancer",
        what: "The link to the load balancer loses what is sent to it",
        needs: "",
        wiring: Wiring::Usual,
        change: "impairments: {\"<router>:<router_balancer>\": {loss: 100%}}",
    },
    Fault {
        cause: cause::NEIGHBOUR_SILENT,
        variant: "",
        what: "The server does not answer the router's ARP: its link loses what is sent to it",
        needs: "",
        wiring: Wiring::Usual,
        change: "impairments: {\"<router>:<router_servers>\": {loss: 100%}}",
    },
    Fault {
        cause: cause::LINK_DOWN,
        variant: "",
        what: "The server's link is down",
        needs: "",
        wiring: Wiring::Usual,
        change: "steps:\n  exchange: null\n  unplug: {set_link: {node: server, interface: eth0, state: down}}\n  \
                 later: <exchange>",
    },
    Fault {
        cause: cause::FORWARDING_OFF,
        variant: "",
        what: "The router does not forward",
        needs: "",
        wiring: Wiring::RouterOff,
        change: "# The wiring alone.",
    },
    Fault {
        cause: cause::PROTOCOL_FILTERED,
        variant: "router",
        what: "A filter on the way to the server does not let the tunnel's protocol pass",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "filters:\n  firewall:\n    nodes: <router>\n    forward: {policy: drop, rules: \"meta l4proto \
                 <other_protocols> accept\"}",
    },
    Fault {
        cause: cause::PROTOCOL_FILTERED,
        variant: "server",
        what: "The server's filter does not let the tunnel's protocol pass",
        needs: "tunnel",
        wiring: Wiring::Usual,
        change: "filters:\n  firewall:\n    nodes: server\n    input: {policy: drop, rules: \"meta l4proto \
                 <other_protocols> accept\"}",
    },
    Fault {
        cause: cause::PROTOCOL_FILTERED,
        variant: "inner",
        what: "The server's filter does not let pass what comes out of the tunnel",
        needs: "",
        wiring: Wiring::Usual,
        change: "filters: {firewall: {nodes: server, input: \"iifname <device> drop\"}}",
    },
    Fault {
        cause: cause::OUTER_SOURCE_FILTERED,
        variant: "",
        what: "The router drops tunnel packets whose source is none of the load balancer's network",
        needs: "foreign_source",
        wiring: Wiring::Usual,
        change: "filters: {fabric: {nodes: <router>, forward: \"iifname <router_balancer> ip saddr != \
                 <balancer_net> drop\"}}",
    },
    Fault {
        cause: cause::REPLY_SOURCE_FILTERED,
        variant: "",
        what: "The router drops answers whose source is none of the server's network",
        needs: "",
        wiring: Wiring::Usual,
        change: "filters:\n  port_security:\n    nodes: <router>\n    prerouting: {priority: -300, rules: \
                 \"iifname <router_servers> ip saddr != <server_net> drop\"}",
    },
    Fault {
        cause: cause::HALF_FLOW_FILTERED,
        variant: "replies",
        what: "A stateful filter drops the answer to a SYN that it did not see",
        needs: "tcp",
        wiring: Wiring::ReplyFirewall,
        change: "filters:\n  stateful:\n    nodes: firewall\n    forward: [ct state invalid drop, \"ct state new tcp \
                 flags & (syn | ack) != syn drop\"]",
    },
    Fault {
        cause: cause::HALF_FLOW_FILTERED,
        variant: "requests",
        what: "A stateful filter drops what follows a SYN whose answer it did not see",
        needs: "tcp",
        wiring: Wiring::Usual,
        change: "filters: {stateful: {nodes: <balancer_router>, forward: \"ct state invalid drop\"}}",
    },
    Fault {
        cause: cause::CHECKSUM_UNFINISHED,
        variant: "",
        what: "The load balancer sends checksums on that the client left to a device",
        needs: "tcp",
        wiring: Wiring::Offloads,
        change: "load_balancers: {lb: {faults: [raw_checksums]}}",
    },
    Fault {
        cause: cause::MTU_BLACK_HOLE,
        variant: "",
        what: "A packet is too long for the tunnel, and the ICMP error does not reach its sender",
        needs: "router tunnel",
        wiring: Wiring::NarrowBalancer,
        change: "filters: {no_icmp: {nodes: <router>, forward: \"ip protocol icmp drop\"}}",
    },
    Fault {
        cause: cause::MTU_BLACK_HOLE,
        variant: "udp",
        what: "A datagram is too long for the tunnel, and its sender cannot send a shorter one",
        needs: "udp tunnel",
        wiring: Wiring::NarrowBalancer,
        change: "# The wiring alone.",
    },
    Fault {
        cause: cause::PMTU_ERROR_IGNORED,
        variant: "",
        what: "The ICMP error about a tunnel packet reaches the client, which does not know the tunnel",
        needs: "foreign_source",
        wiring: Wiring::NarrowServer,
        change: "# The wiring alone.",
    },
    Fault {
        cause: cause::SERVER_ANSWERS_ARP,
        variant: "",
        what: "The server answers ARP for the VIP",
        needs: "vip_segment",
        wiring: Wiring::Usual,
        change: "real_servers: {servers: {sysctls: {net.ipv4.conf.all.arp_ignore: null, \
                 net.ipv4.conf.all.arp_announce: null}}}",
    },
    Fault {
        cause: cause::NOT_LISTENING_AT_VIP,
        variant: "load-balancer",
        what: "The load balancer's own kernel has the VIP, and no virtual server takes the port",
        needs: "",
        wiring: Wiring::Usual,
        change: "load_balancers: {lb: {virtual_servers: {vs: {destination: \"<vip>:<other_port>\"}}}}\n\
                 real_servers: {balancer: {nodes: lb, vip: <vip>}}",
    },
    Fault {
        cause: cause::SECRET_MISMATCH,
        variant: "",
        what: "Client and server have different secrets",
        needs: "",
        wiring: Wiring::Usual,
        change: "<servers>: {service: {secret: other}}\n\nsteps: {exchange: {<login>: {secret: reproduced}}}",
    },
    Fault {
        cause: cause::NOT_LISTENING_AT_VIP,
        variant: "",
        what: "The service does not listen at the VIP",
        needs: "",
        wiring: Wiring::Usual,
        change: "<servers>: {service: {listen: own}}",
    },
    Fault {
        cause: cause::CLIENT_UNKNOWN,
        variant: "",
        what: "The server does not know the client",
        needs: "aaa",
        wiring: Wiring::Usual,
        change: "<servers>: {service: {clients: [<balancer>]}}",
    },
    Fault {
        cause: cause::BALANCER_BYPASSED,
        variant: "",
        what: "The router sends the VIP's packets to the server",
        needs: "",
        wiring: Wiring::Usual,
        change: "steps:\n  exchange: null\n  change: {set_route: {node: <router>, to: <vip>, via: <server_beside_router>}}\n  \
                 later: <exchange>",
    },
];

/// The faults that are cases of a cause.
pub(crate) fn of_cause(cause: Code) -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(move |fault| fault.cause == cause)
}

/// All faults.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter()
}

impl Fault {
    /// The name of its file without the ending.
    pub(crate) fn name(&self) -> String {
        if self.variant.is_empty() {
            self.cause.name().to_owned()
        } else {
            format!("{}-{}", self.cause.name(), self.variant)
        }
    }

    /// The step that is diagnosed.
    pub(crate) fn step(&self) -> &'static str {
        if self.change.contains("later: ") { "later" } else { "exchange" }
    }

    /// Its lines; `None` if the network has not what they are made of.
    pub(crate) fn lines(&self, words: &Words) -> Option<String> {
        let mut needs = self.needs.split_ascii_whitespace().chain(self.wiring.needs());
        if !needs.all(|need| words.contains_key(need)) {
            return None;
        }
        let mut lines = String::new();
        let mut rest = self.change;
        while let Some((before, after)) = rest.split_once('<') {
            let (word, after) = after.split_once('>')?;
            lines.push_str(before);
            lines.push_str(words.get(word)?);
            rest = after;
        }
        lines.push_str(rest);
        lines.push('\n');
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_faults_have_one_file() {
        let names: BTreeSet<String> = FAULTS.iter().map(Fault::name).collect();
        assert_eq!(names.len(), FAULTS.len());
    }
}
