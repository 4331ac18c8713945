//! A scenario file as it is written.

use super::expectation::ExpectationFields;
use super::forms::{Items, Table};
use super::impairments::ImpairmentFields;
use super::lenient::{or_default, or_empty};
use super::load_balancer::LoadBalancerFields;
use super::processes::ProcessFields;
use super::servers::{RadiusServersForm, RealServersForm, TacacsServersForm};
use super::steps::StepForm;
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A scenario: a lab, what is done in it, and what must have been observed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "labsim scenario")]
pub(crate) struct ScenarioFile {
    /// Another file, named from this file's folder, that this one is laid over: mappings key by key,
    /// everything else as a whole, and `null` takes a key out.
    #[serde(default, deserialize_with = "or_default")]
    #[expect(dead_code, reason = "followed before the file is read")]
    pub(crate) extends: Option<Located<String>>,
    /// The topology file, named from this file's folder.
    pub(crate) topology: Located<String>,
    /// The load balancers, by the node that each runs in.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) load_balancers: Table<Located<LoadBalancerFields>>,
    /// What makes nodes real servers: tunnel, VIP, kernel settings. A list, or a mapping with
    /// names that other files can change them by.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) real_servers: RealServersForm,
    /// TACACS+ servers. A list, or a mapping with names that other files can change them by.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tacacs_servers: TacacsServersForm,
    /// RADIUS servers. A list, or a mapping with names that other files can change them by.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) radius_servers: RadiusServersForm,
    /// What links do to frames, by the interface that sends them: `client:eth0` is about what the
    /// client sends there, and the other end of the link about the other way. A segment's port is
    /// an end like a link's.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) impairments: Table<Located<ImpairmentFields>>,
    /// Programs that run in nodes beside the steps, by name. A file with `processes` is code: it
    /// runs programs with labsim's rights, which on a root machine are root's. Read it before you
    /// run it.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) processes: Table<Located<ProcessFields>>,
    /// What is done, in this order. The key is the step's name.
    pub(crate) steps: Table<Located<StepForm>>,
    /// Conversations by name, for `exchange` to point at: a row for each packet, in order.
    /// A row says who sends (`client` or `server`), the TCP flags as tcpdump prints them, and
    /// then names and values: `server P. seq 1 ack 27 payload 28 length 68`.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) conversations: Table<Items<Located<String>>>,
    /// What must have been observed. The key is the expectation's name.
    pub(crate) expect: Table<Located<ExpectationFields>>,
}
