//! `ltm virtual`: from stanzas to a design.

use super::address::{Host, HostPort, host_port, leaf, short};
use super::config::{Config, Object};
use super::defaults_from::Profiles;
use super::persistence::{self, SOURCE_ADDR};
use super::pools::Pools;
use super::profiles::FlowProfiles;
use super::snat::SnatPools;
use super::traffic_matching::TrafficMatching;
use super::tree::{Property, Word};
use super::{network, read, snat};
use crate::address::{Family, mask_length};
use crate::lb_model::{LbModel, Service, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use crate::text::has_word;
use crate::validate;
use labsim_model::quote;
use labsim_model::{IpProtocol, Ports, SourceAddress, SourceTranslation};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Types of virtual servers that load-balance nothing.
const WITHOUT_POOL: &str = "reject ip-forward l2-forward internal dhcp-relay";

/// What a configuration means.
pub(super) fn lb_model(config: &Config, report: &mut Report<'_>) -> LbModel {
    let mut reader = Reader {
        config,
        report,
        pools: Pools::default(),
        flows: FlowProfiles::default(),
        source_addrs: Profiles::new(&SOURCE_ADDR),
        snat_pools: SnatPools::default(),
        traffic_matching: TrafficMatching::default(),
    };
    let virtuals: Vec<VirtualServer> =
        config.virtuals.all.iter().filter_map(|object| reader.virtual_server(object)).collect();
    let Reader { report, pools, flows, source_addrs, snat_pools, traffic_matching, .. } = reader;
    pools.report_unused(config, report);
    flows.report_unused(config, report);
    source_addrs.report_unused(config, report);
    snat_pools.report_unused(config, report);
    traffic_matching.report_unused(config, report);
    let vips: BTreeSet<IpAddr> = virtuals.iter().map(|one| one.address).collect();
    let is_used = |one: &Object| virtual_address(one).is_some_and(|vip| vips.contains(&vip));
    config.virtual_addresses.not_imported(is_used, &["address", "mask"], report);
    let mut model = LbModel { virtuals, pools: pools.all, ..LbModel::default() };
    network::network(config, &mut model, report);
    model
}

/// The address of an `ltm virtual-address`, which is its name where nothing else is expected.
fn virtual_address(object: &Object) -> Option<IpAddr> {
    let properties = object.block.properties();
    let written = properties.iter().find(|one| one.name() == "address").and_then(Property::word);
    let text = written.map_or(leaf(&object.path), |word| word.text.as_str());
    text.split('%').next().unwrap_or_default().parse().ok()
}

struct Reader<'r, 's> {
    config: &'r Config,
    report: &'r mut Report<'s>,
    pools: Pools,
    flows: FlowProfiles,
    source_addrs: Profiles<SourceAddress>,
    snat_pools: SnatPools,
    traffic_matching: TrafficMatching,
}

impl Reader<'_, '_> {
    /// A virtual server; `None`, with a note or an error, if it is not imported.
    fn virtual_server(&mut self, object: &Object) -> Option<VirtualServer> {
        let (what, properties) = (&object.what, object.block.properties());
        let (address, ports, protocol) = self.listener(object, &properties)?;
        let header = (object.name().to_owned(), what.as_str(), object.place);
        let mut found = VirtualServer::new(header, (address, ports), protocol);
        let mut pool = None;
        for property in &properties {
            match property.name() {
                "destination"
                | "ip-protocol"
                | "mask"
                | "enabled"
                | "traffic-matching-criteria" => {}
                "pool" if property.is_none() => {}
                "pool" => pool = Some(read::word(property, self.report)?),
                "profiles" => {
                    let Self { flows, config, report, .. } = self;
                    let flows = flows.of_virtual(property, what, config, report);
                    found.settings.fastl4 = flows.fastl4;
                    found.settings.datagram_load_balancing = flows.datagram_load_balancing;
                }
                "persist" if property.is_none() => {}
                "persist" => {
                    let Self { source_addrs, config, report, .. } = self;
                    found.settings.persistence =
                        persistence::persistence(property, what, source_addrs, config, report);
                }
                "source" => self.source(property, what),
                "source-address-translation" => match property.block() {
                    Some(block) => {
                        found.written.source_translation = Some(property.place);
                        found.settings.source_address_translation = snat::translation(
                            block,
                            what,
                            &mut self.snat_pools,
                            self.config,
                            self.report,
                        )?;
                    }
                    None => {
                        let message = "write `source-address-translation { type … }`";
                        self.report.diagnostic(property.place, message);
                    }
                },
                "snat" | "snatpool" => {
                    found.written.source_translation = Some(property.place);
                    found.settings.source_address_translation = snat::legacy_translation(
                        property,
                        what,
                        &mut self.snat_pools,
                        self.config,
                        self.report,
                    )?;
                }
                "mirror" => found.settings.mirror = read::switch(property, self.report)?,
                "translate-address" => {
                    found.written.destination_translation = Some(property.place);
                    found.settings.translate_address = read::switch(property, self.report)?;
                }
                "translate-port" => {
                    found.settings.translate_port = read::switch(property, self.report)?
                }
                _ => read::not_imported(what, property, self.report),
            }
        }
        let Some(pool) = pool else {
            return self.report.skip(
                object.place,
                what,
                "it has no pool, so it has no members to forward to",
            );
        };
        let translates = found.settings.source_address_translation != SourceTranslation::None;
        let is_udp = protocol == IpProtocol::Udp;
        if found.settings.datagram_load_balancing && (translates || !is_udp) {
            found.settings.datagram_load_balancing = false;
            let why = match is_udp {
                true => "source translation needs a flow, which such datagrams do not have",
                false => "it is for UDP: a TCP connection stays with its member",
            };
            let what = format!("{what}: datagram-load-balancing of its udp profile");
            self.report.not_imported(object.place, what, why);
        }
        match self.pools.get(&pool.text, self.config, self.report) {
            Some(index) => found.pool = index,
            None => {
                let why = format!(
                    "its pool {} is in none of the imported files",
                    quote(short(&pool.text))
                );
                return self.report.skip(pool.place, what, why);
            }
        }
        Some(found)
    }

    /// Address, port and protocol: a virtual server of another service is left out as a whole.
    fn listener(
        &mut self,
        object: &Object,
        properties: &[Property<'_>],
    ) -> Option<(IpAddr, Ports, IpProtocol)> {
        let what = &object.what;
        let of = |name: &str| properties.iter().find(|one| one.name() == name);
        let off = properties.iter().find(|one| one.name() == "disabled" && one.values.is_empty());
        if let Some(off) = off {
            return self.report.skip(off.place, what, "it is disabled");
        }
        let kind = properties
            .iter()
            .find(|one| one.values.is_empty() && has_word(WITHOUT_POOL, one.name()));
        if let Some(kind) = kind {
            let why = format!(
                "it is of the type `{}`, which sends nothing to members of a pool",
                kind.name()
            );
            return self.report.skip(kind.place, what, why);
        }
        if let Some(criteria) = of("traffic-matching-criteria").filter(|one| !one.is_none()) {
            let name = read::word(criteria, self.report)?;
            return self.matching(name, of("ip-protocol"), object);
        }
        let Some(destination) = of("destination") else {
            let message = format!("{what} has no `destination`; add one such as 172.16.4.99:49");
            return self.report.reject(object.place, message);
        };
        let word = read::word(destination, self.report)?;
        let host = self.report.check(word.place, host_port(&word.text))?;
        let address = self.address(word, &host, what)?;
        if let Some(mask) = of("mask").and_then(Property::word)
            && !["255.255.255.255", "any", "any6"].contains(&mask.text.as_str())
            && mask_length(&mask.text).ok() != Some(Family::of(address).bits())
        {
            let why = "it accepts packets for a network; labsim's virtual servers have one address";
            return self.report.skip(mask.place, what, why);
        }
        let protocol = of("ip-protocol").map(|one| read::word(one, self.report));
        let (protocol, place) = match protocol {
            None => ("any", object.place),
            Some(word) => word.map(|word| (word.text.as_str(), word.place))?,
        };
        let ports = if host.port == 0 { Ports::ANY } else { host.port.into() };
        let protocol = self.protocol(protocol, &ports, place, what)?;
        read::note_route_domain(host.route_domain, word.place, what, self.report);
        Some((address, ports, protocol))
    }

    /// What criteria say of a virtual server of several ports.
    fn matching(
        &mut self,
        name: &Word,
        own_protocol: Option<&Property<'_>>,
        object: &Object,
    ) -> Option<(IpAddr, Ports, IpProtocol)> {
        let what = &object.what;
        let Self { traffic_matching, config, report, .. } = self;
        let criteria = traffic_matching.get(name, what, config, report)?;
        let word = &criteria.address;
        let host = report.check(word.place, host_port(&word.text))?;
        let address = self.address(word, &host, what)?;
        let protocol = own_protocol.and_then(Property::word).or(criteria.protocol);
        let (protocol, place) =
            protocol.map_or(("any", object.place), |word| (word.text.as_str(), word.place));
        let protocol = self.protocol(protocol, &criteria.ports, place, what)?;
        read::note_route_domain(host.route_domain, word.place, what, self.report);
        Some((address, criteria.ports, protocol))
    }

    fn address(&mut self, word: &Word, read: &HostPort<'_>, what: &str) -> Option<IpAddr> {
        match &read.host {
            Host::Address(address) => self.report.address(word.place, &address.to_string(), what),
            Host::Any => {
                let why = "it accepts packets for every address; labsim's virtual servers have one";
                self.report.skip(word.place, what, why)
            }
            Host::Name(name) => self.virtual_address(word, name, what),
        }
    }

    /// The address of an `ltm virtual-address` that a destination names.
    fn virtual_address(&mut self, word: &Word, name: &str, what: &str) -> Option<IpAddr> {
        let folder = word.text.strip_suffix(leaf(&word.text)).unwrap_or_default();
        let Some(object) = self.config.virtual_addresses.get(&format!("{folder}{name}")) else {
            let message = format!(
                "{} is neither an address nor an `ltm virtual-address` of these files; write such \
                 as 172.16.4.99:49",
                quote(name)
            );
            return self.report.reject(word.place, message);
        };
        let properties = object.block.properties();
        let written =
            properties.iter().find(|one| one.name() == "address").and_then(Property::word);
        let Some(written) = written else {
            return self.report.skip(word.place, what, format!("{} has no address", object.what));
        };
        let address = written.text.split('%').next().unwrap_or_default();
        self.report.address(written.place, address, what)
    }

    fn protocol(
        &mut self,
        text: &str,
        ports: &Ports,
        place: Place,
        what: &str,
    ) -> Option<IpProtocol> {
        match text {
            "tcp" | "6" => Some(IpProtocol::Tcp),
            "udp" | "17" => Some(IpProtocol::Udp),
            "any" | "0" => {
                let is_udp = ports.single().is_some_and(|port| {
                    let service = validate::service(IpProtocol::Udp, port);
                    matches!(service, Service::Radius | Service::Accounting | Service::Dns)
                });
                let protocol = if is_udp { IpProtocol::Udp } else { IpProtocol::Tcp };
                self.report.not_imported(
                    place,
                    format!("{what}: ip-protocol"),
                    format!(
                        "labsim's virtual servers accept one protocol; {} is used",
                        protocol.word()
                    ),
                );
                Some(protocol)
            }
            _ => self.report.skip(place, what, "labsim's virtual servers accept TCP or UDP"),
        }
    }

    /// Clients may come from everywhere, or the property is listed.
    fn source(&mut self, property: &Property<'_>, what: &str) {
        let everywhere = ["0.0.0.0/0", "any", "any/0", "::/0"];
        if property.word().is_none_or(|word| !everywhere.contains(&word.text.as_str())) {
            let place = property.place;
            let why = "labsim's virtual servers accept packets from every client";
            self.report.not_imported(place, format!("{what}: source"), why);
        }
    }
}
