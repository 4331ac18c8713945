//! The kernel's own settings by name, and the values that they accept.
//!
//! A file is judged alike on every machine: by this table, and not by the kernel that runs. What the
//! table has and a kernel has not is found when the lab is built, and skips the scenario.

use crate::text::quoted;
use labsim_yaml::meant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The kernel that the table was made from.
const KERNEL: &str = "Linux 6.18";

/// A name and what it accepts in each line; the file's head describes both.
const TABLE: &str = include_str!("names.txt");

static SETTINGS: LazyLock<BTreeMap<&str, Values>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).filter_map(parse).collect()
});

/// What a setting accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// An integer within these bounds.
    Integer { least: i64, most: i64 },
    /// So many integers.
    Integers(usize),
    /// Anything.
    Text,
}

fn parse<'t>((name, values): (&'t str, &str)) -> Option<(&'t str, Values)> {
    let bound = |text: &str, otherwise| match text {
        "" => Some(otherwise),
        text => text.parse().ok(),
    };
    let values = match values {
        "text" => Values::Text,
        "int" => Values::Integer { least: i64::MIN, most: i64::MAX },
        _ => match (values.strip_prefix("ints"), values.split_once("..")) {
            (Some(number), _) => Values::Integers(number.parse().ok()?),
            (None, Some((least, most))) => {
                Values::Integer { least: bound(least, i64::MIN)?, most: bound(most, i64::MAX)? }
            }
            (None, None) => return None,
        },
    };
    Some((name, values))
}

impl Values {
    /// Checks a value of the setting `key`.
    pub(super) fn check(self, key: &str, value: &str) -> Result<(), String> {
        let integer = |text: &str| text.parse::<i64>().ok();
        let is_accepted = match self {
            Self::Text => true,
            Self::Integer { least, most } => {
                integer(value.trim()).is_some_and(|value| (least..=most).contains(&value))
            }
            Self::Integers(number) => {
                let numbers: Vec<Option<i64>> = value.split_whitespace().map(integer).collect();
                numbers.len() == number && numbers.iter().all(Option::is_some)
            }
        };
        match is_accepted {
            true => Ok(()),
            false => {
                Err(format!("{} is not a value of {}; write {self}", quoted(value), quoted(key)))
            }
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => write!(f, "a text"),
            Self::Integers(number) => write!(f, "{number} integers"),
            Self::Integer { least: i64::MIN, most: i64::MAX } => write!(f, "an integer"),
            Self::Integer { least, most: i64::MAX } => write!(f, "an integer from {least} on"),
            Self::Integer { least, most } => write!(f, "an integer from {least} to {most}"),
        }
    }
}

/// The key as the table has it, and the part that `*` stands for.
fn pattern(key: &str) -> (String, Option<&str>) {
    let parts: Vec<&str> = key.split('.').collect();
    let place = match parts[..] {
        ["net", "ipv4" | "ipv6", "conf" | "neigh", _, _] | ["net", "mpls", "conf", _, _] => 3,
        ["net", "netfilter", "nf_log", _] => 3,
        _ => return (key.to_owned(), None),
    };
    let mut general = parts.clone();
    general[place] = "*";
    (general.join("."), Some(parts[place]))
}

/// What a setting accepts.
///
/// # Errors
/// A sentence: no kernel has it, and what may have been meant.
pub(super) fn find(key: &str) -> Result<Values, String> {
    let (general, part) = pattern(key);
    if let Some(values) = SETTINGS.get(general.as_str()) {
        return Ok(*values);
    }
    let remedy = match meant(&general, SETTINGS.keys().copied()) {
        Some(name) => {
            let name = part.map_or(name.to_owned(), |part| name.replace('*', part));
            format!("did you mean `{name}`? ({KERNEL} has none of that name")
        }
        None => format!("correct it ({KERNEL} has none of that name"),
    };
    Err(format!(
        "unknown kernel setting `{key}`; {remedy}; one of a newer kernel or of another module is \
         set by a `run` step with `sysctl -w`)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_has_a_name_of_its_own() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(SETTINGS.len(), lines.count());
        assert!(SETTINGS.len() > 500);
        assert!(SETTINGS.keys().all(|name| name.starts_with("net.") && name.is_ascii()));
    }

    #[test]
    fn settings_of_interfaces_are_known_for_each() {
        let rp_filter = Ok(Values::Integer { least: 0, most: 2 });
        for interface in ["all", "default", "lo", "eth0", "tunl0"] {
            assert_eq!(find(&format!("net.ipv4.conf.{interface}.rp_filter")), rp_filter);
        }
        assert_eq!(find("net.ipv4.tcp_rmem"), Ok(Values::Integers(3)));
        assert_eq!(find("net.netfilter.nf_log.2"), Ok(Values::Text));
    }

    #[test]
    fn a_misspelt_name_is_unknown_and_the_message_names_the_right_one() {
        for (wrong, right) in [
            ("net.ipv4.conf.all.rp_fliter", "net.ipv4.conf.all.rp_filter"),
            ("net.ipv4.tcp_timestamp", "net.ipv4.tcp_timestamps"),
            ("net.ipv6.conf.eth0.disable_ipv4", "net.ipv6.conf.eth0.disable_ipv6"),
        ] {
            let message = find(wrong).unwrap_err();
            let expected = format!("unknown kernel setting `{wrong}`; did you mean `{right}`?");
            assert!(message.starts_with(&expected), "{message}");
        }
        assert!(find("net.something.else").unwrap_err().contains("; correct it (Linux 6.18"));
    }

    #[test]
    fn a_value_that_the_kernel_rejects_is_rejected_with_what_it_accepts() {
        let check = |key: &str, value: &str| find(key).and_then(|values| values.check(key, value));
        for (key, good, bad, accepted) in [
            ("net.ipv4.tcp_sack", "1", "99999", "an integer from 0 to 255"),
            ("net.ipv4.ip_default_ttl", "255", "0", "an integer from 1 to 255"),
            ("net.ipv4.conf.all.rp_filter", "2", "a b", "an integer from 0 to 2"),
            ("net.core.somaxconn", "4096", "-1", "an integer from 0 on"),
            ("net.ipv4.tcp_fin_timeout", "30", "30s", "an integer"),
            ("net.ipv4.tcp_rmem", "4096 87380  6291456", "4096 87380", "3 integers"),
            ("net.ipv4.tcp_rmem", "4096 87380 6291456", "4096 x 87380 6291456", "3 integers"),
        ] {
            assert_eq!(check(key, good), Ok(()), "{key} = {good}");
            let message = format!("`{bad}` is not a value of `{key}`; write {accepted}");
            assert_eq!(check(key, bad), Err(message));
        }
        assert_eq!(check("net.ipv4.tcp_congestion_control", "cubic"), Ok(()));
    }
}
