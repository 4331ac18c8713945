//! Settings below `/proc/sys/net`, and which value is in force where several are set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings by their dotted keys, such as `net.ipv4.conf.all.rp_filter`. A device's name keeps its
/// dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sysctls(
    /// Each with its value as it was read, without white space around it.
    pub BTreeMap<String, String>,
);

impl Sysctls {
    /// A setting; `None` if it was not read, or the kernel does not have it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A setting that is a whole number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<i64> {
        self.get(key)?.parse().ok()
    }

    /// A setting of IPv4 of a device, of `all`, or of `default`.
    #[must_use]
    pub fn ipv4(&self, device: &str, name: &str) -> Option<i64> {
        self.number(&format!("net.ipv4.conf.{device}.{name}"))
    }

    /// A setting of IPv6 of a device, of `all`, or of `default`.
    #[must_use]
    pub fn ipv6(&self, device: &str, name: &str) -> Option<i64> {
        self.number(&format!("net.ipv6.conf.{device}.{name}"))
    }

    /// Reverse path filtering that is in force on a device: the greater value of its own and
    /// `all`'s (ip-sysctl of the kernel). 0 none, 1 strict, 2 loose.
    #[must_use]
    pub fn rp_filter(&self, device: &str) -> Option<i64> {
        self.greater(device, "rp_filter")
    }

    /// Which ARP requests a device answers: the greater value of its own and `all`'s.
    #[must_use]
    pub fn arp_ignore(&self, device: &str) -> Option<i64> {
        self.greater(device, "arp_ignore")
    }

    /// Which addresses a device names as its own in ARP requests: the greater value of its own and
    /// `all`'s.
    #[must_use]
    pub fn arp_announce(&self, device: &str) -> Option<i64> {
        self.greater(device, "arp_announce")
    }

    /// Whether a device takes packets from the node's own addresses: if its own or `all`'s is set.
    #[must_use]
    pub fn accept_local(&self, device: &str) -> Option<bool> {
        Some(self.greater(device, "accept_local")? > 0)
    }

    /// Whether a device answers ARP only for what would be routed out of it: if its own or `all`'s
    /// is set.
    #[must_use]
    pub fn arp_filter(&self, device: &str) -> Option<bool> {
        Some(self.greater(device, "arp_filter")? > 0)
    }

    /// Whether IPv4 packets that come in by a device are forwarded: its own setting alone, which
    /// `net.ipv4.ip_forward` sets on all devices when it changes.
    #[must_use]
    pub fn forwards_ipv4(&self, device: &str) -> Option<bool> {
        Some(self.ipv4(device, "forwarding")? > 0)
    }

    /// Whether IPv6 packets are forwarded: `all`'s setting alone, for every device (ip-sysctl;
    /// Linux 6.17 has `force_forwarding` of a device beside it).
    #[must_use]
    pub fn forwards_ipv6(&self, device: &str) -> Option<bool> {
        let forced = self.ipv6(device, "force_forwarding").is_some_and(|value| value > 0);
        Some(forced || self.ipv6("all", "forwarding")? > 0)
    }

    /// Whether the device has no IPv6: its own setting alone, which `all`'s sets when it changes.
    #[must_use]
    pub fn ipv6_disabled(&self, device: &str) -> Option<bool> {
        Some(self.ipv6(device, "disable_ipv6")? > 0)
    }

    /// As `IN_DEV_MAXCONF` of linux/inetdevice.h.
    fn greater(&self, device: &str, name: &str) -> Option<i64> {
        Some(self.ipv4(device, name)?.max(self.ipv4("all", name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysctls(all: &[(&str, &str)]) -> Sysctls {
        Sysctls(all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_greater_of_all_and_the_device_is_in_force() {
        let set = sysctls(&[
            ("net.ipv4.conf.all.rp_filter", "1"),
            ("net.ipv4.conf.tunl0.rp_filter", "0"),
            ("net.ipv4.conf.eth0.rp_filter", "2"),
            ("net.ipv4.conf.all.arp_ignore", "0"),
            ("net.ipv4.conf.eth0.arp_ignore", "1"),
            ("net.ipv4.conf.all.accept_local", "0"),
            ("net.ipv4.conf.eth0.accept_local", "0"),
        ]);
        assert_eq!((set.rp_filter("tunl0"), set.rp_filter("eth0")), (Some(1), Some(2)));
        assert_eq!((set.arp_ignore("eth0"), set.arp_ignore("tunl0")), (Some(1), None));
        assert_eq!(set.accept_local("eth0"), Some(false));
    }

    #[test]
    fn forwarding_is_a_devices_own_in_ipv4_and_the_hosts_in_ipv6() {
        let set = sysctls(&[
            ("net.ipv4.conf.all.forwarding", "1"),
            ("net.ipv4.conf.eth0.forwarding", "0"),
            ("net.ipv6.conf.all.forwarding", "1"),
            ("net.ipv6.conf.eth0.forwarding", "0"),
            ("net.ipv6.conf.eth0.disable_ipv6", "1"),
        ]);
        assert_eq!(set.forwards_ipv4("eth0"), Some(false));
        assert_eq!(set.forwards_ipv6("eth0"), Some(true));
        assert_eq!(set.ipv6_disabled("eth0"), Some(true));
        assert_eq!(set.ipv6_disabled("eth1"), None);
    }

    #[test]
    fn a_value_that_is_no_number_is_text_only() {
        let set = sysctls(&[("net.ipv4.ip_local_port_range", "32768\t60999")]);
        assert_eq!(set.get("net.ipv4.ip_local_port_range"), Some("32768\t60999"));
        assert_eq!(set.number("net.ipv4.ip_local_port_range"), None);
    }
}
