//! How many labs that stay up a machine's limits allow. Pure, but for [`Limits::read`].

use labsim_model::count_of;
use labsim_scenario::model::Scenario;
use std::fs::read_to_string;

/// Bytes of memory that a lab of the default size takes while it is up.
const LAB_BYTES: u64 = 11_200_000;
/// A limit of namespaces that is enough for a class.
const MANY: u64 = 15_000;

const NET_NAMESPACES: &str = "user.max_net_namespaces";
const USER_NAMESPACES: &str = "user.max_user_namespaces";
const OPEN_FILES: &str = "RLIMIT_NOFILE";

/// The limits of a machine and of this user. `None` where the kernel does not tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// [`NET_NAMESPACES`].
    pub(super) net_namespaces: Option<u64>,
    /// [`USER_NAMESPACES`].
    pub(super) user_namespaces: Option<u64>,
    /// The hard limit, to which labsim raises its own.
    pub(super) open_files: Option<u64>,
    /// Bytes that are available.
    pub(super) memory: Option<u64>,
    /// How many labs of this user are up.
    pub(super) up: u64,
}

/// What a lab needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabSize {
    pub(super) nodes: u64,
    pub(super) open_files: u64,
}

/// What is said of the limits.
#[derive(Debug)]
pub(super) struct Findings {
    /// A name and a sentence each.
    pub(super) lines: Vec<(&'static str, String)>,
    /// Whether they allow a lab.
    pub(super) suffice: bool,
}

impl Limits {
    /// Reads those of this process. To be called before it moves into a user namespace, which has its
    /// own.
    pub(super) fn read(up: usize) -> Self {
        let setting = |name: &str| number(&format!("/proc/sys/{}", name.replace('.', "/")));
        Self {
            net_namespaces: setting(NET_NAMESPACES),
            user_namespaces: setting(USER_NAMESPACES),
            open_files: labsim_lab::open_files_limit(),
            memory: read_to_string("/proc/meminfo").ok().as_deref().and_then(available),
            up: up as u64,
        }
    }

    /// What they mean for labs of a size. `makes_user_namespaces`: each lab has one of its own.
    pub(super) fn judge(&self, size: LabSize, makes_user_namespaces: bool) -> Findings {
        let LabSize { nodes, open_files } = size;
        let mut findings = Findings { lines: Vec::new(), suffice: true };
        // Each node has one, and what connects them.
        let net =
            findings.namespaces("net namespaces", NET_NAMESPACES, self.net_namespaces, nodes + 1);
        let own = u64::from(makes_user_namespaces);
        let user =
            findings.namespaces("user namespaces", USER_NAMESPACES, self.user_namespaces, own);
        findings.add("open files", OPEN_FILES, self.open_files, |limit| {
            let figures = format!("{limit} ({OPEN_FILES}), {open_files} for a lab");
            let remedy = format!(
                "raise the hard limit to {open_files} or more: `ulimit -Hn` as root, LimitNOFILE= of a \
                 service"
            );
            (limit >= open_files, format!("{figures}; each lab has the limit for itself"), figures, remedy)
        });
        let memory = self.memory.map(|bytes| bytes / LAB_BYTES);
        findings.add("memory", "MemAvailable", self.memory, |bytes| {
            let (lab, more) =
                (megabytes(LAB_BYTES), count_of(whole(bytes / LAB_BYTES), "more lab"));
            let figures = format!("{} MB available, {lab} MB for a lab", megabytes(bytes));
            let remedy = "end programs, or labs with `labsim down`".to_owned();
            (bytes >= LAB_BYTES, format!("{figures}: {more}"), figures, remedy)
        });
        let files = self.open_files.filter(|limit| *limit < open_files).map(|_| 0);
        let rest = [net, user].map(|labs| labs.map(|labs| labs.saturating_sub(self.up)));
        if let Some(more) = rest.into_iter().chain([memory, files]).flatten().min() {
            let up = match self.up {
                1 => "1 is up".to_owned(),
                up => format!("{up} are up"),
            };
            let size = count_of(whole(nodes), "node");
            let more = format!("{up}; at most {more} more of the default size, {size}");
            findings.lines.push(("labs", more));
        }
        findings
    }
}

impl Findings {
    /// Judges a limit of namespaces, and returns for how many labs it suffices.
    fn namespaces(
        &mut self,
        name: &'static str,
        setting: &'static str,
        limit: Option<u64>,
        each: u64,
    ) -> Option<u64> {
        self.add(name, setting, limit, |limit| {
            let figures = format!("{limit} ({setting}), {each} for a lab");
            let remedy = format!("raise it with `sysctl -w {setting}={MANY}`");
            let labs = limit.checked_div(each);
            let fine = match labs {
                Some(labs) => format!("{figures}: {}", count_of(whole(labs), "lab")),
                None => format!("{limit} ({setting}), none for a lab"),
            };
            (limit >= each, fine, figures, remedy)
        });
        limit.and_then(|limit| limit.checked_div(each))
    }

    /// Adds what is said of a limit: whether it suffices, the sentence if so, else figures and remedy.
    fn add(
        &mut self,
        name: &'static str,
        source: &str,
        limit: Option<u64>,
        judge: impl FnOnce(u64) -> (bool, String, String, String),
    ) {
        let text = match limit.map(judge) {
            None => format!("unknown: {source} cannot be read"),
            Some((true, fine, ..)) => format!("ok: {fine}"),
            Some((false, _, figures, remedy)) => {
                self.suffice = false;
                format!("too small: {figures}; {remedy}")
            }
        };
        self.lines.push((name, text));
    }
}

impl LabSize {
    /// That of a scenario's lab.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let nodes = scenario.topology.nodes.len() as u64;
        Self { nodes, open_files: labsim_runner::open_files(scenario) }
    }
}

/// `11.2`
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn number(file: &str) -> Option<u64> {
    read_to_string(file).ok()?.trim().parse().ok()
}

/// The bytes of `MemAvailable` (proc_meminfo(5)).
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: LabSize = LabSize { nodes: 6, open_files: 200 };

    fn enough() -> Limits {
        Limits {
            net_namespaces: Some(70),
            user_namespaces: Some(9),
            open_files: Some(1024),
            memory: Some(100_000_000),
            up: 2,
        }
    }

    fn said(limits: &Limits, makes_user_namespaces: bool) -> (String, bool) {
        let Findings { lines, suffice } = limits.judge(SIZE, makes_user_namespaces);
        let lines: Vec<String> =
            lines.iter().map(|(name, text)| format!("{name} {text}")).collect();
        (lines.join("\n"), suffice)
    }

    #[test]
    fn each_limit_has_its_figures_and_the_smallest_counts() {
        let text = "net namespaces ok: 70 (user.max_net_namespaces), 7 for a lab: 10 labs\n\
            user namespaces ok: 9 (user.max_user_namespaces), 1 for a lab: 9 labs\n\
            open files ok: 1024 (RLIMIT_NOFILE), 200 for a lab; each lab has the limit for itself\n\
            memory ok: 100.0 MB available, 11.2 MB for a lab: 8 more labs\n\
            labs 2 are up; at most 7 more of the default size, 6 nodes";
        assert_eq!(said(&enough(), true), (text.to_owned(), true));
        let (text, suffice) = said(&Limits { user_namespaces: Some(0), ..enough() }, false);
        assert!(suffice && text.contains("ok: 0 (user.max_user_namespaces), none for a lab\n"));
        assert!(text.ends_with("at most 8 more of the default size, 6 nodes"), "{text}");
    }

    #[test]
    fn a_limit_that_is_too_small_is_named_with_the_remedy() {
        for (limits, line) in [
            (
                Limits { net_namespaces: Some(6), ..enough() },
                "net namespaces too small: 6 (user.max_net_namespaces), 7 for a lab; raise it with \
                 `sysctl -w user.max_net_namespaces=15000`",
            ),
            (
                Limits { user_namespaces: Some(0), ..enough() },
                "user namespaces too small: 0 (user.max_user_namespaces), 1 for a lab; raise it with \
                 `sysctl -w user.max_user_namespaces=15000`",
            ),
            (
                Limits { open_files: Some(199), ..enough() },
                "open files too small: 199 (RLIMIT_NOFILE), 200 for a lab; raise the hard limit to 200 ",
            ),
            (
                Limits { memory: Some(11_199_999), ..enough() },
                "memory too small: 11.1 MB available, 11.2 MB for a lab; end programs, or labs",
            ),
        ] {
            let (text, suffice) = said(&limits, true);
            assert!(!suffice && text.contains(line), "{text}");
            assert!(text.contains("at most 0 more"), "{text}");
        }
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_said_and_is_no_limit() {
        let (text, suffice) = said(&Limits::default(), true);
        assert!(suffice && !text.contains("\nlabs "), "{text}");
        assert!(text.contains("memory unknown: MemAvailable cannot be read"), "{text}");
    }

    #[test]
    fn the_memory_that_is_available_is_in_kibibytes() {
        assert_eq!(available("MemFree: 1 kB\nMemAvailable:     2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemFree: 1 kB\n"), None);
    }
}
