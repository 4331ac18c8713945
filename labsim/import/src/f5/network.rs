//! `net self` and `net route`: where the load balancer stands.

use super::address::without_route_domain;
use super::config::{Config, Object};
use super::read;
use super::tree::Word;
use crate::address::{self, check_interface};
use crate::lb_model::{LbModel, OwnAddress};
use crate::report::Report;
use ipnet::IpNet;
use labsim_model::quote;
use std::net::IpAddr;

/// Reads all self IPs and routes.
pub(super) fn network(config: &Config, model: &mut LbModel, report: &mut Report<'_>) {
    for object in &config.selfs.all {
        if let Some(net) = read_self(object, report) {
            model.own.push(OwnAddress { net, place: object.place });
        }
    }
    for object in &config.routes.all {
        if let Some(gateway) = gateway(object, report) {
            model.gateways.push(gateway);
        }
    }
}

fn read_self(object: &Object, report: &mut Report<'_>) -> Option<IpNet> {
    let (mut address, mut netmask) = (None, None);
    for property in object.block.properties() {
        match property.name() {
            "address" => address = Some(read::word(&property, report)?.clone()),
            "netmask" => netmask = Some(read::word(&property, report)?.clone()),
            _ => read::not_imported(&object.what, &property, report),
        }
    }
    // Older versions name a self IP after its address and write the mask apart.
    let named = Word { text: super::address::leaf(&object.path).to_owned(), place: object.place };
    let address = address.unwrap_or(named);
    let (host, length) = match (address.text.split_once('/'), &netmask) {
        (Some((host, length)), _) => (host, length),
        (None, Some(mask)) => (address.text.as_str(), mask.text.as_str()),
        (None, None) => {
            return report.reject(
                address.place,
                format!(
                    "{} lacks its prefix length; write it such as 10.1.1.2/24",
                    quote(&address.text)
                ),
            );
        }
    };
    let (host, route_domain) = report.check(address.place, without_route_domain(host))?;
    read::note_route_domain(route_domain, address.place, &object.what, report);
    let wrong = || {
        format!(
            "{} is not an address with a prefix length; write it such as 10.1.1.2/24",
            quote(&address.text)
        )
    };
    if host.parse::<IpAddr>().is_err() {
        return report.reject(address.place, wrong());
    }
    let host = report.address(address.place, host, &object.what)?;
    let Some(net) = address::net(host, length) else {
        return report.reject(address.place, wrong());
    };
    report.check(address.place, check_interface(net))
}

fn gateway(object: &Object, report: &mut Report<'_>) -> Option<IpAddr> {
    let (mut gateway, mut is_default) = (None, object.name() == "default");
    for property in object.block.properties() {
        match property.name() {
            "gw" | "gateway" => gateway = Some(read::word(&property, report)?),
            "network" => {
                let everywhere = ["default", "default-inet6", "0.0.0.0/0", "::/0", "any", "any6"];
                is_default = everywhere.contains(&read::word(&property, report)?.text.as_str());
            }
            _ => read::not_imported(&object.what, &property, report),
        }
    }
    let Some(word) = gateway.filter(|_| is_default) else {
        let why = "the lab's load balancer has one router, which knows every subnet";
        return report.skip(object.place, object.what.clone(), why);
    };
    let (host, _) = report.check(word.place, without_route_domain(&word.text))?;
    report.address(word.place, host, &object.what)
}
