//! What a load balancer's configuration says of its virtual servers, each fact with its line.

use crate::lab;
use crate::lb_model::{LbModel, Pool, VirtualServer};
use crate::paste::Pasted;
use crate::place::{Files, Place};
use crate::report::Report;
use crate::{Diagnostics, Line, Source};
use labsim_model::{
    AdminState, FastL4, IpProtocol, LoadBalancingMode, Monitor, Ports, TunnelProtocol,
};
use std::net::IpAddr;

/// What of a virtual server says how it treats flows.
const PROFILE: [&str; 3] = ["fastl4", "persistence", "datagram_load_balancing"];

/// A load balancer, as its configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// In the files' order.
    pub virtuals: Vec<Virtual>,
    /// Its own addresses, where the configuration has them.
    pub own: Vec<Own>,
}

/// An address of the load balancer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its line.
    pub line: Line,
    /// The address.
    pub address: IpAddr,
}

/// A virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// In its vendor's words, such as `ltm virtual vs_web`.
    pub what: String,
    /// Its line.
    pub line: Line,
    /// The VIP.
    pub address: IpAddr,
    /// The ports.
    pub ports: Ports,
    /// TCP or UDP.
    pub protocol: IpProtocol,
    /// Whether the destination address is translated, and the line that says so; the virtual server's own
    /// where none does.
    pub destination_translation: (bool, Line),
    /// The same of the source address.
    pub source_translation: (bool, Line),
    /// The addresses that the source is translated to, where the configuration names them.
    pub snat: Vec<IpAddr>,
    /// Whether the members' ports are used.
    pub translates_port: bool,
    /// Seconds without a packet after which it forgets a flow, by the configuration or the vendor's default; `None` if
    /// that is labsim's default.
    pub idle_timeout: Option<u32>,
    /// Keys of a scenario's virtual server that say how it treats flows, where they are not labsim's defaults.
    pub profile: Vec<Setting>,
    /// The same of its pool.
    pub pool: Vec<Setting>,
    /// Which member a new flow goes to.
    pub load_balancing_mode: LoadBalancingMode,
    /// Whether a member is chosen for each datagram instead of each flow.
    pub datagram_load_balancing: bool,
    /// The pool's monitor.
    pub monitor: Option<(Monitor, Setting)>,
    /// The real servers.
    pub members: Vec<Member>,
}

/// A key of a scenario, as a configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// Its value as YAML on one line.
    pub value: String,
    /// Of the virtual server or the pool.
    pub line: Line,
}

/// A member of a virtual server's pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its line.
    pub line: Line,
    /// Its address.
    pub address: IpAddr,
    /// `None` is the client's destination port.
    pub port: Option<u16>,
    /// The tunnel that packets reach it in, if any.
    pub tunnel: Option<TunnelProtocol>,
    /// The line that says so; the member's own where none does.
    pub tunnel_line: Line,
    /// Its share of the pool's flows against the others' ratios.
    pub ratio: u16,
    /// What an operator has set it to.
    pub state: AdminState,
}

impl Member {
    /// Whether it takes flows of clients that are not known yet.
    #[must_use]
    pub fn takes_new_flows(&self) -> bool {
        self.state.is_enabled() && self.ratio > 0
    }
}

/// Reads the texts of one device; `model` understands them.
///
/// # Errors
/// What `model` reports; or that there is no virtual server.
pub(crate) fn read(
    sources: &[Source],
    model: impl FnOnce(&Pasted, &mut Report<'_>) -> LbModel,
) -> Result<Balancer, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    pasted.report(&mut report);
    let model = model(&pasted, &mut report);
    if report.has_errors() {
        return Err(report.into_diagnostics());
    }
    if model.virtuals.is_empty() {
        return Err(lab::nothing(report));
    }
    let virtuals = model.virtuals.iter().filter_map(|it| {
        let pool = model.pools.get(it.pool)?;
        Some(virtual_server(it, pool, model.is_direct_routing, &report))
    });
    let own =
        model.own.iter().map(|it| Own { line: report.line(it.place), address: it.net.addr() });
    Ok(Balancer { virtuals: virtuals.collect(), own: own.collect() })
}

/// `is_ipvs`: a lab translates the source where IPVS's servers answer through the director, and IPVS does not.
fn virtual_server(one: &VirtualServer, pool: &Pool, is_ipvs: bool, report: &Report<'_>) -> Virtual {
    let line = |place: Option<Place>| report.line(place.unwrap_or(one.place));
    let set = |keys: Vec<(String, String)>, wanted: &[&str], place| -> Vec<Setting> {
        let keys = keys.into_iter().filter(|(key, _)| wanted.contains(&key.as_str()));
        keys.map(|(key, value)| Setting { key, value, line: report.line(place) }).collect()
    };
    let defaults = labsim_model::VirtualServer::new(one.settings.destination.clone(), "");
    let profile = set(lab::keys(&one.settings, &defaults), &PROFILE, one.place);
    let of_pool = lab::keys(&pool.settings, &labsim_model::Pool::default());
    let monitor = set(of_pool.clone(), &["monitor"], pool.place).pop();
    let written = one.written;
    let members = pool.members.iter().map(|member| Member {
        line: report.line(member.place),
        address: member.address,
        port: Some(member.port).filter(|port| *port != 0),
        tunnel: pool.tunnel(member),
        tunnel_line: report.line(match member.profile {
            Some(_) => member.place,
            None => written.tunnel.or(pool.profile_at).unwrap_or(member.place),
        }),
        ratio: member.ratio,
        state: member.state,
    });
    Virtual {
        what: one.what.clone(),
        line: line(None),
        address: one.address,
        ports: one.settings.destination.ports().clone(),
        protocol: one.settings.ip_protocol,
        destination_translation: (
            one.settings.translate_address,
            line(written.destination_translation),
        ),
        source_translation: (one.has_snat() && !is_ipvs, line(written.source_translation)),
        snat: one.snat_addresses().filter(|_| !is_ipvs).collect(),
        translates_port: one.settings.translate_port,
        idle_timeout: Some(one.settings.fastl4.idle_timeout)
            .filter(|it| *it != FastL4::default().idle_timeout),
        profile,
        pool: set(of_pool, &["load_balancing_mode"], pool.place),
        load_balancing_mode: pool.settings.load_balancing_mode,
        datagram_load_balancing: one.settings.datagram_load_balancing,
        monitor: pool.settings.monitor.clone().zip(monitor),
        members: members.collect(),
    }
}
