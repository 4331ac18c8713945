//! Names of capture points.

use std::collections::BTreeSet;
use std::path::Path;

/// What may name a point of a file.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// The host, by the prompt before its command.
    pub(super) host: Option<String>,
    /// The interface or device.
    pub(super) device: Option<String>,
}

/// Names the points of one file: by the name that the user gave, by their hosts, by their interfaces, or by the
/// file. `is_only_file`: no other file can have an interface of that name.
pub(super) fn names(
    given: Option<&str>,
    file: &str,
    points: &[Hints],
    is_only_file: bool,
    taken: &mut BTreeSet<String>,
) -> Vec<String> {
    let stem = Path::new(file).file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
    let has_several = points.len() > 1;
    let name = |hints: &Hints| match (given, &hints.host, &hints.device) {
        (Some(given), _, Some(device)) if has_several => format!("{given}:{device}"),
        (Some(given), ..) => given.to_owned(),
        (None, Some(host), Some(device)) if has_several => format!("{host}:{device}"),
        (None, Some(host), _) => host.clone(),
        (None, None, Some(device)) if has_several && is_only_file => device.clone(),
        (None, None, Some(device)) if has_several => format!("{stem}:{device}"),
        (None, None, _) => stem.to_string(),
    };
    points.iter().map(|hints| unique(name(hints), taken)).collect()
}

fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let free = (2..).map(|number| format!("{name}#{number}"));
    let found = std::iter::once(name.clone()).chain(free).find(|it| !taken.contains(it));
    let found = found.unwrap_or(name);
    taken.insert(found.clone());
    found
}

/// The host in a prompt such as `[user@host ~]$` or `user@host:~$`.
pub(super) fn host(prompt: &str) -> Option<String> {
    let (_, rest) = prompt.split_once('@')?;
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
    let host: String = rest.chars().take_while(|it| is_of_name(*it)).collect();
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(host: Option<&str>, device: Option<&str>) -> Hints {
        Hints { host: host.map(str::to_owned), device: device.map(str::to_owned) }
    }

    #[test]
    fn points_have_names_that_differ() {
        let mut taken = BTreeSet::new();
        let mut of =
            |given, points: &[Hints]| names(given, "dir/a.pcap.gz", points, false, &mut taken);
        assert_eq!(of(None, &[hints(None, None)]), ["a.pcap"]);
        assert_eq!(of(None, &[hints(None, None)]), ["a.pcap#2"]);
        assert_eq!(of(Some("client"), &[hints(Some("h"), Some("eth0"))]), ["client"]);
        let two = [hints(None, Some("eth0")), hints(None, Some("tunl0"))];
        assert_eq!(of(Some("rs1"), &two), ["rs1:eth0", "rs1:tunl0"]);
        assert_eq!(of(None, &two), ["a.pcap:eth0", "a.pcap:tunl0"]);
    }

    #[test]
    fn the_host_is_in_the_prompt() {
        assert_eq!(host("[violet@srv-services-01 ~]$").as_deref(), Some("srv-services-01"));
        assert_eq!(host("[jana@adc:Active:Standalone] ~ #").as_deref(), Some("adc"));
        assert_eq!(host("root@lb1:~#").as_deref(), Some("lb1"));
        assert_eq!(host("$"), None);
    }
}
