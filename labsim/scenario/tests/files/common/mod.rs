//! A small lab's two files, and ways to spoil them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test uses a part")]

use labsim_scenario::Loaded;
use labsim_scenario::model::Scenario;
use labsim_yaml::Diagnostics;
use std::path::{Path, PathBuf};

/// A valid topology: a client, a router, a load balancer and two servers.
pub(crate) const TOPOLOGY: &str = "\
nodes:
  client: {interfaces: {eth0: 192.168.11.201/24}}
  router:
    forward: true
    interfaces: {client: 192.168.11.1/24, lb: 172.16.0.1/24, servers: 10.1.1.1/24}
    routes: {172.16.4.99: 172.16.0.10}
  lb: {interfaces: {eth0: 172.16.0.10/24}}
  rs1: {interfaces: {eth0: 10.1.1.51/24}}
  rs2: {interfaces: {eth0: 10.1.1.52/24}}
links:
  - [\"client:eth0\", \"router:client\"]
  - [\"lb:eth0\", \"router:lb\"]
segments:
  servers: [\"router:servers\", \"rs1:eth0\", \"rs2:eth0\"]
";

/// A valid scenario in it.
pub(crate) const SCENARIO: &str = "\
topology: lab.yaml
load_balancers:
  lb:
    virtual_servers:
      vs: {destination: 172.16.4.99:49, pool: p}
    pools:
      p: {profile: ipip, members: [10.1.1.51:49, 10.1.1.52:49]}
real_servers:
  - nodes: [rs1, rs2]
    tunnel: ipip
    vip: 172.16.4.99
    sysctls: {net.ipv4.conf.tunl0.rp_filter: 0}
tacacs_servers:
  - {nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}
steps:
  login: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}
conversations:
  talk: [client S seq 0, server S. ack 1]
expect:
  told: {answer: {result: pass}, pass: yes, fail: no}
  seen: {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}
";

/// Both files in a folder of their own.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new(topology: &str, scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lab.yaml"), topology).unwrap();
        std::fs::write(folder.path().join("case.yaml"), scenario).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn load(&self) -> Result<Scenario, Diagnostics> {
        self.loaded().map(|loaded| loaded.scenario)
    }

    pub(crate) fn loaded(&self) -> Result<Loaded, Diagnostics> {
        labsim_scenario::load(&self.path("case.yaml"))
    }
}

/// Each error as `file:line:column: message`, without the folder.
pub(crate) fn shown(diagnostics: &Diagnostics) -> Vec<String> {
    let one = |diagnostic: &labsim_yaml::Diagnostic| {
        let folder = Path::new(&diagnostic.file).parent().unwrap().display().to_string();
        let (line, column) = (diagnostic.line, diagnostic.column);
        format!("{}:{line}:{column}: {}", diagnostic.file, diagnostic.message)
            .replace(&format!("{folder}/"), "")
    };
    diagnostics.iter().map(one).collect()
}

/// Whether exactly these errors were found. What ends in `…` need only begin so: the words of
/// errors in a file's shape are `labsim_yaml`'s.
pub(crate) fn is_as_expected(found: &[String], expected: &[&str]) -> bool {
    let fits = |(found, expected): (&String, &&str)| match expected.strip_suffix('…') {
        Some(beginning) => found.starts_with(beginning),
        None => found == expected,
    };
    found.len() == expected.len() && found.iter().zip(expected).all(fits)
}

/// `text` with each of `changes` made, which must be possible exactly once.
pub(crate) fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in\n{text}");
        text.replacen(from, to, 1)
    })
}
