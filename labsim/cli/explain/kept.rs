//! Which packets are kept: all, or, where they are too many, those of some connections of each kind.

use super::packets::Packets;
use super::read::Reading;
use labsim_captures::Transport;
use labsim_explain::{
    MAX_CONNECTIONS, MAX_ERRORS_EXAMINED, MAX_ROWS, Row, Segment, Selection, Survey, icmp_error,
};
use std::collections::{BTreeMap, BTreeSet};

/// Connections whose packets are all kept, at most.
const MAX_FLOWS_KEPT: usize = 10_000;
/// Connections with too many packets that are named at most.
const MAX_NAMED: usize = 5;

/// Packets of connections with too many that are kept of each point where the clocks alone are wanted.
const MAX_OF_BEGINNING: usize = 10_000;

/// Which packets are kept.
#[derive(Debug, Default)]
pub(super) enum Keeping {
    /// All of them.
    #[default]
    All,
    /// None: it is found out of which connections they are.
    Surveying(Box<Survey>),
    /// Those of some connections, and some ICMP errors.
    Selected(Box<Selected>),
}

/// Packets that are kept at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room(pub(super) usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_ROWS)
    }
}

/// What is kept of the connections that were selected.
#[derive(Debug)]
pub(super) struct Selected {
    selection: Selection,
    errors: usize,
    /// Connections that have more packets than are kept.
    too_long: BTreeSet<String>,
    /// How many of their first packets are kept of each point, if the clocks alone are wanted.
    beginnings: Option<BTreeMap<usize, usize>>,
}

impl Keeping {
    /// What is done with the files.
    pub(super) fn doing(&self) -> &'static str {
        match self {
            Self::All | Self::Surveying(_) => "reading",
            Self::Selected(_) => "reading what is explained of",
        }
    }

    pub(super) fn is_surveying(&self) -> bool {
        matches!(self, Self::Surveying(_))
    }

    /// The connections that were selected; notices name those that could not be.
    pub(super) fn finish(self, room: Room, notices: &mut Vec<String>) -> Option<Selection> {
        let Self::Selected(selected) = self else { return None };
        for ends in selected.too_long.iter().take(MAX_NAMED) {
            notices.push(format!(
                "the connection of {ends} has more than {} packets and is not explained: cut the captures by \
                 time, as `editcap -A START -B END FILE SMALLER` does",
                room.0
            ));
        }
        Some(selected.selection)
    }
}

impl Reading {
    /// Keeps a packet that is of use.
    pub(super) fn add(&mut self, row: Row) -> Result<(), String> {
        let is_flow = matches!(row.packet.transport, Transport::Tcp(_) | Transport::Udp { .. });
        if !is_flow && icmp_error(&row).is_none() {
            self.others += 1;
            return Ok(());
        }
        match &mut self.keeping {
            Keeping::All if self.trace.rows.len() < self.room.0 => self.trace.rows.push(row),
            Keeping::All => self.survey(&row)?,
            Keeping::Surveying(survey) => survey.add(&row),
            Keeping::Selected(selected) => {
                if selected.is_kept(&row, is_flow)
                    && self.trace.rows.len() < self.room.0 + MAX_ERRORS_EXAMINED
                {
                    self.trace.rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// Begins to find out of which connections the packets are, as there are too many to keep them.
    fn survey(&mut self, row: &Row) -> Result<(), String> {
        self.check_spools()?;
        let mut survey = Survey::new(&self.wanted);
        for row in std::mem::take(&mut self.trace.rows).iter().chain([row]) {
            survey.add(row);
        }
        self.keeping = Keeping::Surveying(Box::new(survey));
        Ok(())
    }

    /// Whether all can be read a second time, as there are too many packets to keep them.
    pub(super) fn check_spools(&self) -> Result<(), String> {
        match self.spools.failure() {
            None => Ok(()),
            Some(why) => Err(format!(
                "more than {} packets of TCP and UDP in all, which are read twice, and {why}: name a file in place of \
                 a pipe",
                self.room.0
            )),
        }
    }

    /// The survey of packets that are few enough to keep, if their connections are too many.
    fn surveyed(&mut self) -> Option<Box<Survey>> {
        if self.spools.failure().is_some() || self.trace.rows.len() <= MAX_FLOWS_KEPT {
            return None;
        }
        let mut survey = Survey::new(&self.wanted);
        self.trace.rows.iter().for_each(|row| survey.add(row));
        if survey.len() <= MAX_FLOWS_KEPT {
            return None;
        }
        self.trace.rows = Vec::new();
        Some(Box::new(survey))
    }

    /// The reading that keeps the packets of some connections of each kind, if this one does not keep all, or has
    /// too many connections.
    pub(super) fn selected(&mut self) -> Option<Self> {
        let survey = match std::mem::take(&mut self.keeping) {
            Keeping::Surveying(survey) => survey,
            Keeping::All => self.surveyed()?,
            Keeping::Selected(_) => return None,
        };
        self.progress.stage("selecting connections of each kind");
        let selection = survey.select(MAX_CONNECTIONS, self.room.0);
        let packets = self.packets.take().map(Packets::completed);
        let beginnings = packets.is_some().then(BTreeMap::new);
        let selected = Selected { selection, errors: 0, too_long: BTreeSet::new(), beginnings };
        self.spools.rewind();
        Some(Self {
            packets,
            spools: self.spools.clone(),
            keeping: Keeping::Selected(Box::new(selected)),
            has_no_quotes: self.has_no_quotes,
            progress: self.progress.clone(),
            room: self.room,
            ..Self::default()
        })
    }
}

impl Selected {
    fn is_kept(&mut self, row: &Row, is_flow: bool) -> bool {
        if !is_flow {
            self.errors += 1;
            return self.errors <= MAX_ERRORS_EXAMINED;
        }
        if let Some(beginnings) = &mut self.beginnings {
            let is_too_long = self.selection.is_too_long(row);
            let count = beginnings.entry(row.point).or_default();
            *count += usize::from(is_too_long);
            return self.selection.has(row) || is_too_long && *count <= MAX_OF_BEGINNING;
        }
        if self.too_long.len() < MAX_NAMED
            && self.selection.is_too_long(row)
            && let Some(segment) = Segment::of_packet(&row.packet)
        {
            let (one, other) = (segment.source, segment.destination);
            self.too_long.insert(format!("{} and {}", one.min(other), one.max(other)));
        }
        self.selection.has(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::input::Input;
    use crate::explain::read_all;
    use crate::explain::spool::Spools;
    use labsim_explain::Text;
    use labsim_wire::decode::LinkType;
    use labsim_wire::pcap::Writer;
    use labsim_wire::tcp::{self, Flags};
    use labsim_wire::{ipv4, protocol};
    use std::ffi::OsString;
    use std::net::Ipv4Addr;
    use std::path::Path;

    const ACK: Flags = Flags::ACK;
    /// A connection that is closed by both.
    const WHOLE: [(bool, Flags); 6] = [
        (true, Flags::SYN),
        (false, Flags::SYN.with(ACK)),
        (true, ACK),
        (true, Flags::FIN.with(ACK)),
        (false, Flags::FIN.with(ACK)),
        (true, ACK),
    ];
    const ALONE: [(bool, Flags); 3] = [(true, Flags::SYN); 3];

    fn segment(client: u16, (is_request, flags): (bool, Flags), sent: [u32; 2]) -> Vec<u8> {
        let (own, vip) = (Ipv4Addr::new(192, 0, 2, 7), Ipv4Addr::new(198, 51, 100, 9));
        let ((source, destination), (source_port, destination_port)) =
            if is_request { ((own, vip), (client, 49)) } else { ((vip, own), (49, client)) };
        let [sequence, other] = if is_request { sent } else { [sent[1], sent[0]] };
        let header = ipv4::Header {
            source,
            destination,
            protocol: protocol::TCP,
            ttl: 64,
            tos: 0,
            id: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: 20,
        };
        let acknowledgement = if flags.contains(ACK) { other } else { 0 };
        let (window, urgent, options) = (64_240, 0, &[][..]);
        let segment = tcp::Header {
            source_port,
            destination_port,
            sequence,
            acknowledgement,
            flags,
            window,
            urgent,
            options,
        };
        let mut packet = vec![0; 40];
        header.emit(&mut packet).unwrap();
        segment.emit(&mut packet[20..]).unwrap();
        packet
    }

    /// Connections of one client, of which every tenth is not answered.
    fn write(path: &Path, connections: u16) {
        let file = std::fs::File::create(path).unwrap();
        let mut writer = Writer::new(file, LinkType::Raw, 65_535).unwrap();
        let mut time = 1_763_860_449_000_000_000;
        for number in 0..connections {
            let is_alone = number % 10 == 3;
            let steps: &[_] = if is_alone { &ALONE } else { &WHOLE };
            let mut sent = [u32::from(number) * 100, u32::from(number) * 300];
            for step in steps {
                let packet = segment(40_000 + number, *step, sent);
                writer.packet(time, 40, &packet).unwrap();
                time += 1_000_000;
                let controls =
                    [Flags::SYN, Flags::FIN].into_iter().filter(|it| step.1.contains(*it));
                if !is_alone {
                    sent[usize::from(!step.0)] += u32::try_from(controls.count()).unwrap();
                }
            }
        }
    }

    fn explained(files: &[OsString], room: usize, wanted: &str) -> Result<String, ()> {
        let mut reading = Reading { room: Room(room), ..Reading::default() };
        let wanted: Vec<labsim_explain::Vip> =
            wanted.split_whitespace().map(|it| it.parse().unwrap()).collect();
        reading.wanted.clone_from(&wanted);
        read_all(files, &mut reading).map_err(drop)?;
        if let Some(mut again) = reading.selected() {
            read_all(files, &mut again).map_err(drop)?;
            reading = again;
        }
        let (mut trace, _) = reading.finish();
        trace.flows = wanted;
        assert!(trace.rows.len() <= room, "{} rows", trace.rows.len());
        Ok(Text(&trace.explain()).to_string())
    }

    #[test]
    fn of_too_many_packets_some_connections_of_each_kind_are_kept_and_the_others_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.pcap");
        write(&path, 50);
        let files = [path.into_os_string()];
        let all = explained(&files, 1000, "").unwrap();
        assert!(all.starts_with("1 capture point, 50 TCP connections\n\n"), "{all}");
        let some = explained(&files, 30, "").unwrap();
        // 30 packets: 3 connections of 6, and 4 of 3.
        let beginning = "1 capture point, 50 TCP connections\n7 of all 50 are explained";
        assert!(some.starts_with(beginning), "{some}");
        assert!(some.contains("285 packets, capture in"), "{some}");
        for further in ["1 further connection of which", "42 further connections of which"] {
            assert!(some.contains(further), "{some}");
        }
        let one = explained(&files, 30, "192.0.2.7:40047").unwrap();
        assert!(one.starts_with("1 capture point, 1 TCP connection\n\n"), "{one}");
        assert!(one.contains("192.0.2.7:40047 -> 198.51.100.9:49"), "{one}");
    }

    #[test]
    fn a_connection_that_has_too_many_packets_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.pcap");
        write(&path, 50);
        let some = explained(&[path.into_os_string()], 5, "").unwrap();
        let named = "the connection of 192.0.2.7:40000 and 198.51.100.9:49 has more than 5 packets";
        assert!(some.contains(named), "{some}");
        assert!(some.contains("45 connections of kinds of which none is explained"), "{some}");
    }

    #[test]
    fn a_pipe_has_as_much_room_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, fifo) = (folder.path().join("client.pcap"), folder.path().join("client"));
        write(&path, 50);
        let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
        nix::unistd::mkfifo(&fifo, mode).unwrap();
        let (from, to) = (path.clone(), fifo.clone());
        let writer = std::thread::spawn(move || std::fs::copy(from, to).unwrap());
        let piped = explained(&[fifo.into_os_string()], 30, "").unwrap();
        writer.join().unwrap();
        let beginning = "1 capture point, 50 TCP connections\n7 of all 50 are explained";
        assert!(piped.starts_with(beginning), "{piped}");
    }

    #[test]
    fn a_pipe_that_is_too_long_to_be_kept_is_an_error_that_names_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.pcap");
        write(&path, 50);
        let spools = Spools::of_at_most(100);
        let file = std::fs::File::open(&path).unwrap();
        std::io::copy(&mut spools.read(|| Ok(Box::new(file))).unwrap(), &mut std::io::sink())
            .unwrap();
        let mut reading = Reading { room: Room(30), spools, ..Reading::default() };
        let error = reading.read(&Input::new(path.as_os_str())).unwrap_err();
        assert!(error.starts_with("more than 30 packets"), "{error}");
        assert!(error.ends_with("up to 4 GiB: name a file in place of a pipe"), "{error}");
    }

    #[test]
    fn packets_to_be_written_are_kept_once_and_may_be_more_than_those_that_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.pcap");
        write(&path, 50);
        let files = [path.into_os_string()];
        let packets = Packets::new(folder.path()).unwrap();
        let mut reading = Reading { room: Room(30), ..Reading::keeping(packets) };
        read_all(&files, &mut reading).unwrap();
        let mut again = reading.selected().unwrap();
        read_all(&files, &mut again).unwrap();
        let (trace, packets) = again.finish();
        assert!(trace.rows.len() <= 30 && !trace.rows.is_empty());
        let sources: Vec<u64> = packets.unwrap().sources().iter().map(|it| it.kept).collect();
        assert_eq!((sources, trace.points.len()), (vec![285], 1));
    }
}
