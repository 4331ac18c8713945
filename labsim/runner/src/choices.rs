//! Which engine decapsulates tunnels and which impairs links: what the user chose, and what this
//! machine can do.

use crate::error::RunError;
use labsim_codes::run;
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_lab::probe::{self, Missing};
use labsim_lab::{TunnelMode, TunnelModes};
use labsim_model::Engine;
use labsim_model::ipvs::Director;
use labsim_scenario::model::{Scenario, TunnelKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use tracing::info;

/// Tunnel decapsulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TunnelChoice {
    /// The kernel's tunnel device if it has one, otherwise userspace
    Auto,
    /// The kernel's tunnel device; scenarios with tunnels are skipped if the kernel lacks it
    Kernel,
    /// labsim's own decapsulator behind a TUN device of the same name
    Userspace,
}

/// Link impairment engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ImpairmentChoice {
    /// netem if the kernel has it, otherwise labsim's relay
    Auto,
    /// netem; scenarios with impaired links are skipped if the kernel lacks it
    Kernel,
    /// labsim's relay, which drops the same frames in every run
    Relay,
}

/// Engine of the load balancers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum EngineChoice {
    /// What each load balancer's `engine` says
    Auto,
    /// labsim's own forwarder
    Labsim,
    /// Linux Virtual Server; scenarios that need something else of a load balancer are skipped
    Ipvs,
}

impl EngineChoice {
    /// The scenario with the chosen engine.
    ///
    /// # Errors
    /// [`RunError::Unsupported`] with everything that IPVS does not have of it.
    pub(crate) fn apply(self, scenario: &Scenario) -> Result<Cow<'_, Scenario>, RunError> {
        let engine = match self {
            Self::Auto => return Ok(Cow::Borrowed(scenario)),
            Self::Labsim => Engine::Labsim,
            Self::Ipvs => Engine::Ipvs,
        };
        scenario.with_engine(engine).map(Cow::Owned).map_err(|obstacles| {
            let all: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
            let message = format!("IPVS was requested, and does not do this: {}", all.join("; "));
            RunError::unsupported(run::IPVS_INEXPRESSIBLE, message)
        })
    }
}

/// What this machine can do.
pub(crate) trait Probe {
    /// Whether the kernel has a tunnel device of that kind.
    fn kernel_tunnel(&self, kind: TunnelKind) -> Result<(), Missing>;
    /// Whether a userspace decapsulator would be the only receiver of such packets.
    fn alone_with(&self, kind: TunnelKind) -> Result<(), Missing>;
    /// Whether a TUN device can be created.
    fn tun_device(&self) -> Result<(), Missing>;
    /// Whether the kernel has netem.
    fn netem(&self) -> Result<(), Missing>;
    /// Whether the kernel has IPVS with these schedulers.
    fn ipvs(&self, schedulers: &[&str]) -> Result<(), Missing>;
    /// Whether the kernel runs IPv6.
    fn ipv6(&self) -> Result<(), Missing>;
}

/// Tries on this machine, in namespaces of its own.
pub(crate) struct Host;

impl Probe for Host {
    fn kernel_tunnel(&self, kind: TunnelKind) -> Result<(), Missing> {
        probe::kernel_tunnel(kind)
    }

    fn alone_with(&self, kind: TunnelKind) -> Result<(), Missing> {
        probe::alone_with(kind)
    }

    fn tun_device(&self) -> Result<(), Missing> {
        probe::tun_device()
    }

    fn netem(&self) -> Result<(), Missing> {
        probe::kernel_netem()
    }

    fn ipvs(&self, schedulers: &[&str]) -> Result<(), Missing> {
        probe::ipvs(schedulers)
    }

    fn ipv6(&self) -> Result<(), Missing> {
        probe::ipv6()
    }
}

/// The engines of a scenario's run, and why these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engines {
    /// What decapsulates, by kind of tunnel.
    pub tunnels: TunnelModes,
    /// Whether the kernel's netem impairs links; otherwise labsim's relay.
    pub netem: bool,
    /// A sentence about the decapsulators: `kernel (ipip)`, `none`.
    pub tunnel: String,
    /// A sentence about the impairment engine; `None` if no link is impaired.
    pub impairments: Option<String>,
    /// What moves the frames of load balancers, as far as it is chosen before they run.
    pub data_plane: DataPlaneChoice,
}

impl Engines {
    /// For a plan that does not depend on the machine: all tunnels end as `tunnels` says, and
    /// labsim's relay impairs links.
    #[must_use]
    pub fn without_probing(tunnels: TunnelMode) -> Self {
        let tunnels = tunnels.into();
        let data_plane = DataPlaneChoice::Auto;
        let tunnel = "not probed".to_owned();
        Self { tunnels, netem: false, tunnel, impairments: None, data_plane }
    }

    /// Decides by trying on this machine.
    ///
    /// # Errors
    /// [`RunError::Unsupported`] if a choice is not available here.
    pub fn choose(
        scenario: &Scenario,
        tunnel: TunnelChoice,
        impairments: ImpairmentChoice,
    ) -> Result<Self, RunError> {
        Self::choose_by(scenario, tunnel, impairments, &Host)
    }

    /// The same engines with another data plane of load balancers.
    #[must_use]
    pub fn with_data_plane(self, data_plane: DataPlaneChoice) -> Self {
        Self { data_plane, ..self }
    }

    /// Decides by what `probe` says.
    pub(crate) fn choose_by(
        scenario: &Scenario,
        tunnel: TunnelChoice,
        impairments: ImpairmentChoice,
        probe: &dyn Probe,
    ) -> Result<Self, RunError> {
        // First: without IPv6 the other questions get misleading answers.
        if let Some(node) = scenario.node_with_ipv6() {
            probe.ipv6().map_err(|missing| {
                let message = format!("{node} has IPv6 addresses, and {missing}");
                RunError::unsupported(run::IPV6_MISSING, message)
            })?;
        }
        probe_ipvs(scenario, probe)?;
        let mut tunnels = TunnelModes::from(TunnelMode::Userspace);
        let mut sentences = Vec::new();
        let used = || scenario.real_servers.values().flat_map(|it| &it.tunnels);
        for kind in TunnelKind::ALL {
            if used().any(|tunnel| tunnel.kind.is_like(kind)) {
                let (mode, sentence) = choose_tunnel(tunnel, kind, probe)?;
                info!(kind = kind.name(), engine = sentence, "tunnel decapsulator");
                tunnels.set(kind, mode);
                // The sentences of most kinds are the same.
                if !sentences.contains(&sentence) {
                    sentences.push(sentence);
                }
            }
        }
        let tunnel = if sentences.is_empty() { "none".to_owned() } else { sentences.join("; ") };
        let data_plane = DataPlaneChoice::Auto;
        let mut engines = Self { tunnels, netem: false, tunnel, impairments: None, data_plane };
        if !scenario.impairments.is_empty() {
            let (netem, sentence) = choose_impairments(impairments, probe)?;
            info!(engine = sentence, "link impairment");
            (engines.netem, engines.impairments) = (netem, Some(sentence));
        }
        Ok(engines)
    }
}

/// Whether there is an IPVS for the load balancers that ask for it.
fn probe_ipvs(scenario: &Scenario, probe: &dyn Probe) -> Result<(), RunError> {
    let balancers = scenario.load_balancers.iter();
    for (node, balancer) in balancers.filter(|(_, it)| it.engine == Engine::Ipvs) {
        let director = Director::new(balancer);
        let schedulers: BTreeSet<&str> =
            director.services.iter().map(|service| service.scheduler.name).collect();
        let schedulers: Vec<&str> = schedulers.into_iter().collect();
        probe.ipvs(&schedulers).map_err(|missing| {
            let message = format!("{node} has `engine: ipvs`, and {missing}");
            RunError::unsupported(run::IPVS_MISSING, message)
        })?;
    }
    Ok(())
}

/// What decapsulates one kind of tunnel, and why.
fn choose_tunnel(
    choice: TunnelChoice,
    kind: TunnelKind,
    probe: &dyn Probe,
) -> Result<(TunnelMode, String), RunError> {
    let name = kind.name();
    let reason = match choice {
        TunnelChoice::Userspace => "as requested".to_owned(),
        TunnelChoice::Auto | TunnelChoice::Kernel => match probe.kernel_tunnel(kind) {
            Ok(()) => return Ok((TunnelMode::Kernel, format!("kernel ({name})"))),
            Err(missing) if choice == TunnelChoice::Kernel => {
                let message = format!("the kernel's tunnel was requested, and {missing}");
                return Err(RunError::unsupported(run::KERNEL_TUNNEL_MISSING, message));
            }
            Err(missing) => missing.reason,
        },
    };
    probe.alone_with(kind).map_err(|missing| {
        let message = format!("labsim's {name} decapsulator: {missing}");
        RunError::unsupported(run::KERNEL_TUNNEL_CONFLICT, message)
    })?;
    let (mode, device) = match probe.tun_device() {
        Ok(()) => (TunnelMode::Userspace, "behind a TUN device".to_owned()),
        Err(missing) => {
            let device = format!("behind a veth pair ({})", missing.reason);
            (TunnelMode::UserspaceVeth, device)
        }
    };
    Ok((mode, format!("userspace, {device} ({reason})")))
}

/// Whether netem impairs links, and why.
fn choose_impairments(
    choice: ImpairmentChoice,
    probe: &dyn Probe,
) -> Result<(bool, String), RunError> {
    let reason = match choice {
        ImpairmentChoice::Relay => "as requested".to_owned(),
        ImpairmentChoice::Auto | ImpairmentChoice::Kernel => match probe.netem() {
            Ok(()) => return Ok((true, "netem".to_owned())),
            Err(missing) if choice == ImpairmentChoice::Kernel => {
                let message = format!("the kernel's netem was requested, and {missing}");
                return Err(RunError::unsupported(run::NETEM_MISSING, message));
            }
            Err(missing) => missing.reason,
        },
    };
    Ok((false, format!("labsim's relay ({reason})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that lacks what is `true`.
    #[derive(Default)]
    struct Lacks {
        tunnel: bool,
        alone: bool,
        tun: bool,
        netem: bool,
        ipvs: bool,
        ipv6: bool,
    }

    fn found(lacks: bool, what: &str) -> Result<(), Missing> {
        let missing = || Missing { reason: format!("no {what}"), remedy: "load it".to_owned() };
        if lacks { Err(missing()) } else { Ok(()) }
    }

    impl Probe for Lacks {
        fn kernel_tunnel(&self, kind: TunnelKind) -> Result<(), Missing> {
            found(self.tunnel, kind.name())
        }

        fn alone_with(&self, _kind: TunnelKind) -> Result<(), Missing> {
            found(self.alone, "exclusive receiver")
        }

        fn tun_device(&self) -> Result<(), Missing> {
            found(self.tun, "TUN device")
        }

        fn netem(&self) -> Result<(), Missing> {
            found(self.netem, "netem")
        }

        fn ipvs(&self, _schedulers: &[&str]) -> Result<(), Missing> {
            found(self.ipvs, "IPVS")
        }

        fn ipv6(&self) -> Result<(), Missing> {
            found(self.ipv6, "IPv6")
        }
    }

    #[test]
    fn a_tunnel_falls_back_to_userspace_and_says_why() {
        let all = Lacks::default();
        let no_tunnel = || Lacks { tunnel: true, ..Lacks::default() };
        for (choice, probe, expected) in [
            (TunnelChoice::Auto, &all, Ok((TunnelMode::Kernel, "kernel (ipip)"))),
            (
                TunnelChoice::Userspace,
                &all,
                Ok((TunnelMode::Userspace, "userspace, behind a TUN device (as requested)")),
            ),
            (
                TunnelChoice::Auto,
                &no_tunnel(),
                Ok((TunnelMode::Userspace, "userspace, behind a TUN device (no ipip)")),
            ),
            (
                TunnelChoice::Auto,
                &Lacks { tun: true, ..no_tunnel() },
                Ok((
                    TunnelMode::UserspaceVeth,
                    "userspace, behind a veth pair (no TUN device) (no ipip)",
                )),
            ),
            (TunnelChoice::Kernel, &no_tunnel(), Err(run::KERNEL_TUNNEL_MISSING)),
            (
                TunnelChoice::Auto,
                &Lacks { alone: true, ..no_tunnel() },
                Err(run::KERNEL_TUNNEL_CONFLICT),
            ),
        ] {
            let chosen = choose_tunnel(choice, TunnelKind::Ipip, probe);
            let expected = expected.map(|(mode, sentence)| (mode, sentence.to_owned()));
            assert_eq!(chosen.map_err(|error| error.code()), expected, "{choice:?}");
        }
    }

    #[test]
    fn only_a_scenario_with_ipv6_addresses_needs_ipv6_and_it_is_asked_for_first() {
        // A kernel without IPv6 has no tunnels of it either, which is not the reason.
        let probe = Lacks { ipv6: true, alone: true, tunnel: true, ..Lacks::default() };
        let choose = |file: &str| {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/").to_owned() + file;
            let scenario = labsim_scenario::load(std::path::Path::new(&file)).unwrap().scenario;
            let (tunnel, impairments) = (TunnelChoice::Auto, ImpairmentChoice::Auto);
            Engines::choose_by(&scenario, tunnel, impairments, &probe).map_err(|error| error.code())
        };
        assert_eq!(choose("ipv6/tacacs-6in4.yaml"), Err(run::IPV6_MISSING));
        assert_eq!(choose("ipv6/tacacs-6in6.yaml"), Err(run::IPV6_MISSING));
        assert_eq!(choose("tacacs-ipip.yaml"), Err(run::KERNEL_TUNNEL_CONFLICT));
    }

    #[test]
    fn impairments_fall_back_to_the_relay_unless_the_kernel_was_requested() {
        let (has, lacks) = (Lacks::default(), Lacks { netem: true, ..Lacks::default() });
        for (choice, probe, expected) in [
            (ImpairmentChoice::Auto, &has, Ok((true, "netem"))),
            (ImpairmentChoice::Relay, &has, Ok((false, "labsim's relay (as requested)"))),
            (ImpairmentChoice::Auto, &lacks, Ok((false, "labsim's relay (no netem)"))),
            (ImpairmentChoice::Kernel, &lacks, Err(run::NETEM_MISSING)),
        ] {
            let chosen = choose_impairments(choice, probe).map_err(|error| error.code());
            assert_eq!(chosen, expected.map(|(netem, text)| (netem, text.to_owned())));
        }
    }
}
