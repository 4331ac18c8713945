//! What a shell shows beside the output of commands: prompts, the commands themselves, headings.

use crate::text::has_word;

/// A prompt with what was typed there, a command alone, or a heading that a script printed.
pub(super) const COMMAND: &str = "prompt, command or heading";

/// Commands whose output is read, and what is typed around them.
const COMMANDS: &str = "ip sysctl ss netstat nstat cat grep head tail nft iptables iptables-save \
                        ip6tables-save sudo hostname uname ifconfig route exit logout date";
/// What follows `ip` in a command.
const OBJECTS: &str = "a ad add addr address l link r ro route ru rule n neigh tunnel tunl maddr";

/// Whether a line is what somebody typed, a prompt, or a heading between two outputs.
pub(super) fn is_typed(line: &str) -> bool {
    let line = line.trim();
    is_heading(line) || is_command(line, true) || behind_prompt(line).is_some()
}

/// `===== ip addr =====`, `--- ss ---`, `==> /etc/sysctl.conf <==`
fn is_heading(line: &str) -> bool {
    ["==", "--", "**", "##"].iter().any(|mark| line.starts_with(mark))
}

/// Whether a command begins here. Without a prompt it needs words that no output begins with.
fn is_command(text: &str, is_bare: bool) -> bool {
    let mut words = text.split_ascii_whitespace();
    let Some(first) = words.next() else { return false };
    let first = first.rsplit('/').next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    if !has_word(COMMANDS, first) {
        return false;
    }
    match (first, rest.as_slice()) {
        _ if !is_bare => true,
        ("ip", rest) => rest.iter().any(|word| has_word(OBJECTS, word)),
        (_, []) => first != "date",
        (_, [second, ..]) => {
            second.starts_with(['-', '/']) || has_word(COMMANDS, second) || *second == "list"
        }
    }
}

/// What follows a prompt of a shell: `root@web1:~# `, `[root@web1 ~]$ `, `web1$ `, `$ `, `# `, and the
/// `+ ` of `sh -x`.
fn behind_prompt(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("+ ") {
        return is_command(rest, false).then_some(rest);
    }
    let at = line.find(['#', '$', '%', '>'])?;
    let (prompt, rest) = (line.get(..at)?, line.get(at + 1..)?);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.@:~/[]() ".contains(c);
    if !prompt.chars().all(is_part) {
        return None;
    }
    let rest = rest.trim_start();
    let is_named = prompt.contains('@');
    (is_command(rest, false) || is_named && rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::is_typed;

    #[test]
    fn prompts_commands_and_headings_are_told_from_output() {
        for line in [
            "root@web1:~# ip addr",
            "[root@web1 ~]$ sudo sysctl -a",
            "$ ss -ltnu",
            "# ip -d link show",
            "+ ip route",
            "root@web1:~#",
            "ip a",
            "/sbin/ip -4 addr show dev lo",
            "sysctl -a",
            "cat /proc/net/snmp",
            "nft list ruleset",
            "==> /etc/sysctl.conf <==",
            "----- ip rule -----",
        ] {
            assert!(is_typed(line), "{line}");
        }
        for line in [
            "ip",
            "net.ipv4.conf.all.rp_filter = 1",
            "# net.ipv4.conf.all.rp_filter = 1",
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536",
            "default via 10.1.1.254 dev eth0",
            "0:\tfrom all lookup local",
            "Ip: 1 64 532",
            "-A INPUT -j DROP",
            "é# x",
        ] {
            assert!(!is_typed(line), "{line}");
        }
    }
}
