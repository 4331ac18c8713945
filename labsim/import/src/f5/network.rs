//! `net self` and `net route`: where the load balancer stands.

use super::address::without_route_domain;
use super::config::{Config, Object};
use super::read;
use super::tree::Word;
use crate::address::{interface, unicast};
use crate::design::{Design, OwnAddress};
use crate::report::Report;
use crate::text::quoted;
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};

/// Reads all self IPs and routes.
pub(super) fn network(config: &Config, design: &mut Design, report: &mut Report<'_>) {
    for object in &config.selfs.all {
        if let Some(net) = own(object, report) {
            design.own.push(OwnAddress { net, place: object.place });
        }
    }
    for object in &config.routes.all {
        if let Some(gateway) = gateway(object, report) {
            design.gateways.push(gateway);
        }
    }
}

fn own(object: &Object, report: &mut Report<'_>) -> Option<Ipv4Net> {
    let (mut address, mut netmask) = (None, None);
    for property in object.block.properties() {
        match property.name() {
            "address" => address = Some(read::word(&property, report)?.clone()),
            "netmask" => netmask = Some(read::word(&property, report)?.clone()),
            _ => read::leave(&object.what, &property, report),
        }
    }
    // Older versions name a self IP after its address and write the mask apart.
    let named = Word { text: super::address::leaf(&object.path).to_owned(), place: object.place };
    let address = address.unwrap_or(named);
    let (host, length) = match (address.text.split_once('/'), &netmask) {
        (Some((host, length)), _) => (host, length),
        (None, Some(mask)) => (address.text.as_str(), mask.text.as_str()),
        (None, None) => {
            report.mistake(
                address.place,
                format!(
                    "{} lacks its prefix length; write it such as 10.1.1.2/24",
                    quoted(&address.text)
                ),
            );
            return None;
        }
    };
    let (host, route_domain) = report.take(address.place, without_route_domain(host))?;
    if route_domain.is_some() {
        let why = "the lab has no route domains; the address is carried over without it";
        report.leave(address.place, format!("{}: route domain", object.what), why);
    }
    let wrong = || {
        format!(
            "{} is no address with a prefix length; write it such as 10.1.1.2/24",
            quoted(&address.text)
        )
    };
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(host)) => report.take(address.place, unicast(host))?,
        Ok(IpAddr::V6(_)) => {
            report.leave(object.place, object.what.clone(), "the import is IPv4 so far");
            return None;
        }
        Err(_) => {
            report.mistake(address.place, wrong());
            return None;
        }
    };
    let net = match (length.parse::<u8>(), length.parse::<Ipv4Addr>()) {
        (Ok(length), _) => Ipv4Net::new(host, length).ok(),
        (_, Ok(mask)) => Ipv4Net::with_netmask(host, mask).ok(),
        _ => None,
    };
    let Some(net) = net else {
        report.mistake(address.place, wrong());
        return None;
    };
    report.take(address.place, interface(net))
}

fn gateway(object: &Object, report: &mut Report<'_>) -> Option<Ipv4Addr> {
    let (mut gateway, mut is_default) = (None, object.name() == "default");
    for property in object.block.properties() {
        match property.name() {
            "gw" | "gateway" => gateway = Some(read::word(&property, report)?),
            "network" => {
                is_default =
                    ["default", "0.0.0.0/0"].contains(&read::word(&property, report)?.text.as_str())
            }
            _ => read::leave(&object.what, &property, report),
        }
    }
    let Some(word) = gateway.filter(|_| is_default) else {
        let why = "the lab's load balancer has one router, which knows every subnet";
        report.leave(object.place, object.what.clone(), why);
        return None;
    };
    let (host, _) = report.take(word.place, without_route_domain(&word.text))?;
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => report.take(word.place, unicast(address)),
        Ok(IpAddr::V6(_)) => {
            report.leave(object.place, object.what.clone(), "the import is IPv4 so far");
            None
        }
        Err(_) => {
            report.mistake(
                word.place,
                format!("{} is no address; write one such as 10.1.1.1", quoted(&word.text)),
            );
            None
        }
    }
}
