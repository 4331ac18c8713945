//! An exercise: what a student is told, and what has to be found.

use crate::model::NodeName;
use labsim_codes::Code;
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::fmt;

/// What a student is told, and what has to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exercise {
    /// Its title, on one line.
    pub title: String,
    /// What happened; may have several lines.
    pub story: String,
    /// When it is solved, in a sentence.
    pub goal: String,
    /// What the student knows afterwards; may have several lines.
    pub lesson: String,
    /// What it is about.
    pub teaches: LearningGoal,
    /// The common error that it corrects.
    pub misconception: Option<Misconception>,
    /// What the student has to find.
    pub cause: NamedCause,
    /// Repairs that are none, in the file's order.
    pub tempting: Vec<Tempting>,
}

/// A cause and its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCause {
    /// The cause.
    pub code: Code,
    /// Where it is.
    pub node: NodeName,
}

/// `vip-missing at rs1`
impl fmt::Display for NamedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.code, self.node)
    }
}

/// A repair that suggests itself and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tempting {
    /// Its name in the file.
    pub name: String,
    /// Why it does not help, in a sentence.
    pub why: String,
    /// What is still, or now, the cause; any if it is not said.
    pub cause: Option<NamedCause>,
}

/// What an exercise is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromYaml, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LearningGoal {
    /// Who sees which source and destination, at each hop and in each direction.
    #[yaml(placeholder)]
    AddressesAtEachHop,
    /// Requests by the load balancer, replies past it: drawn from a capture.
    Triangle,
    /// Why every server has the VIP, and must not answer ARP for it.
    VipOnEveryServer,
    /// Headers within headers: two TTLs, two lengths, protocol numbers.
    NestedHeaders,
    /// Why ports are not changed, and why nothing above TCP can be balanced.
    NoTranslation,
    /// A health check that goes the client's way.
    HealthCheckWay,
    /// What a load balancer knows that sees one direction of a flow.
    HalfFlow,
    /// MTU, MSS and fragments through a tunnel.
    TunnelMtu,
    /// The node where a packet died, from counters and captures.
    WherePacketsDie,
    /// Drain, fail-over, persistence.
    Operation,
}

impl LearningGoal {
    /// All of them, in the order in which they are taught.
    pub const ALL: [Self; 10] = [
        Self::AddressesAtEachHop,
        Self::Triangle,
        Self::VipOnEveryServer,
        Self::NestedHeaders,
        Self::NoTranslation,
        Self::HealthCheckWay,
        Self::HalfFlow,
        Self::TunnelMtu,
        Self::WherePacketsDie,
        Self::Operation,
    ];
}

/// A common error about Direct Server Return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromYaml, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Misconception {
    /// The VIP is on the load balancer only.
    VipOnBalancerOnly,
    /// The reply has to pass the load balancer, or the server has to turn its source back.
    RepliesPassTheBalancer,
    /// A load balancer on which no replies are seen is broken.
    NoRepliesIsBroken,
    /// A green monitor is a working service.
    GreenMonitorIsService,
    /// Every owner of an address may answer ARP for it.
    EveryOwnerAnswersArp,
    /// Translating addresses or ports does no harm.
    TranslationDoesNoHarm,
    /// What works for short packets, or for TCP, works for all.
    EveryPacketFits,
    /// Firewalls and flow tables see a whole session.
    WholeSessionIsSeen,
    /// The server sees the load balancer as its client.
    ServerSeesTheBalancer,
    /// A packet that is captured twice was sent twice.
    TwiceCapturedIsTwiceSent,
}

impl Misconception {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::VipOnBalancerOnly,
        Self::RepliesPassTheBalancer,
        Self::NoRepliesIsBroken,
        Self::GreenMonitorIsService,
        Self::EveryOwnerAnswersArp,
        Self::TranslationDoesNoHarm,
        Self::EveryPacketFits,
        Self::WholeSessionIsSeen,
        Self::ServerSeesTheBalancer,
        Self::TwiceCapturedIsTwiceSent,
    ];

    /// The error, as somebody says it who makes it.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::VipOnBalancerOnly => "The VIP is on the load balancer only.",
            Self::RepliesPassTheBalancer => "The reply has to pass the load balancer.",
            Self::NoRepliesIsBroken => {
                "The load balancer is broken: its capture shows requests and no replies."
            }
            Self::GreenMonitorIsService => "The monitor is green, so the server works.",
            Self::EveryOwnerAnswersArp => "Every owner of an address may answer ARP for it.",
            Self::TranslationDoesNoHarm => "Translating an address or a port does no harm.",
            Self::EveryPacketFits => "One request passed, so every request will.",
            Self::WholeSessionIsSeen => "The device in the middle sees the whole session.",
            Self::ServerSeesTheBalancer => "The server sees the load balancer as its client.",
            Self::TwiceCapturedIsTwiceSent => {
                "The packet is in the capture twice, so it was sent twice."
            }
        }
    }
}
