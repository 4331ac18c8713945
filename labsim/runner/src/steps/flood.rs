//! Floods: packets at a rate, each from another source, sent by a thread of their own.

use crate::error::RunError;
use crate::steps::StepEnd;
use labsim_codes::run;
use labsim_lab::Lab;
use labsim_model::Random;
use labsim_scenario::model::{Flood, IpProtocol};
use labsim_sys::{Errno, batch};
use labsim_wire::checksum::AddressPair;
use labsim_wire::tcp::Flags;
use labsim_wire::{EmitError, ipv4, ipv6, tcp, udp};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a machine that is late may take longer.
const GRACE: Duration = Duration::from_millis(100);
/// How long the sender sleeps between batches, and if the kernel takes no more.
const PAUSE: Duration = Duration::from_micros(500);
/// Where packets' times to live begin.
const TTL: u8 = 64;
/// Of random source ports.
const FIRST_PORT: u32 = 1024;
/// The MSS option of Ethernet's MTU over IPv4 (RFC 9293, section 3.7.1): 1460.
const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];
const WINDOW: u16 = 64_240;

/// Sends the packets while the lab goes on. Dropped, it ends within a pause.
pub(super) async fn send(lab: &Lab, flood: &Flood) -> Result<StepEnd, RunError> {
    let node = lab.node(&flood.from).ok_or_else(|| RunError::unknown_node(&flood.from))?;
    let what = format!("{} cannot flood {}", flood.from, flood.to);
    let socket = node.ip_socket_to(flood.to.ip());
    let socket = socket.map_err(RunError::from_source(run::PACKET_NOT_SENT, &what))?;
    let stop = StopOnDrop(Arc::default());
    let stopped = Arc::clone(&stop.0);
    let packets = Packets::new(flood);
    let (rate, duration) = (flood.packets_per_second, flood.duration);
    let plan = Plan { total: flood.packets(), rate, duration };
    let sending = tokio::task::spawn_blocking(move || plan.send(&socket, packets, &stopped));
    let ended = sending.await.unwrap_or_else(|_| Err(io::Error::other("the sender has panicked")));
    let ended = ended.map_err(RunError::from_source(run::PACKET_NOT_SENT, &what));
    let Sent { packets, took } = ended?;
    let per_second = u128::from(packets) * 1_000_000_000 / took.as_nanos().max(1);
    Ok(StepEnd::done(format!(
        "{} sent {packets} of {} {}s to {} from {} in {} ms: {per_second} packets/s",
        flood.from,
        plan.total,
        flood.noun(),
        flood.to,
        flood.sources,
        took.as_millis()
    )))
}

/// Ends the sender when the step is given up.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many packets are sent, and when.
#[derive(Debug, Clone, Copy)]
struct Plan {
    total: u64,
    /// Packets a second.
    rate: u32,
    duration: Duration,
}

/// What was sent.
struct Sent {
    packets: u64,
    took: Duration,
}

impl Plan {
    /// How many packets are to be sent until then.
    fn due(&self, elapsed: Duration) -> u64 {
        if elapsed >= self.duration {
            return self.total;
        }
        let due = elapsed.as_nanos() * u128::from(self.rate) / 1_000_000_000;
        u64::try_from(due).unwrap_or(u64::MAX).saturating_add(1).min(self.total)
    }

    fn send(
        &self,
        socket: &OwnedFd,
        mut packets: Packets,
        stopped: &AtomicBool,
    ) -> io::Result<Sent> {
        let began = Instant::now();
        let mut sent = 0;
        // The first are ready to be sent.
        let (mut batch, mut ready) = (vec![Vec::new(); batch::MAX_SENT], 0);
        loop {
            let elapsed = began.elapsed();
            let is_late = elapsed >= self.duration + GRACE;
            if sent >= self.total || is_late || stopped.load(Ordering::Relaxed) {
                return Ok(Sent { packets: sent, took: elapsed });
            }
            let due = usize::try_from(self.due(elapsed).saturating_sub(sent)).unwrap_or(usize::MAX);
            let wanted = due.min(batch::MAX_SENT);
            if wanted == 0 {
                std::thread::sleep(PAUSE);
                continue;
            }
            while ready < wanted
                && let Some(bytes) = batch.get_mut(ready)
            {
                packets.next(bytes).map_err(io::Error::other)?;
                ready += 1;
            }
            match batch::send(socket.as_fd(), batch.iter().take(wanted).map(Vec::as_slice)) {
                Ok(taken) => {
                    sent += taken as u64;
                    batch.rotate_left(taken);
                    ready = ready.saturating_sub(taken);
                }
                Err(error) if is_full(&error) => std::thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the kernel takes no packet at the moment.
fn is_full(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EAGAIN | Errno::ENOBUFS | Errno::EINTR))
}

/// The packets of a flood, without an end.
struct Packets {
    flood: Flood,
    random: Random,
}

impl Packets {
    fn new(flood: &Flood) -> Self {
        Self { flood: flood.clone(), random: Random::new(flood.seed, 0) }
    }

    /// Writes the next packet, from its IP header on, in the place of an earlier one.
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<(), EmitError> {
        bytes.clear();
        let (source, to) = (self.source(), self.flood.to);
        let source_port = FIRST_PORT + self.random.word() % (u32::from(u16::MAX) - FIRST_PORT);
        let source_port = u16::try_from(source_port).unwrap_or(u16::MAX);
        let sequence = self.random.word();
        match (source, to.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = ipv4::Header {
                    source,
                    destination,
                    protocol: self.flood.protocol.number(),
                    ttl: TTL,
                    tos: 0,
                    id: 0,
                    dont_fragment: true,
                    more_fragments: false,
                    fragment_offset: 0,
                    options: &[],
                    payload_length: self.payload_length(),
                };
                bytes.resize(header.length() + self.payload_length(), 0);
                header.emit(bytes)?;
                let addresses = AddressPair::V4(source, destination);
                let payload = bytes.get_mut(header.length()..).unwrap_or_default();
                self.fill(payload, (source_port, sequence), &addresses)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = ipv6::Header {
                    source,
                    destination,
                    next_header: self.flood.protocol.number(),
                    hop_limit: TTL,
                    traffic_class: 0,
                    flow_label: 0,
                    payload_length: self.payload_length(),
                };
                bytes.resize(header.length() + self.payload_length(), 0);
                header.emit(bytes)?;
                let addresses = AddressPair::V6(source, destination);
                let payload = bytes.get_mut(header.length()..).unwrap_or_default();
                self.fill(payload, (source_port, sequence), &addresses)
            }
            // A valid file's are of one family.
            _ => Ok(()),
        }
    }

    /// The next address of the prefix.
    fn source(&mut self) -> IpAddr {
        let random =
            (u128::from(self.random.next_number()) << 64) | u128::from(self.random.next_number());
        let net = self.flood.sources;
        let hosts = u32::from(net.max_prefix_len() - net.prefix_len());
        let mask = 1u128.checked_shl(hosts).map_or(u128::MAX, |bit| bit - 1);
        match net.network() {
            IpAddr::V4(network) => {
                let host = u32::try_from(random & mask & u128::from(u32::MAX)).unwrap_or_default();
                IpAddr::V4((u32::from(network) | host).into())
            }
            IpAddr::V6(network) => IpAddr::V6((u128::from(network) | (random & mask)).into()),
        }
    }

    fn payload_length(&self) -> usize {
        match self.flood.protocol {
            IpProtocol::Tcp => tcp::MIN_HEADER_LEN + MSS.len(),
            IpProtocol::Udp => udp::HEADER_LEN,
        }
    }

    fn fill(
        &self,
        bytes: &mut [u8],
        (source_port, sequence): (u16, u32),
        addresses: &AddressPair,
    ) -> Result<(), EmitError> {
        let destination_port = self.flood.to.port();
        match self.flood.protocol {
            IpProtocol::Tcp => {
                let header = tcp::Header {
                    source_port,
                    destination_port,
                    sequence,
                    acknowledgement: 0,
                    flags: Flags::SYN,
                    window: WINDOW,
                    urgent: 0,
                    options: &MSS,
                };
                header.emit(bytes)?;
                if let Ok(mut view) = tcp::ViewMut::new(bytes) {
                    view.fill_checksum(addresses);
                }
            }
            IpProtocol::Udp => {
                let header = udp::Header { source_port, destination_port, payload_length: 0 };
                header.emit(bytes)?;
                if let Ok(mut view) = udp::ViewMut::new(bytes) {
                    view.fill_checksum(addresses);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::NodeName;
    use labsim_wire::checksum::ChecksumState;
    use labsim_wire::decode::{LinkType, Transport, decode};
    use std::collections::BTreeSet;

    fn flood(protocol: IpProtocol, to: &str, sources: &str) -> Flood {
        Flood {
            from: NodeName::new("router").unwrap(),
            to: to.parse().unwrap(),
            protocol,
            packets_per_second: 1000,
            duration: Duration::from_secs(2),
            sources: sources.parse().unwrap(),
            seed: 7,
        }
    }

    #[test]
    fn packets_are_whole_their_sources_are_of_the_prefix_and_a_seed_gives_the_same_ones() {
        for (protocol, to, sources) in [
            (IpProtocol::Tcp, "192.0.2.1:49", "198.18.0.0/15"),
            (IpProtocol::Udp, "192.0.2.1:53", "198.18.4.4/32"),
            (IpProtocol::Tcp, "[2001:db8::1]:49", "2001:2::/48"),
            (IpProtocol::Udp, "[2001:db8::1]:53", "::/0"),
        ] {
            let flood = flood(protocol, to, sources);
            let packets = || {
                let mut packets = Packets::new(&flood);
                let next = |_| {
                    let mut bytes = vec![1; 3];
                    packets.next(&mut bytes).unwrap();
                    bytes
                };
                (0..100).map(next).collect::<Vec<_>>()
            };
            let made = packets();
            assert_eq!(made, packets());
            let mut sources = BTreeSet::new();
            for bytes in &made {
                let decoded = decode(LinkType::Raw, bytes, bytes.len());
                let flow = decoded.flow().unwrap();
                assert_eq!(flow.destination, flood.to);
                assert!(flood.sources.contains(&flow.source.ip()), "{flow}");
                assert!(flow.source.port() >= 1024);
                sources.insert(flow.source);
                match &decoded.packet().unwrap().transport {
                    Transport::Tcp(tcp) => {
                        assert_eq!((tcp.flags, tcp.checksum), (Flags::SYN, ChecksumState::Good));
                    }
                    Transport::Udp(udp) => assert_eq!(udp.checksum, ChecksumState::Good),
                    other => panic!("{other:?}"),
                }
            }
            assert!(sources.len() > 90, "{}", sources.len());
        }
    }

    #[test]
    fn packets_are_due_at_their_rate_and_all_of_them_at_the_end() {
        let flood = flood(IpProtocol::Tcp, "192.0.2.1:49", "198.18.0.0/15");
        let plan = Plan {
            total: flood.packets(),
            rate: flood.packets_per_second,
            duration: flood.duration,
        };
        assert_eq!(plan.total, 2000);
        for (elapsed, due) in [(0, 1), (500, 501), (1999, 2000), (2000, 2000), (9000, 2000)] {
            assert_eq!(plan.due(Duration::from_millis(elapsed)), due, "{elapsed} ms");
        }
        let few = Flood { packets_per_second: 1, duration: Duration::from_millis(1), ..flood };
        assert_eq!(few.packets(), 1);
    }
}
