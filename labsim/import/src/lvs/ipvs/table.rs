//! The table of virtual services, as commands change it one by one.

use super::commands::{self, Kind, Named};
use super::options::Command;
use crate::lvs::service::Service;
use crate::lvs::timeouts;
use crate::report::Report;
use labsim_model::ipvs::Timeouts;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Most servers of a service that are looked at; a lab has fewer.
const SERVERS: usize = 1000;

/// Services, and their servers.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of their commands; `None` is one that was deleted.
    services: Vec<Option<Service>>,
    /// By the words that name them; `None` is one that is not imported.
    by_name: BTreeMap<String, Option<usize>>,
    timeouts: Timeouts,
}

impl Table {
    /// What is left at the end.
    pub(super) fn into_services(self) -> (Vec<Service>, Timeouts) {
        (self.services.into_iter().flatten().collect(), self.timeouts)
    }

    /// Runs a command.
    pub(super) fn run(&mut self, command: &Command, report: &mut Report<'_>) {
        let place = command.place;
        match command.name {
            "clear" => self.clear(command, report),
            "add-service" | "edit-service" | "delete-service" => {
                if let Some(named) = commands::named(command, report) {
                    self.service(command, named, report);
                }
            }
            "add-server" | "edit-server" | "delete-server" => {
                if let Some(named) = commands::named(command, report) {
                    self.server(command, named, report);
                }
            }
            "set" => self.set(command, report),
            "start-daemon" | "stop-daemon" => {
                let why = "the lab has one load balancer";
                report.not_imported(place, format!("--{}", command.name), why);
            }
            // `list`, `save`, `restore`, `zero`, `help`, `version`.
            _ => report.left_out(place, "command that configures nothing"),
        }
    }

    /// `--set TCP TCPFIN UDP`
    fn set(&mut self, command: &Command, report: &mut Report<'_>) {
        let [tcp, fin, udp] = command.arguments.as_slice() else {
            let message = "`--set` has three times, in seconds; write `--set TCP TCPFIN UDP`";
            return report.diagnostic(command.place, message);
        };
        for (which, word) in [("tcp", tcp), ("tcpfin", fin), ("udp", udp)] {
            timeouts::set(&mut self.timeouts, which, word, "--set", report);
        }
    }

    fn clear(&mut self, command: &Command, report: &mut Report<'_>) {
        let at = report.at(command.place);
        // The times are the kernel's, and stay.
        let timeouts = self.timeouts;
        let cleared = std::mem::replace(self, Self { timeouts, ..Self::default() });
        for service in cleared.services.into_iter().flatten() {
            report.not_imported(
                service.place,
                service.what,
                format!("a later command deletes it ({at})"),
            );
        }
    }

    fn service(&mut self, command: &Command, named: Named, report: &mut Report<'_>) {
        let Named { text, kind } = named;
        let what = format!("-A {text}");
        let before = self.by_name.get(&text).copied();
        let place = command.place;
        match (command.name, before) {
            ("add-service", Some(before)) => {
                let first = before.and_then(|at| self.services.get(at)?.as_ref());
                let why = match first {
                    Some(first) => {
                        format!(
                            "the service is there already ({}), and IPVS refuses it",
                            report.at(first.place)
                        )
                    }
                    None => "the service is there already, and IPVS refuses it".to_owned(),
                };
                report.not_imported(place, what, why);
            }
            ("add-service", None) => {
                let index = match kind {
                    Kind::Other(why) => report.skip(place, what, why),
                    Kind::Address(protocol, destination) => {
                        let service =
                            commands::service(command, &what, (protocol, destination), report);
                        self.services.push(service);
                        Some(self.services.len() - 1)
                    }
                };
                self.by_name.insert(text, index);
            }
            (_, None) => {
                let why = "no such service is there before, and IPVS refuses it";
                report.not_imported(place, format!("--{} {text}", command.name), why);
            }
            ("delete-service", Some(before)) => {
                self.by_name.remove(&text);
                let service = before.and_then(|at| self.services.get_mut(at)?.take());
                if let Some(service) = service {
                    let at = report.at(place);
                    let why = format!("a later command deletes it ({at})");
                    report.not_imported(service.place, service.what, why);
                }
            }
            // `edit-service`: all of its options anew.
            (_, Some(before)) => {
                let slot = before.and_then(|at| self.services.get_mut(at)?.as_mut());
                let (Some(service), Kind::Address(protocol, destination)) = (slot, kind) else {
                    let why = "its service is not imported";
                    report.not_imported(place, format!("--{} {text}", command.name), why);
                    return;
                };
                let edited = commands::service(command, &what, (protocol, destination), report);
                if let Some(edited) = edited {
                    let servers = std::mem::take(&mut service.servers);
                    *service = Service { servers, ..edited };
                }
            }
        }
    }

    fn server(&mut self, command: &Command, named: Named, report: &mut Report<'_>) {
        let Some((address, port)) = commands::real_server(command, report) else { return };
        let Named { text, .. } = named;
        let host = match (address, port) {
            (address, None) => address.to_string(),
            (address, Some(port)) => SocketAddr::new(address, port).to_string(),
        };
        let what = format!("-a {text} -r {host}");
        let found = self.by_name.get(&text).copied();
        let Some(service) = found.flatten().and_then(|at| self.services.get_mut(at)?.as_mut())
        else {
            let why = match found {
                Some(_) => "its service is not imported",
                None => "no such service is there before, and IPVS refuses it",
            };
            report.not_imported(command.place, what, why);
            return;
        };
        let own = service.destinations.first().map(|first| first.port);
        let is_it = |port: Option<u16>| port.or(own);
        let at = service
            .servers
            .iter()
            .position(|one| one.address == address && is_it(one.port) == is_it(port));
        match (command.name, at) {
            ("add-server", _) if service.servers.len() >= SERVERS => {
                let why = format!("more than {SERVERS} servers of a service are not read");
                report.not_imported(command.place, what, why);
            }
            ("add-server", _) => {
                service.servers.extend(commands::server(command, what, (address, port), report));
            }
            ("delete-server", Some(at)) => {
                let server = service.servers.remove(at);
                let why = format!("a later command deletes it ({})", report.at(command.place));
                report.not_imported(server.place, server.what, why);
            }
            (_, Some(at)) => {
                let edited = commands::server(command, what, (address, port), report);
                if let (Some(edited), Some(server)) = (edited, service.servers.get_mut(at)) {
                    *server = edited;
                }
            }
            (_, None) => {
                let why = "the service has no such server before, and IPVS refuses it";
                report.not_imported(
                    command.place,
                    format!("--{} {text} -r {host}", command.name),
                    why,
                );
            }
        }
    }
}
