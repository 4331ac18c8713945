//! `ltm traffic-matching-criteria` and `net port-list`: which packets a virtual server of several ports
//! takes.

use super::address::{full, leaf};
use super::config::{Config, Object};
use super::read;
use super::tree::{Block, Property, Word};
use crate::place::Place;
use crate::report::Report;
use crate::service_names;
use labsim_model::{PortRange, Ports, quote};
use std::collections::BTreeSet;

/// How deep lists of ports may stand in each other.
const DEPTH: usize = 8;

/// The criteria and lists of ports that virtual servers use.
#[derive(Debug, Default)]
pub(super) struct TrafficMatching {
    criteria: BTreeSet<String>,
    port_lists: BTreeSet<String>,
}

/// What criteria say.
pub(super) struct Criteria<'c> {
    /// As a destination is written, with port `any`.
    pub(super) address: Word,
    pub(super) ports: Ports,
    pub(super) protocol: Option<&'c Word>,
}

impl TrafficMatching {
    /// The criteria that a virtual server names; `None`, with a note or an error, if it cannot be imported.
    pub(super) fn get<'c>(
        &mut self,
        name: &Word,
        what: &str,
        config: &'c Config,
        report: &mut Report<'_>,
    ) -> Option<Criteria<'c>> {
        let Some(object) = config.traffic_matching.get(&name.text) else {
            let why = format!(
                "its traffic matching criteria {} are in none of the imported files",
                quote(&name.text)
            );
            return report.skip(name.place, what, why);
        };
        self.criteria.insert(object.path.clone());
        let (mut address, mut ports, mut protocol) = (None, None, None);
        for property in object.block.properties() {
            match property.name() {
                _ if property.is_none() => {}
                "destination-address-inline" => address = Some(read::word(&property, report)?),
                "destination-address-list" => {
                    let why = "it accepts packets for a list of addresses; labsim's virtual servers have one";
                    return report.skip(property.place, what, why);
                }
                "destination-port-inline" => {
                    let word = read::word(&property, report)?;
                    ports = Some(self.inline(word, report)?);
                }
                "destination-port-list" => {
                    let word = read::word(&property, report)?;
                    let ranges = self.list(word, what, config, report)?;
                    ports = Some(report.check(word.place, Ports::of(ranges))?);
                }
                "protocol" => protocol = Some(property.word()?),
                "source-address-inline" if is_everywhere(&property) => {}
                "source-port-inline" if is_every_port(&property) => {}
                "route-domain"
                    if property.word().is_some_and(|it| ["any", "0"].contains(&leaf(&it.text))) => {
                }
                _ => read::not_imported(&object.what, &property, report),
            }
        }
        let Some(address) = address else {
            return report.skip(name.place, what, format!("{} has no address", object.what));
        };
        // Some releases write the address with its mask.
        let (host, length) = address.text.split_once('/').unwrap_or((&address.text, "32"));
        if !["32", "128", "255.255.255.255"].contains(&length) {
            let why = "it accepts packets for a network; labsim's virtual servers have one address";
            return report.skip(address.place, what, why);
        }
        let separator = if host.matches(':').count() > 1 { '.' } else { ':' };
        let address = Word { text: format!("{host}{separator}any"), place: address.place };
        Some(Criteria { address, ports: ports.unwrap_or(Ports::ANY), protocol })
    }

    /// One port, or every one.
    fn inline(&self, word: &Word, report: &mut Report<'_>) -> Option<Ports> {
        let port = report.check(word.place, range(&word.text))?;
        match port {
            PortRange { first: 0, .. } => Some(Ports::ANY),
            range => report.check(word.place, Ports::of(vec![range])),
        }
    }

    /// The ports of a list and of those in it.
    fn list(
        &mut self,
        name: &Word,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Vec<PortRange>> {
        let mut ranges = BTreeSet::new();
        let mut lists: Vec<(&str, Place, usize)> = vec![(&name.text, name.place, 0)];
        while let Some((path, place, depth)) = lists.pop() {
            let Some(object) = config.port_lists.get(path).filter(|_| depth < DEPTH) else {
                let why = format!("its port list {} is in none of the imported files", quote(path));
                return report.skip(place, what, why);
            };
            if !self.port_lists.insert(object.path.clone()) && depth > 0 {
                continue;
            }
            for property in object.block.properties() {
                let names = property.block().map(Block::names).unwrap_or_default();
                match property.name() {
                    "ports" => {
                        for (port, _) in names {
                            ranges.insert(report.check(port.place, range(&port.text))?);
                        }
                    }
                    "port-lists" => {
                        lists.extend(
                            names.iter().map(|(it, _)| (it.text.as_str(), it.place, depth + 1)),
                        );
                    }
                    _ => read::not_imported(&object.what, &property, report),
                }
            }
        }
        Some(ranges.into_iter().collect())
    }

    /// Lists criteria and lists of ports that nothing uses.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        for (objects, used) in
            [(&config.traffic_matching, &self.criteria), (&config.port_lists, &self.port_lists)]
        {
            for object in
                objects.all.iter().filter(|one: &&Object| !used.contains(&full(&one.path)))
            {
                let why = "no virtual server that is imported uses it";
                report.not_imported(object.place, object.what.clone(), why);
            }
        }
    }
}

/// `80`, `http`, `8000-8010`; `any` is 0.
fn range(text: &str) -> Result<PortRange, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    // A service's name may have a hyphen.
    let named = service_names::port(text).map(PortRange::from);
    let range =
        || Some(PortRange { first: service_names::port(first)?, last: service_names::port(last)? });
    named.or_else(range).ok_or_else(|| {
        format!(
            "{} is not a port; write a number, a range such as 8000-8010, or a service",
            quote(text)
        )
    })
}

fn is_everywhere(property: &Property<'_>) -> bool {
    let everywhere = ["0.0.0.0", "0.0.0.0/0", "any", "any/0", "::", "::/0", "any6"];
    property.word().is_some_and(|word| {
        let host = word.text.split('%').next().unwrap_or_default();
        everywhere.contains(&host)
    })
}

fn is_every_port(property: &Property<'_>) -> bool {
    property.word().is_some_and(|word| ["0", "any", "*"].contains(&word.text.as_str()))
}
