//! Which commands belong to which of ACOS's contexts.
//!
//! A device reads commands one by one, and blanks at their beginning mean nothing: a command is
//! the innermost context's that has such a command. Words as in the command reference of ACOS 2.7
//! to 5.2.

use super::lines::Line;
use crate::text::has_word;

/// What a command opens for the commands that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Server,
    ServerPort,
    Group,
    Member,
    Virtual,
    VirtualPort,
    Interface,
    HealthMonitor,
}

impl Context {
    /// The context that a command opens which belongs to `parent`.
    pub(super) fn opened_by(line: &Line, parent: Option<Self>) -> Option<Self> {
        match (parent, line.text(0), line.text(1)) {
            (_, "slb", "server") => Some(Self::Server),
            (_, "slb", "service-group") => Some(Self::Group),
            (_, "slb", "virtual-server") => Some(Self::Virtual),
            (None, "interface", _) => Some(Self::Interface),
            (None, "health", "monitor") => Some(Self::HealthMonitor),
            (Some(Self::Server), "port", _) => Some(Self::ServerPort),
            (Some(Self::Group), "member", _) => Some(Self::Member),
            (Some(Self::Virtual), "port", _) => Some(Self::VirtualPort),
            _ => None,
        }
    }

    /// Whether it has such a command, or its opposite `no …`.
    pub(super) fn has(self, line: &Line) -> bool {
        let at = usize::from(line.text(0) == "no");
        let (first, second) = (line.text(at), line.text(at + 1));
        let commands = match self {
            Self::Server => SERVER,
            Self::ServerPort => SERVER_PORT,
            Self::Group => GROUP,
            Self::Member => MEMBER,
            Self::Virtual => VIRTUAL,
            Self::VirtualPort => VIRTUAL_PORT,
            Self::HealthMonitor => HEALTH_MONITOR,
            Self::Interface => {
                return has_word(EVERYWHERE, first)
                    || has_word(INTERFACE, first)
                    || (["ip", "ipv6"].contains(&first) && has_word(INTERFACE_IP, second));
            }
        };
        has_word(EVERYWHERE, first) || has_word(commands, first)
    }
}

const EVERYWHERE: &str = "\
    disable disable-with-health-check enable extended-stats sampling-enable stats-data-disable stats-data-enable template \
    user-tag";

const SERVER: &str = "\
    alternate conn-limit conn-resume external-ip health-check health-check-disable \
    health-check-shared ipv6 port rate-limit slow-start spoofing-cache weight";

const SERVER_PORT: &str = "\
    alternate conn-limit conn-resume health-check health-check-disable health-check-follow-port \
    no-ssl weight";

const GROUP: &str = "\
    backup-server-event-log health-check health-check-disable member method min-active-member \
    priority priority-affinity pseudo-round-robin reset reset-on-server-selection-fail \
    sample-rsp-time stateless-auto-switch strict-select traffic-replication-mirror";

const MEMBER: &str = "conn-limit member-priority priority";

const VIRTUAL: &str = "\
    acl arp-disable description disable-when-all-ports-down disable-when-any-port-down ha-dynamic \
    ha-group migrate-vip port redistribute-route-map redistribution-flagged vport-disable-action \
    vrid";

const VIRTUAL_PORT: &str = "\
    access-list aflex alternate-port auto clientip-sticky-nat conn-limit def-selection-if-pref-failed \
    force-routing-mode gslb-enable ha-conn-mirror ipinip name no-auto-up-on-aflex no-dest-nat \
    no-logging on-syn redirect-to-https reset reset-on-server-selection-fail serv-sel-fail \
    service-group skip-rev-hash snat-on-vip source-nat syn-cookie use-default-if-no-server \
    use-rcv-hop-for-resp when-down";

const HEALTH_MONITOR: &str = "\
    disable-after-down dsr-l2-strict interval method override-ipv4 override-ipv6 override-port passive \
    retry ssl-ciphers strictly-retry-on-server-error-response timeout up-retry";

const INTERFACE: &str = "\
    access-list bfd cpu-process duplexity flow-control icmp-rate-limit lldp load-interval monitor \
    mtu name speed trunk-group";

const INTERFACE_IP: &str = "\
    address allow-promiscuous-vip cache-spoofing-port dhcp helper-address nat-inside ospf rip \
    slb-partition-redirect stateful-firewall ttl-ignore";
