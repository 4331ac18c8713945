//! `slb virtual-server` and its ports: from commands to a design.

use super::config::{Config, Object};
use super::lines::Line;
use super::pools::{Pools, report_children, why};
use super::templates;
use crate::lb_model::{LbModel, OwnAddress, VirtualServer};
use crate::report::Report;
use crate::text::printable;
use labsim_model::quote;
use labsim_model::{IpProtocol, Persistence, PortRange, Ports, Profile, SourceTranslation};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Most ports after the first of a virtual port with `range`.
pub(crate) const MOST_MORE_PORTS: u16 = 254;

/// What a configuration means.
pub(super) fn lb_model(config: &Config, report: &mut Report<'_>) -> LbModel {
    let mut reader = Reader {
        config,
        report,
        pools: Pools::default(),
        nat_pools: BTreeSet::new(),
        templates: BTreeSet::new(),
    };
    let mut virtuals = Vec::new();
    for object in &config.virtuals.all {
        reader.virtual_server(object, &mut virtuals);
    }
    let Reader { report, pools, nat_pools, templates: used, .. } = reader;
    pools.report_unused(config, report);
    const WHY: &str = "no virtual port that is imported uses it";
    for (_, pool) in config.nat_pools.iter().filter(|(name, _)| !nat_pools.contains(name.as_str()))
    {
        report.not_imported(pool.place, pool.what.clone(), WHY);
    }
    for (kind, objects) in &config.templates {
        for object in &objects.all {
            if !used.contains(&(*kind, object.name.as_str())) {
                report.not_imported(object.place, object.what.clone(), WHY);
                continue;
            }
            templates::list_others(kind, object, report);
        }
    }
    let own = config.own.iter().map(|(net, place)| OwnAddress { net: *net, place: *place });
    LbModel {
        virtuals,
        pools: pools.all,
        own: own.collect(),
        gateways: config.gateways.clone(),
        ..LbModel::default()
    }
}

struct Reader<'r, 's> {
    config: &'r Config,
    report: &'r mut Report<'s>,
    pools: Pools,
    /// The NAT pools and templates that are used.
    nat_pools: BTreeSet<&'r str>,
    templates: BTreeSet<(&'static str, &'r str)>,
}

impl<'r> Reader<'r, '_> {
    fn virtual_server(&mut self, object: &'r Object, virtuals: &mut Vec<VirtualServer>) {
        let what = &object.what;
        let Some(address) = self.address(object) else { return };
        if object.lines.iter().any(|line| line.texts() == ["disable"]) {
            self.report.not_imported(object.place, what, "it is disabled");
            return;
        }
        if !object.lines.iter().any(|line| line.text(0) == "port") {
            self.report.not_imported(
                object.place,
                what,
                "it has no port, so it accepts no packets",
            );
        }
        let before = virtuals.len();
        for line in object.lines.iter().filter(|line| line.text(0) == "port") {
            virtuals.extend(self.port(object, address, line));
        }
        if virtuals.len() == before {
            return;
        }
        if let Some(mask) = object.rest.get(1)
            && !["/32", "255.255.255.255", "/128"].contains(&mask.text.as_str())
        {
            let why = "labsim's virtual servers have one address; the first is used";
            self.report.not_imported(mask.place, format!("{what}: mask"), why);
        }
        for line in object.lines.iter().filter(|line| !["port", "enable"].contains(&line.text(0))) {
            self.report.not_imported(
                line.place,
                format!("{what}: {}", printable(line.text(0))),
                why(line),
            );
        }
    }

    fn address(&mut self, object: &Object) -> Option<IpAddr> {
        let Some(word) = object.rest.first() else {
            let message = format!("{} has no address; write one behind its name", object.what);
            return self.report.reject(object.place, message);
        };
        if word.text.parse().is_ok_and(|address: IpAddr| address.is_unspecified()) {
            let why = "it accepts packets for every address; labsim's virtual servers have one";
            return self.report.skip(object.place, object.what.clone(), why);
        }
        self.report.address(word.place, &word.text, &object.what)
    }

    /// A virtual port; `None`, with a note or an error, if it is not imported.
    fn port(
        &mut self,
        object: &'r Object,
        address: IpAddr,
        line: &'r Line,
    ) -> Option<VirtualServer> {
        let (number, kind) = (line.text(1), line.text(2));
        let what = format!("{}: port {} {}", object.what, printable(number), printable(kind));
        let Ok(port) = number.parse::<u16>() else {
            let message = format!("{} is not a port; write a number up to 65535", quote(number));
            let place = line.words.get(1).map_or(line.place, |word| word.place);
            return self.report.reject(place, message);
        };
        let protocol = match kind {
            "tcp" | "tcp-proxy" => IpProtocol::Tcp,
            "udp" | "radius" => IpProtocol::Udp,
            "others" => {
                let why = "it takes IP protocols other than TCP and UDP, which are those that labsim's \
                           virtual servers accept";
                return self.report.skip(line.place, what, why);
            }
            _ => {
                let why = "labsim's virtual servers accept TCP or UDP packets unchanged";
                return self.report.skip(line.place, what, why);
            }
        };
        if line.children.iter().any(|child| child.texts() == ["disable"]) {
            return self.report.skip(line.place, what, "it is disabled");
        }
        if kind == "tcp-proxy" {
            let why = "labsim's virtual servers forward packets unchanged";
            self.report.not_imported(line.place, format!("{what}: its kind"), why);
        }
        let ports = self.ports(port, line, &what)?;
        let name = format!("{}_{port}", object.name);
        let mut found = VirtualServer::new((name, &what, line.place), (address, ports), protocol);
        found.settings.fastl4 = templates::fastl4();
        let (mut profile, mut group, mut snat) = (Profile::None, None, None);
        for child in &line.children {
            match child.texts().as_slice() {
                ["service-group", _, ..] => {
                    self.replaced(&what, group.replace(child));
                }
                ["no-dest-nat"] => {
                    found.written.destination_translation = Some(child.place);
                    (found.settings.translate_address, found.settings.translate_port) =
                        (false, false)
                }
                ["no-dest-nat", "port-translation"] => {
                    found.written.destination_translation = Some(child.place);
                    found.settings.translate_address = false;
                }
                ["ipinip"] => {
                    found.written.tunnel = Some(child.place);
                    profile = Profile::Ipip;
                }
                ["source-nat", "auto", rest @ ..] => {
                    found.written.source_translation = Some(child.place);
                    self.replaced(&what, snat.replace(child));
                    if let Some(first) = rest.first() {
                        let what = format!("{what}: source-nat auto {}", printable(first));
                        self.report.not_imported(child.place, what, why(child));
                    }
                    found.settings.source_address_translation = SourceTranslation::Automap;
                }
                ["source-nat", "pool", _] => {
                    found.written.source_translation = Some(child.place);
                    self.replaced(&what, snat.replace(child));
                    found.settings.source_address_translation = self.nat_pool(child, &what)?;
                }
                ["template", kind @ ("tcp" | "udp"), name] => {
                    let kind = if *kind == "tcp" { "tcp" } else { "udp" };
                    if let Some(object) = self.template(child, kind, name) {
                        let fastl4 = &mut found.settings.fastl4;
                        templates::of_protocol(object, fastl4, self.report);
                    }
                }
                ["template", "persist", "source-ip", name] => {
                    if let Some(object) = self.template(child, "persist source-ip", name) {
                        let rule = templates::persistence(object, found.family(), self.report);
                        found.settings.persistence = Persistence::SourceAddress(rule);
                    }
                }
                ["enable"] => {}
                _ => {
                    let what = format!("{what}: {}", printable(child.text(0)));
                    self.report.not_imported(child.place, what, why(child));
                }
            }
            report_children(&what, child, &[], self.report);
        }
        let Some(group) = group else {
            return self.report.skip(
                line.place,
                what,
                "it has no service group, so it has no members to forward to",
            );
        };
        let name = group.texts()[1..].join(" ");
        match self.pools.get(&name, profile, self.config, self.report) {
            Some(index) => found.pool = index,
            None => {
                let why =
                    format!("its service group {} is in none of the imported files", quote(&name));
                return self.report.skip(group.place, what, why);
            }
        }
        Some(found)
    }

    /// A virtual port's ports: 0 is every one, and `range N` adds the N next ones.
    fn ports(&mut self, port: u16, line: &Line, what: &str) -> Option<Ports> {
        let rest: Vec<&str> = line.words.iter().skip(3).map(|word| word.text.as_str()).collect();
        let number = match rest.as_slice() {
            [] => 0,
            ["range", number] => {
                let place = line.words.get(4).map_or(line.place, |word| word.place);
                let read = number.parse().ok().filter(|number| *number <= MOST_MORE_PORTS);
                let message =
                    || format!("{} is no range; write 0 to {MOST_MORE_PORTS}", quote(number));
                self.report.check(place, read.ok_or_else(message))?
            }
            [first, ..] => {
                let what = format!("{what}: {}", printable(first));
                self.report.not_imported(line.place, what, "labsim does not support it");
                0
            }
        };
        if port == 0 {
            return Some(Ports::ANY);
        }
        let Some(last) = port.checked_add(number) else {
            let message = format!(
                "the range ends at {}; the highest port is 65535",
                u32::from(port) + u32::from(number)
            );
            return self.report.reject(line.place, message);
        };
        self.report.check(line.place, Ports::of(vec![PortRange { first: port, last }]))
    }

    /// A line that a later one of its kind takes the place of, as ACOS has it.
    fn replaced(&mut self, what: &str, line: Option<&Line>) {
        if let Some(line) = line {
            let what = format!("{what}: {}", printable(line.text(0)));
            self.report.not_imported(line.place, what, "a later line replaces it");
        }
    }

    fn nat_pool(&mut self, line: &'r Line, what: &str) -> Option<SourceTranslation> {
        let name = line.text(2);
        let Some(pool) = self.config.nat_pools.get(name) else {
            let why = format!("its NAT pool {} is in none of the imported files", quote(name));
            return self.report.skip(line.place, what, why);
        };
        self.nat_pools.insert(name);
        Some(SourceTranslation::Snat(pool.addresses.clone()))
    }

    /// The template that a line names; a warning if no file has it.
    fn template(
        &mut self,
        line: &'r Line,
        kind: &'static str,
        name: &'r str,
    ) -> Option<&'r Object> {
        let found = self.config.templates.get(kind).and_then(|all| all.get(name));
        if found.is_some() {
            self.templates.insert((kind, name));
        } else if name != "default" {
            let what = format!("slb template {kind} {}", printable(name));
            let why = "it is in none of the imported files; ACOS's own settings are used";
            self.report.warn(line.place, what, why);
        }
        found
    }
}
