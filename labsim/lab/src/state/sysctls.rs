//! The settings below `/proc/sys/net` that decide what becomes of packets.

use super::Reader;
use labsim_model::StatePart;
use labsim_model::node_state::{Device, Sysctls};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

/// Devices whose settings are read at most.
const MOST_DEVICES: usize = 64;
/// Bytes of a value that are kept at most.
const MOST_BYTES: u64 = 256;

/// Settings of a whole node, below `net.`.
const OF_NODE: [&str; 25] = [
    "core.default_qdisc",
    "ipv4.fib_multipath_hash_policy",
    "ipv4.icmp_echo_ignore_all",
    "ipv4.icmp_msgs_burst",
    "ipv4.icmp_msgs_per_sec",
    "ipv4.icmp_ratelimit",
    "ipv4.icmp_ratemask",
    "ipv4.ip_default_ttl",
    "ipv4.ip_early_demux",
    "ipv4.ip_forward",
    "ipv4.ip_forward_use_pmtu",
    "ipv4.ip_local_port_range",
    "ipv4.ip_no_pmtu_disc",
    "ipv4.ip_nonlocal_bind",
    "ipv4.ipfrag_high_thresh",
    "ipv4.ipfrag_time",
    "ipv4.tcp_base_mss",
    "ipv4.tcp_ecn",
    "ipv4.tcp_l3mdev_accept",
    "ipv4.tcp_mtu_probing",
    "ipv4.tcp_syn_retries",
    "ipv4.tcp_syncookies",
    "ipv4.tcp_timestamps",
    "ipv6.bindv6only",
    "ipv6.ip_nonlocal_bind",
];

/// Settings of `all`, `default` and each device, below `net.ipv4.conf.`.
const OF_IPV4: [&str; 16] = [
    "accept_local",
    "accept_redirects",
    "arp_accept",
    "arp_announce",
    "arp_filter",
    "arp_ignore",
    "arp_notify",
    "drop_gratuitous_arp",
    "drop_unicast_in_l2_multicast",
    "forwarding",
    "ignore_routes_with_linkdown",
    "proxy_arp",
    "route_localnet",
    "rp_filter",
    "send_redirects",
    "src_valid_mark",
];

/// The same below `net.ipv6.conf.`.
const OF_IPV6: [&str; 9] = [
    "accept_dad",
    "accept_ra",
    "accept_redirects",
    "disable_ipv6",
    "force_forwarding",
    "forwarding",
    "hop_limit",
    "mtu",
    "proxy_ndp",
];

/// Reads them in the calling thread's namespace. Those that this kernel does not have are left out.
pub(super) fn read(devices: &[Device], reader: &mut Reader) -> Sysctls {
    let mut found = BTreeMap::new();
    let mut add = |key: String, path: &str| match value(path) {
        Ok(value) => drop(found.insert(key, value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => reader.lacks(StatePart::Sysctls, format!("{key}: {error}")),
    };
    for name in OF_NODE {
        add(format!("net.{name}"), &name.replace('.', "/"));
    }
    let folders = ["all", "default"].into_iter();
    let names = devices.iter().take(MOST_DEVICES).map(|device| device.name.as_str());
    // No device's name has a slash (`dev_valid_name` of net/core/dev.c).
    for folder in folders.chain(names) {
        for (family, settings) in [("ipv4", &OF_IPV4[..]), ("ipv6", &OF_IPV6[..])] {
            for setting in settings {
                add(
                    format!("net.{family}.conf.{folder}.{setting}"),
                    &format!("{family}/conf/{folder}/{setting}"),
                );
            }
        }
    }
    if devices.len() > MOST_DEVICES {
        reader.lacks(StatePart::Sysctls, format!("of more than {MOST_DEVICES} devices"));
    }
    Sysctls(found)
}

fn value(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(format!("/proc/sys/net/{path}"))?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}
