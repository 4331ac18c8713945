//! `ltm virtual`: from stanzas to a design.

use super::address::{Host, HostPort, host_port, leaf, short};
use super::config::{Config, Object};
use super::persistence::Persistences;
use super::pools::Pools;
use super::profiles::{Profiles, is_fastl4};
use super::snat::SnatPools;
use super::tree::{Block, Property, Word};
use super::{network, read, snat};
use crate::address::unicast;
use crate::design::{Design, FastL4, Protocol, Service, Snat, Virtual};
use crate::place::Place;
use crate::report::Report;
use crate::settle;
use crate::text::{quoted, shown};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// What a configuration means.
pub(super) fn design(config: &Config, report: &mut Report<'_>) -> Design {
    let mut reader = Reader {
        config,
        report,
        pools: Pools::default(),
        profiles: Profiles::default(),
        persistences: Persistences::default(),
        snat_pools: SnatPools::default(),
    };
    let virtuals: Vec<Virtual> =
        config.virtuals.all.iter().filter_map(|object| reader.virtual_(object)).collect();
    let Reader { report, pools, profiles, persistences, snat_pools, .. } = reader;
    pools.leave_rest(config, report);
    const WHY: &str = "no virtual server that is carried over uses it";
    for object in config.fastl4.all.iter().filter(|one| !profiles.has_read(&one.path)) {
        report.leave(object.place, object.what.clone(), WHY);
    }
    for object in config.source_addrs.all.iter().filter(|one| !persistences.has_read(&one.path)) {
        report.leave(object.place, object.what.clone(), WHY);
    }
    snat_pools.leave_rest(config, report);
    let vips: BTreeSet<Ipv4Addr> = virtuals.iter().map(|one| one.address).collect();
    let is_used = |one: &Object| virtual_address(one).is_some_and(|vip| vips.contains(&vip));
    config.virtual_addresses.leave(is_used, &["address", "mask"], report);
    let mut design = Design { virtuals, pools: pools.all, ..Design::default() };
    network::network(config, &mut design, report);
    design
}

/// The address of an `ltm virtual-address`, which is its name where nothing else is said.
fn virtual_address(object: &Object) -> Option<Ipv4Addr> {
    let properties = object.block.properties();
    let written = properties.iter().find(|one| one.name() == "address").and_then(Property::word);
    let text = written.map_or(leaf(&object.path), |word| word.text.as_str());
    text.split('%').next().unwrap_or_default().parse().ok()
}

struct Reader<'r, 's> {
    config: &'r Config,
    report: &'r mut Report<'s>,
    pools: Pools,
    profiles: Profiles,
    persistences: Persistences,
    snat_pools: SnatPools,
}

/// The address, port and protocol of a virtual server that labsim can speak to.
struct Listener {
    address: Ipv4Addr,
    port: u16,
    protocol: Protocol,
}

impl Reader<'_, '_> {
    /// A virtual server; `None`, with a note or a mistake, if it is not carried over.
    fn virtual_(&mut self, object: &Object) -> Option<Virtual> {
        let (what, properties) = (&object.what, object.block.properties());
        let listener = self.listener(object, &properties)?;
        let mut found = Virtual {
            name: object.name().to_owned(),
            place: object.place,
            what: what.clone(),
            address: listener.address,
            port: listener.port,
            protocol: listener.protocol,
            pool: 0,
            // F5's defaults for a virtual server with one address.
            translate_address: true,
            translate_port: true,
            snat: Snat::None,
            fastl4: FastL4::default(),
            persistence: None,
        };
        let mut pool = None;
        for property in &properties {
            match property.name() {
                "destination" | "ip-protocol" | "mask" | "enabled" => {}
                "pool" if property.is_none() => {}
                "pool" => pool = Some(read::word(property, self.report)?),
                "profiles" => found.fastl4 = self.profiles(property, what),
                "persist" if property.is_none() => {}
                "persist" => {
                    let Self { persistences, config, report, .. } = self;
                    found.persistence = persistences.persist(property, what, config, report);
                }
                "source" => self.source(property, what),
                "source-address-translation" => match property.block() {
                    Some(block) => {
                        found.snat = snat::translation(
                            block,
                            what,
                            &mut self.snat_pools,
                            self.config,
                            self.report,
                        )?;
                    }
                    None => {
                        let message = "write `source-address-translation { type … }`";
                        self.report.mistake(property.place, message);
                    }
                },
                "snat" | "snatpool" => {
                    found.snat =
                        snat::old(property, what, &mut self.snat_pools, self.config, self.report)?;
                }
                "translate-address" => {
                    found.translate_address = read::switch(property, self.report)?;
                }
                "translate-port" => found.translate_port = read::switch(property, self.report)?,
                _ => read::leave(what, property, self.report),
            }
        }
        let Some(pool) = pool else {
            self.report.leave(object.place, what, "it has no pool, so it brings packets nowhere");
            return None;
        };
        match self.pools.get(&pool.text, self.config, self.report) {
            Some(index) => found.pool = index,
            None => {
                let why =
                    format!("its pool {} is in none of these files", quoted(short(&pool.text)));
                self.report.leave(pool.place, what, why);
                return None;
            }
        }
        Some(found)
    }

    /// What is asked first, since a virtual server that is not for labsim is left out as a whole.
    fn listener(&mut self, object: &Object, properties: &[Property<'_>]) -> Option<Listener> {
        let what = &object.what;
        let of = |name: &str| properties.iter().find(|one| one.name() == name);
        let off = properties.iter().find(|one| one.name() == "disabled" && one.values.is_empty());
        if let Some(off) = off {
            self.report.leave(off.place, what, "it is switched off");
            return None;
        }
        let Some(destination) = of("destination") else {
            let message = format!("{what} has no `destination`; add one such as 172.16.4.99:49");
            self.report.mistake(object.place, message);
            return None;
        };
        let word = read::word(destination, self.report)?;
        let read = self.report.take(word.place, host_port(&word.text))?;
        let address = self.address(word, &read, what)?;
        if let Some(mask) = of("mask").and_then(Property::word)
            && !["255.255.255.255", "any"].contains(&mask.text.as_str())
        {
            let why = "it takes packets for a whole network; labsim's have one address";
            self.report.leave(mask.place, what, why);
            return None;
        }
        let protocol = of("ip-protocol").map(|one| read::word(one, self.report));
        let (protocol, place) = match protocol {
            None => ("any", object.place),
            Some(word) => word.map(|word| (word.text.as_str(), word.place))?,
        };
        let protocol = self.protocol(protocol, read.port, place, what)?;
        if settle::service(protocol, read.port).is_none() {
            let why = settle::unspoken(protocol, read.port);
            self.report.leave(object.place, what, why);
            return None;
        }
        if read.route_domain.is_some() {
            let why = "the lab has no route domains; the virtual server is carried over without it";
            self.report.leave(word.place, format!("{what}: route domain"), why);
        }
        Some(Listener { address, port: read.port, protocol })
    }

    fn address(&mut self, word: &Word, read: &HostPort<'_>, what: &str) -> Option<Ipv4Addr> {
        let (address, place) = match &read.host {
            Host::Address(address) => (*address, word.place),
            Host::Any => {
                let why = "it takes packets for every address; labsim's have one";
                self.report.leave(word.place, what, why);
                return None;
            }
            Host::Name(name) => self.virtual_address(word, name, what)?,
        };
        match address {
            IpAddr::V4(address) => self.report.take(place, unicast(address)),
            IpAddr::V6(_) => {
                self.report.leave(word.place, what, "the import is IPv4 so far");
                None
            }
        }
    }

    /// The address of an `ltm virtual-address` that a destination names.
    fn virtual_address(&mut self, word: &Word, name: &str, what: &str) -> Option<(IpAddr, Place)> {
        let folder = word.text.strip_suffix(leaf(&word.text)).unwrap_or_default();
        let Some(object) = self.config.virtual_addresses.get(&format!("{folder}{name}")) else {
            let message = format!(
                "{} is neither an address nor an `ltm virtual-address` of these files; write such \
                 as 172.16.4.99:49",
                quoted(name)
            );
            self.report.mistake(word.place, message);
            return None;
        };
        let properties = object.block.properties();
        let written =
            properties.iter().find(|one| one.name() == "address").and_then(Property::word);
        let Some(written) = written else {
            self.report.leave(word.place, what, format!("{} has no address", object.what));
            return None;
        };
        let address = written.text.split('%').next().unwrap_or_default();
        match address.parse() {
            Ok(address) => Some((address, written.place)),
            Err(_) => {
                let message = format!(
                    "{} is no address; write one such as 172.16.4.99",
                    quoted(&written.text)
                );
                self.report.mistake(written.place, message);
                None
            }
        }
    }

    fn protocol(&mut self, text: &str, port: u16, place: Place, what: &str) -> Option<Protocol> {
        match text {
            "tcp" | "6" => Some(Protocol::Tcp),
            "udp" | "17" => Some(Protocol::Udp),
            "any" | "0" => {
                let udp = settle::service(Protocol::Udp, port).filter(|_| port != 0);
                let protocol =
                    if udp == Some(Service::Radius) { Protocol::Udp } else { Protocol::Tcp };
                if settle::service(protocol, port).is_some() {
                    self.report.leave(
                        place,
                        format!("{what}: ip-protocol"),
                        format!(
                            "labsim's virtual servers take one protocol; {} was taken",
                            protocol.word()
                        ),
                    );
                }
                Some(protocol)
            }
            _ => {
                self.report.leave(place, what, "labsim's virtual servers take TCP or UDP");
                None
            }
        }
    }

    /// The fastL4 profile among a virtual server's profiles.
    fn profiles(&mut self, property: &Property<'_>, what: &str) -> FastL4 {
        let names = match (property.word(), property.block()) {
            (Some(word), _) => vec![(word, None)],
            (None, Some(block)) => block.names(),
            (None, None) => {
                let message = "write `profiles { NAME { } }`";
                self.report.mistake(property.place, message);
                Vec::new()
            }
        };
        let mut found = None;
        for (name, block) in names.into_iter().filter(|(name, _)| name.text != "none") {
            let shown = format!("{what}: profiles {}", shown(short(&name.text)));
            if is_fastl4(&name.text, self.config) {
                if found.is_some() {
                    let message = "a virtual server has one fastL4 profile; take the others out";
                    self.report.mistake(name.place, message);
                }
                found = Some(self.profiles.resolve(&name.text, self.config, self.report));
            } else {
                let why = "labsim's load balancer forwards packets as a fastL4 profile does, and \
                           knows no other; if this is one, add the file that has it";
                self.report.leave(name.place, shown.clone(), why);
            }
            for property in block.map(Block::properties).unwrap_or_default() {
                // Both sides, which is what fastL4 is for.
                if property.word().is_none_or(|word| word.text != "all") {
                    read::leave(&shown, &property, self.report);
                }
            }
        }
        found.unwrap_or_default()
    }

    /// Clients may come from everywhere, or the property is listed.
    fn source(&mut self, property: &Property<'_>, what: &str) {
        let everywhere = ["0.0.0.0/0", "any", "any/0", "::/0"];
        if property.word().is_none_or(|word| !everywhere.contains(&word.text.as_str())) {
            let place = property.place;
            let why = "labsim's virtual servers take packets from every client";
            self.report.leave(place, format!("{what}: source"), why);
        }
    }
}
