//! A scenario file as it is written.

use super::captures::RawCaptures;
use super::exercise::RawExercise;
use super::expectation::RawExpectation;
use super::filters::RawFilter;
use super::forms::Group;
use super::impairments::RawImpairment;
use super::processes::RawProcess;
use super::servers::{RawRadiusServer, RawRealServer, RawTacacsServer, RawTcpServer, RawUdpServer};
use super::steps::RawStep;
use labsim_model::LoadBalancer;
use labsim_yaml::{FromYaml, Located, Table};
use schemars::JsonSchema;

/// A scenario: a lab, what is done in it, and what must have been observed.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "labsim scenario")]
pub(crate) struct ScenarioFile {
    /// Another file, named from this file's folder, that this one is laid over: mappings key by key,
    /// everything else as a whole, and `null` takes a key out.
    #[expect(dead_code, reason = "followed before the file is read")]
    pub(crate) extends: Option<Located<String>>,
    /// Words to select scenarios by: at most 16, each 1 to 32 bytes of `a-z`, `0-9` and `-`, with a
    /// letter or digit first. They replace the tags of the extended file, as every list does.
    #[serde(default)]
    pub(crate) tags: Vec<Located<String>>,
    /// The topology file, named from this file's folder.
    pub(crate) topology: Located<String>,
    /// The load balancers, by the node that each runs in.
    ///
    /// The node may do more: route (`forward: true`), have a VIP on an interface, or be a real server in its
    /// own pool. nftables rules at the ingress of its interfaces then keep its kernel from the load
    /// balancer's packets, from the first on; captures are not affected. Without nftables such a scenario is
    /// skipped.
    ///
    /// - Of a VIP that the node has, the virtual servers' protocols and ports are the load balancer's, with
    ///   all later fragments of these protocols. The rest is the kernel's: ARP, echo requests, RST from a
    ///   closed port, and fragments whose first it got, which the load balancer gives back. ICMP errors go
    ///   to both.
    /// - Of any other VIP all packets are the load balancer's, whether the node forwards or not.
    /// - To a member that is the node itself, packets are given to its kernel as they came, without a
    ///   tunnel (IPVS's LocalNode). They come in on `lo`, so packet filters see them there, and no reverse
    ///   path filter does. The node needs the VIP, and no address may be translated.
    /// - With several interfaces the load balancer answers ARP for its VIPs at the first one with a VIP's
    ///   subnet, else at the first. Packets to VIPs are taken at all of them. Members behind the other interfaces
    ///   need a tunnel; the kernel sends what leaves there.
    /// - The node's own clients reach a VIP of its own through its kernel, not through the load balancer.
    #[serde(default)]
    pub(crate) load_balancers: Table<LoadBalancer>,
    /// What makes nodes real servers: tunnel, VIP, kernel settings. A list, or a mapping with
    /// names that other files can change them by.
    #[serde(default)]
    pub(crate) real_servers: Group<RawRealServer>,
    /// TACACS+ servers. A list, or a mapping with names that other files can change them by.
    #[serde(default)]
    pub(crate) tacacs_servers: Group<RawTacacsServer>,
    /// RADIUS servers. A list, or a mapping with names that other files can change them by.
    #[serde(default)]
    pub(crate) radius_servers: Group<RawRadiusServer>,
    /// TCP servers of any service, HTTP among them. A list, or a mapping with names that other files can
    /// change them by.
    #[serde(default)]
    pub(crate) tcp_servers: Group<RawTcpServer>,
    /// UDP servers of any service, DNS and syslog among them. A list, or a mapping with names that other
    /// files can change them by.
    #[serde(default)]
    pub(crate) udp_servers: Group<RawUdpServer>,
    /// Packet filters by name: what nodes drop, in nftables' words.
    #[serde(default)]
    pub(crate) filters: Table<Located<RawFilter>>,
    /// Impairments of links, by the interface that sends the frames: `client:eth0` applies to
    /// frames that the client sends there, the other end of the link to the opposite direction. A
    /// segment's port is an end like a link's.
    #[serde(default)]
    pub(crate) impairments: Table<Located<RawImpairment>>,
    /// Programs that run in nodes beside the steps, by name. A file with `processes` runs programs
    /// with labsim's privileges, which may be root's: read it before you run it.
    #[serde(default)]
    pub(crate) processes: Table<Located<RawProcess>>,
    /// Steps, in order. The key is the step's name. Every login, exchange, request and program has to end with
    /// `pass`, unless an `answer` expectation is about its step, and what an `await_*` step waits for
    /// has to happen in time; otherwise the scenario fails.
    pub(crate) steps: Table<Located<RawStep>>,
    /// Conversations by name, for `exchange` to point at: a row for each packet, in order. A row
    /// has the sender (`client` or `server`), the TCP flags as tcpdump prints them, and then names
    /// and values: `server P. seq 1 ack 27 payload 28 length 68`.
    #[serde(default)]
    pub(crate) conversations: Table<Vec<Located<String>>>,
    /// Which frames are captured, for labs with more traffic than is of interest; all by default.
    pub(crate) captures: Option<Located<RawCaptures>>,
    /// What must have been observed. The key is the expectation's name.
    pub(crate) expect: Table<Located<RawExpectation>>,
    /// Makes the scenario an exercise.
    pub(crate) exercise: Option<RawExercise>,
}
