//! Kernel settings: `sysctl -a`, /etc/sysctl.conf and files of sysctl.d(5).

use super::host::{Host, Sysctl, SysctlName};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;

/// A setting of another part of the kernel.
const NOT_NET: &str = "kernel setting that is not of the network";
/// Parts of the kernel with settings (Documentation/admin-guide/sysctl).
const OTHERS: [&str; 10] =
    ["abi", "crypto", "debug", "dev", "fs", "kernel", "sunrpc", "user", "vm", "xen"];

/// A line `NAME = VALUE`. Whether it is one.
pub(super) fn line(line: &str, place: Place, host: &mut Host, report: &mut Report<'_>) -> bool {
    /// Most settings that are remembered.
    const MOST: usize = 20_000;
    let Some((name, value)) = line.split_once('=') else { return false };
    let (name, value) = (name.trim(), value.trim());
    // The dash makes systemd-sysctl ignore that the kernel lacks it.
    let name = name.strip_prefix('-').unwrap_or(name);
    let parts = parts(name);
    let is_part = |part: &String| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"/\"'\\{}".contains(&byte))
    };
    let (Some(first), true) = (parts.first(), parts.len() > 1 && parts.iter().all(is_part)) else {
        return false;
    };
    if OTHERS.contains(&first.as_str()) {
        report.left_out(place, NOT_NET);
        return true;
    }
    if first != "net" {
        return false;
    }
    let what = || format!("kernel setting {}", printable(name));
    if parts.iter().any(|part| part.contains(['*', '?', '['])) {
        report.not_imported(place, what(), "a pattern; give `sysctl -a`, which shows each setting");
        return true;
    }
    let name = match parts.as_slice() {
        [_, family, conf, interface, key] if conf == "conf" => SysctlName::Interface {
            family: family.clone(),
            interface: interface.clone(),
            key: key.clone(),
        },
        _ => SysctlName::Global(parts.join(".")),
    };
    if let Some(before) = host.sysctls.get(&name)
        && before.value != value
    {
        let why = format!(
            "{} has another value, {}; the later one is imported",
            report.at(before.place),
            printable(&before.value)
        );
        report.warn(place, what(), why);
    }
    if host.sysctls.len() < MOST {
        host.sysctls.insert(name, Sysctl { place, value: value.to_owned() });
    }
    true
}

/// The parts of a name. The first separator, a dot or a slash, is the one between parts; the other
/// stands for a dot in a part (sysctl.d(5)).
fn parts(name: &str) -> Vec<String> {
    match name.find(['.', '/']).and_then(|at| name.as_bytes().get(at)) {
        Some(b'/') => name.split('/').map(str::to_owned).collect(),
        _ => name.split('.').map(|part| part.replace('/', ".")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_dot_in_an_interfaces_name_is_kept() {
        for (name, interface) in [
            ("net.ipv4.conf.eth0.rp_filter", "eth0"),
            ("net.ipv4.conf.eth0/100.rp_filter", "eth0.100"),
            ("net/ipv4/conf/eth0.100/rp_filter", "eth0.100"),
        ] {
            let parts = parts(name);
            assert_eq!((parts.len(), parts[3].as_str()), (5, interface), "{name}");
        }
    }
}
