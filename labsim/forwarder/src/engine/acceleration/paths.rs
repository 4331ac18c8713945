//! The ways that flows which are handed over share: to each member, and to the next hops of clients.

use super::{Acceleration, Engine};
use crate::engine::Member;
use crate::engine::encapsulate::Path;
use crate::port::NextHop;
use crate::{ActionOnDown, Instant, OffloadPath, OffloadTunnel};
use std::net::IpAddr;
use std::time::Duration;

/// Next hops of clients that have a path; flows of clients behind others stay with the engine.
const CLIENT_PATHS: usize = 64;
/// How often the engine looks which next hops were used that it has not used itself: it asks them
/// whether they are there as it asks its own.
pub(super) const NEIGHBOUR_CHECK: Duration = Duration::from_secs(1);

/// The way to clients by one next hop.
#[derive(Debug)]
pub(super) struct ClientPath {
    next_hop: IpAddr,
    path: Option<OffloadPath>,
}

/// The path number of a next hop of clients, from the end: members have theirs from the start.
pub(super) const fn client_path_number(place: usize) -> u16 {
    u16::MAX - place as u16
}

impl Engine {
    /// Follows what the paths depend on: neighbours, path MTUs, members' states, the configuration.
    #[inline]
    pub(in crate::engine) fn refresh_paths(&mut self) {
        if let Some(acceleration) = &self.acceleration
            && (acceleration.is_stale || acceleration.moves != self.neighbours.moves())
        {
            self.set_paths();
        }
    }

    /// Has [`Self::refresh_paths`] look at all paths.
    pub(in crate::engine) fn invalidate_paths(&mut self) {
        if let Some(acceleration) = &mut self.acceleration {
            acceleration.is_stale = true;
        }
    }

    #[cold]
    fn set_paths(&mut self) {
        let Some(mut acceleration) = self.acceleration.take() else { return };
        let is_at_rest = self.standby || acceleration.recall.is_some();
        // The numbers above are next hops of clients.
        let most = usize::from(u16::MAX) - CLIENT_PATHS;
        let members = self.members.len().min(most);
        acceleration.member_paths.resize(members.max(acceleration.member_paths.len()), None);
        for number in 0..acceleration.member_paths.len() {
            let member = self.members.get(number).filter(|_| !is_at_rest);
            let path = member.and_then(|member| self.path_to_member(member));
            if acceleration.member_paths[number] != path {
                acceleration.member_paths[number] = path;
                acceleration.offload.set_path(number as u16, path);
            }
        }
        for place in 0..acceleration.client_paths.len() {
            let next_hop = acceleration.client_paths[place].next_hop;
            let path = self.path_to_clients(next_hop).filter(|_| !is_at_rest);
            if acceleration.client_paths[place].path != path {
                acceleration.client_paths[place].path = path;
                acceleration.offload.set_path(client_path_number(place), path);
            }
        }
        acceleration.moves = self.neighbours.moves();
        acceleration.is_stale = false;
        self.acceleration = Some(acceleration);
    }

    /// How packets reach a member; `None` if they are the engine's.
    fn path_to_member(&self, member: &Member) -> Option<OffloadPath> {
        if member.is_hosts || (member.down && member.on_down != ActionOnDown::None) {
            return None;
        }
        let next_hop = self.neighbours.mac(member.next_hop?)?;
        let tunnel = match member.path {
            Path::Plain { .. } => None,
            Path::Tunnel { outer, kind, tos, .. } => Some(OffloadTunnel {
                source: outer.source(),
                destination: outer.destination(),
                protocol: kind,
                tos,
            }),
        };
        let mtu = self.port.mtu.min(usize::from(member.path.mtu()));
        Some(OffloadPath { own: self.port.mac, next_hop, mtu: mtu as u16, tunnel })
    }

    fn path_to_clients(&self, next_hop: IpAddr) -> Option<OffloadPath> {
        let next_hop = self.neighbours.known(next_hop)?;
        let mtu = u16::try_from(self.port.mtu).unwrap_or(u16::MAX);
        Some(OffloadPath { own: self.port.mac, next_hop, mtu, tunnel: None })
    }

    /// The number of the path to a client, which is there.
    pub(super) fn client_path(&mut self, client: IpAddr) -> Option<u16> {
        let Some(NextHop::Neighbour(next_hop)) = self.routes.next_hop(client) else { return None };
        let path = self.path_to_clients(next_hop)?;
        let Acceleration { client_paths, offload, .. } = self.acceleration.as_mut()?;
        if let Some(place) = client_paths.iter().position(|known| known.next_hop == next_hop) {
            return client_paths[place].path.is_some().then_some(client_path_number(place));
        }
        let place = client_paths.len();
        if place == CLIENT_PATHS {
            return None;
        }
        client_paths.push(ClientPath { next_hop, path: Some(path) });
        offload.set_path(client_path_number(place), Some(path));
        Some(client_path_number(place))
    }

    /// Asks the next hops that were used meanwhile whether they are there, when it is time to.
    pub(in crate::engine) fn check_neighbours(&mut self, now: Instant) {
        let Some(mut acceleration) = self.acceleration.take() else { return };
        if acceleration.check.is_some_and(|due| due <= now) {
            let counters = acceleration.offload.counters(0, self.members.len() as u16);
            let packets = |tallies: &[crate::Tally], number| {
                tallies.get(number).map_or(0, |tally: &crate::Tally| tally.packets)
            };
            for (number, member) in self.members.iter().enumerate() {
                let before = packets(&acceleration.checked.sent, number);
                if packets(&counters.sent, number) > before
                    && let Some(next_hop) = member.next_hop
                {
                    let _ = self.neighbours.resolve(next_hop, now);
                }
            }
            let to_clients = counters.forwarded_to_client.packets;
            if to_clients > acceleration.checked.forwarded_to_client.packets {
                let paths = acceleration.client_paths.iter().filter(|known| known.path.is_some());
                for known in paths {
                    if let Some(next_hop) = self.neighbours.find(known.next_hop) {
                        let _ = self.neighbours.resolve(next_hop, now);
                    }
                }
            }
            acceleration.checked = counters;
            let goes_on = acceleration.flows > 0;
            acceleration.check = goes_on.then_some(now.after(NEIGHBOUR_CHECK));
        }
        self.acceleration = Some(acceleration);
    }
}
