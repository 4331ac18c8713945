//! Kernel settings. A key becomes a path below `/proc/sys/net`, so what it may hold is checked
//! here and nowhere else.

mod known;

use super::Report;
use crate::model::Setting;
use crate::text::{is_plain, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Scalar, Table};
use std::collections::BTreeMap;

/// Longest key and longest value in bytes; the kernel's own are far below.
const LONGEST: usize = 200;
/// Most settings of one node.
const MOST: usize = 512;

/// What one node's settings may speak of.
pub(super) struct Scope<'a> {
    /// Whether the node has an interface of this name.
    pub(super) has_interface: &'a dyn Fn(&str) -> bool,
    /// What to say of an interface that it has not.
    pub(super) otherwise: &'a str,
}

/// Reads a table of settings.
pub(super) fn sysctls(
    table: &Table<Located<Scalar>>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    if let Some((key, _)) = table.iter().nth(MOST) {
        report.limit(key.span, table.len(), MOST, "kernel setting");
        return settings;
    }
    for (key, value) in table.iter() {
        let key_ok =
            report.take_as(key.span, file::SYSCTL_INVALID, check_key(key, scope)).is_some();
        let text = &value.value.0;
        let value_ok =
            report.take_as(value.span, file::SYSCTL_INVALID, check_value(text)).is_some();
        if !key_ok || !value_ok {
            continue;
        }
        let Some(values) = report.take_as(key.span, file::UNKNOWN_NAME, known::find(key)) else {
            continue;
        };
        report.take_as(value.span, file::SYSCTL_INVALID, values.check(key, text));
        let setting = Setting { value: text.clone(), place: report.place(key.span) };
        settings.insert(key.value.clone(), setting);
    }
    settings
}

fn check_key(key: &str, scope: &Scope<'_>) -> Result<(), String> {
    let shown = quoted(key);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if key.len() > LONGEST {
        return Err(format!("the kernel setting {shown} has more than {LONGEST} bytes"));
    }
    if key.contains('/') {
        return Err(format!("{shown} holds a `/`; write the name with dots"));
    }
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) || !key.bytes().all(allowed) {
        return Err(format!(
            "{shown} is not a valid kernel setting; write one such as `net.ipv4.tcp_timestamps`"
        ));
    }
    if parts[0] != "net" || parts.len() < 3 {
        return Err(format!(
            "{shown} is not a setting of a network namespace; write one that begins with `net.`, such \
             as `net.ipv4.tcp_timestamps`"
        ));
    }
    match parts[1..] {
        ["ipv4", "ip_forward"] | ["ipv4" | "ipv6", "conf", "all", "forwarding"] => {
            Err(format!("{shown} is what `forward: true` sets; write that in the topology's node"))
        }
        ["ipv4" | "ipv6", "conf" | "neigh", interface, _]
            if !["all", "default", "lo"].contains(&interface)
                && !(scope.has_interface)(interface) =>
        {
            Err(format!("{shown}: {}", scope.otherwise.replace("{}", &quoted(interface))))
        }
        ["ipv4" | "ipv6", "conf" | "neigh", _, _] => Ok(()),
        ["ipv4" | "ipv6", "conf" | "neigh", ..] => Err(format!(
            "{shown} is not a valid kernel setting; an interface's have one more name after the \
             interface's, such as `net.ipv4.conf.eth0.rp_filter`, and no dot in the interface's"
        )),
        _ => Ok(()),
    }
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        Err("an empty kernel setting; write its value".to_owned())
    } else if value.len() > LONGEST {
        Err(format!("this kernel setting has more than {LONGEST} bytes"))
    } else if !value.chars().all(is_plain) {
        Err("a kernel setting is one line without control characters; write it so".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str) -> Result<(), String> {
        let scope =
            Scope { has_interface: &|name| name == "eth0", otherwise: "unknown interface {}" };
        check_key(key, &scope)
    }

    #[test]
    fn settings_of_the_network_namespace_are_taken() {
        for key in [
            "net.ipv4.ip_default_ttl",
            "net.ipv4.conf.all.rp_filter",
            "net.ipv4.conf.eth0.rp_filter",
            "net.ipv6.conf.lo.disable_ipv6",
            "net.core.somaxconn",
        ] {
            assert_eq!(check(key), Ok(()), "{key}");
        }
    }

    #[test]
    fn a_key_that_would_leave_proc_sys_net_is_refused() {
        for key in [
            "kernel.core_pattern",
            "net",
            "net.ipv4",
            "net../../kernel.x",
            "net.ipv4..x",
            "net.ipv4.conf/all/rp_filter",
            ".net.ipv4.x",
            "net.ipv4.conf.eth0",
            "net.ipv4.conf.eth0.100.rp_filter",
            "net.ipv4.x\0",
            "net.ipv4.é",
            "",
        ] {
            assert!(check(key).is_err(), "{key}");
        }
    }

    #[test]
    fn forwarding_has_one_switch_and_interfaces_must_exist() {
        assert!(check("net.ipv4.ip_forward").is_err_and(|said| said.contains("forward: true")));
        assert_eq!(
            check("net.ipv4.conf.eth1.rp_filter"),
            Err("`net.ipv4.conf.eth1.rp_filter`: unknown interface `eth1`".to_owned())
        );
    }

    #[test]
    fn a_value_of_two_lines_is_refused() {
        assert!(check_value("1\n2").is_err());
        assert!(check_value("").is_err());
        assert_eq!(check_value("4096 87380 6291456"), Ok(()));
    }
}
