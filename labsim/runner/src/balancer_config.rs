//! A load balancer of a scenario, as its forwarder's configuration.

use crate::fault::Fault;
use labsim_forwarder as forwarder;
use labsim_scenario::model::{
    ActionOnDown, Encapsulation, FastL4, GreOptions, IpProtocol, LoadBalancer, LoadBalancingMode,
    Maglev, MaglevHash, Member, Monitor, MonitorKind, NodeName, OuterSource, Pool, Scenario,
    SourceAddressPersistence, SourceTranslation, VirtualServer,
};
use std::net::SocketAddr;

/// The configuration of the forwarder in `node`.
pub(crate) fn of(
    scenario: &Scenario,
    name: &NodeName,
    balancer: &LoadBalancer,
) -> Result<forwarder::Config, Fault> {
    let node = scenario.topology.node(name).ok_or_else(|| Fault::no_node(name))?;
    let [arm] = node.interfaces.as_slice() else {
        return Err(Fault::Broken(format!(
            "the load balancer `{name}` has {} interfaces, and the forwarder takes one arm",
            node.interfaces.len()
        )));
    };
    Ok(forwarder::Config {
        interface: arm.name.to_string(),
        outer_source: match balancer.outer_source {
            OuterSource::Client => forwarder::OuterSource::Client,
            OuterSource::Egress => forwarder::OuterSource::Egress,
        },
        virtual_servers: balancer.virtual_servers.iter().map(virtual_server).collect(),
        pools: balancer.pools.iter().map(pool).collect(),
        snat_ports: forwarder::SnatPorts::default(),
        limits: forwarder::Limits::default(),
    })
}

fn virtual_server(server: &VirtualServer) -> (String, forwarder::VirtualServer) {
    let config = forwarder::VirtualServer {
        destination: server.destination,
        ip_protocol: match server.ip_protocol {
            IpProtocol::Tcp => forwarder::IpProtocol::Tcp,
            IpProtocol::Udp => forwarder::IpProtocol::Udp,
        },
        pool: server.pool.clone(),
        translate_address: server.translate_address,
        translate_port: server.translate_port,
        source_address_translation: match &server.source_translation {
            SourceTranslation::None => forwarder::SourceTranslation::None,
            SourceTranslation::Automap => forwarder::SourceTranslation::Automap,
            SourceTranslation::Pool(addresses) => {
                forwarder::SourceTranslation::Snat(addresses.clone())
            }
        },
        fastl4: fastl4(&server.fastl4),
        persistence: match server.persistence {
            None => forwarder::Persistence::None,
            Some(SourceAddressPersistence { timeout, prefix_length }) => {
                let timeout = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
                let rule = forwarder::SourceAddress { timeout, prefix_length };
                forwarder::Persistence::SourceAddress(rule)
            }
        },
    };
    (server.name.clone(), config)
}

fn fastl4(profile: &FastL4) -> forwarder::FastL4 {
    forwarder::FastL4 {
        loose_initiation: profile.loose_initiation,
        loose_close: profile.loose_close,
        idle_timeout: u32::try_from(profile.idle_timeout.as_secs()).unwrap_or(u32::MAX),
        reset_on_timeout: profile.reset_on_timeout,
    }
}

fn pool(pool: &Pool) -> (String, forwarder::Pool) {
    let config = forwarder::Pool {
        profile: match pool.encapsulation {
            Encapsulation::None => forwarder::Profile::None,
            Encapsulation::Ipip => forwarder::Profile::Ipip,
            Encapsulation::Gre(GreOptions { key, checksum }) => {
                forwarder::Profile::Gre(forwarder::Gre { key, checksum })
            }
        },
        load_balancing_mode: mode(pool.load_balancing_mode),
        monitor: pool.monitor.as_ref().map(monitor),
        action_on_down: match pool.action_on_down {
            ActionOnDown::None => forwarder::ActionOnDown::None,
            ActionOnDown::Reset => forwarder::ActionOnDown::Reset,
            ActionOnDown::Reselect => forwarder::ActionOnDown::Reselect,
        },
        members: pool
            .members
            .iter()
            .map(|Member { address, port, ratio }| forwarder::Member {
                address: SocketAddr::new(*address, *port),
                ratio: *ratio,
            })
            .collect(),
    };
    (pool.name.clone(), config)
}

fn monitor(monitor: &Monitor) -> forwarder::Monitor {
    let Monitor { interval, timeout, rise, fall, transparent, port, .. } = *monitor;
    let secret = monitor.secret.as_ref().map(|secret| forwarder::Secret::new(secret.expose()));
    let kind = match monitor.kind {
        MonitorKind::Tcp => forwarder::MonitorKind::Tcp,
        MonitorKind::Tacacs => forwarder::MonitorKind::Tacacs,
        MonitorKind::Radius => forwarder::MonitorKind::Radius,
        MonitorKind::Icmp => forwarder::MonitorKind::Icmp,
    };
    forwarder::Monitor { kind, interval, timeout, rise, fall, transparent, port, secret }
}

fn mode(mode: LoadBalancingMode) -> forwarder::LoadBalancingMode {
    match mode {
        LoadBalancingMode::RoundRobin => forwarder::LoadBalancingMode::RoundRobin,
        LoadBalancingMode::Ratio => forwarder::LoadBalancingMode::Ratio,
        LoadBalancingMode::LeastConnections => forwarder::LoadBalancingMode::LeastConnections,
        LoadBalancingMode::RatioLeastConnections => {
            forwarder::LoadBalancingMode::RatioLeastConnections
        }
        LoadBalancingMode::Maglev(Maglev { hash, table_size }) => {
            let hash = match hash {
                MaglevHash::FiveTuple => forwarder::MaglevHash::FiveTuple,
                MaglevHash::SourceAddress => forwarder::MaglevHash::SourceAddress,
            };
            forwarder::LoadBalancingMode::Maglev(forwarder::Maglev { hash, table_size })
        }
    }
}
