//! Packets in fragments, of captures and of texts.

use super::read::Reading;
use labsim_explain::Row;

impl Reading {
    /// Keeps a packet; of one in fragments the first fragment, which becomes the packet when all fragments are there.
    /// `network`: its bytes from the IP header on.
    pub(super) fn add_packet(&mut self, row: Row, network: &[u8]) -> Result<(), String> {
        let Some((from, _)) = row.packet.outermost.fragment else { return self.add(row) };
        if self.keeping.is_surveying() {
            return self.add(row);
        }
        let (place, point, number) = (self.trace.rows.len(), row.point, row.number);
        if from == 0 {
            self.add(row.clone())?;
        }
        let kept = (self.trace.rows.len() > place).then_some(place);
        let whole = self.fragments.add(point, number, network, kept);
        let Some((packet, rows)) = whole.and_then(|it| Some((it.known()?, it.rows))) else {
            return Ok(());
        };
        if rows.is_empty() {
            // Its first fragment was too short to show what is inside, and was counted as another protocol's.
            self.others = self.others.saturating_sub(1);
            return self.add(Row { packet, ..row });
        }
        for row in rows {
            let Some(row) = self.trace.rows.get_mut(row) else { continue };
            // That it came in fragments stays known.
            row.packet =
                labsim_captures::Packet { outermost: row.packet.outermost, ..packet.clone() };
        }
        Ok(())
    }

    /// Keeps a packet of which a text shows no bytes, and whether its other fragments were captured.
    pub(super) fn add_worded(&mut self, row: Row) -> Result<(), String> {
        let header = row.packet.outermost;
        if header.fragment.is_none() || self.keeping.is_surveying() {
            return self.add(row);
        }
        let (place, point) = (self.trace.rows.len(), row.point);
        self.add(row)?;
        let kept = (self.trace.rows.len() > place).then_some(place);
        self.fragments.add_words(point, &header, kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::input::Input;
    use labsim_wire::decode::LinkType;
    use labsim_wire::pcap::Writer;
    use labsim_wire::{ipv4, protocol};
    use std::fmt::Write as _;
    use std::fs;
    use std::net::Ipv4Addr;
    use std::path::Path;

    const ROOM: usize = 1000;

    fn header(payload: usize, protocol: u8, hosts: [u8; 2]) -> ipv4::Header<'static> {
        let host = |last| Ipv4Addr::new(192, 0, 2, last);
        ipv4::Header {
            source: host(hosts[0]),
            destination: host(hosts[1]),
            protocol,
            ttl: 64,
            tos: 0,
            id: 7,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: payload,
        }
    }

    /// An IPIP packet with a datagram, in two fragments.
    fn fragments() -> Vec<Vec<u8>> {
        let length = 8 + ROOM;
        let mut inside = vec![0; 20 + length];
        header(length, protocol::UDP, [1, 9]).emit(&mut inside).unwrap();
        let ports = [40_000_u16, 1812, u16::try_from(length).unwrap(), 0];
        for (place, number) in ports.iter().enumerate() {
            inside[20 + 2 * place..][..2].copy_from_slice(&number.to_be_bytes());
        }
        let cut = |from: usize, to: usize| {
            let mut packet = vec![0; 20];
            let outer = ipv4::Header {
                more_fragments: to < inside.len(),
                fragment_offset: u16::try_from(from).unwrap(),
                ..header(to - from, protocol::IPIP, [2, 3])
            };
            outer.emit(&mut packet).unwrap();
            packet.extend(&inside[from..to]);
            packet
        };
        vec![cut(0, 560), cut(560, inside.len())]
    }

    /// What `tcpdump -x` prints of a fragment.
    fn printed(packet: &[u8]) -> String {
        let mut text = "12:00:00.000001 IP 192.0.2.2 > 192.0.2.3: ip-proto-4\n".to_owned();
        for (number, line) in packet.chunks(16).enumerate() {
            write!(text, "\t0x{:04x}: ", 16 * number).unwrap();
            for pair in line.chunks(2) {
                text.push(' ');
                pair.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            }
            text.push('\n');
        }
        text
    }

    fn read(path: &Path) -> Reading {
        let mut reading = Reading::default();
        reading.read(&Input::new(path.as_os_str())).unwrap();
        reading
    }

    #[test]
    fn fragments_of_a_text_with_bytes_are_put_together_as_those_of_a_capture() {
        let folder = tempfile::tempdir().unwrap();
        let (capture, text) = (folder.path().join("a.pcap"), folder.path().join("a.txt"));
        let file = fs::File::create(&capture).unwrap();
        let mut writer = Writer::new(file, LinkType::Raw, 65_535).unwrap();
        for packet in fragments() {
            writer.packet(1_000_000_000, u32::try_from(packet.len()).unwrap(), &packet).unwrap();
        }
        drop(writer);
        fs::write(&text, fragments().iter().map(|it| printed(it)).collect::<String>()).unwrap();
        let (captured, pasted) = (read(&capture), read(&text));
        let packets = |reading: &Reading| -> Vec<_> {
            let packets = reading.trace.rows.iter().map(|row| row.packet.clone());
            packets.map(|it| (it.inner, it.transport)).collect()
        };
        assert_eq!(packets(&captured).len(), 1);
        assert_eq!(packets(&pasted), packets(&captured));
        assert_eq!(pasted.others, 0);
    }

    /// The rows of a text, and the incomplete ones among them.
    fn rows(text: &str) -> (usize, Vec<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, text).unwrap();
        let (trace, _) = read(&path).finish();
        (trace.rows.len(), trace.incomplete.iter().copied().collect())
    }

    #[test]
    fn a_first_fragment_of_a_text_is_a_row_and_the_others_tell_whether_it_is_all_there() {
        // With bytes, as the packet in the tunnel.
        let [first, last] = [0, 1].map(|it| printed(&fragments()[it]));
        assert_eq!(rows(&first), (1, vec![0]));
        assert_eq!(rows(&(first + &last)), (1, vec![]));
        // By words.
        let worded = |offset: u32, more: &str, length: u32, words: &str| {
            format!(
                "12:00:00.000001 IP (tos 0x0, ttl 64, id 7, offset {offset}, flags [{more}], proto UDP (17), length \
                 {length})\n    {words}\n"
            )
        };
        let first = worded(0, "+", 1500, "192.0.2.1.5001 > 192.0.2.9.7: UDP, length 2000");
        let last = worded(1480, "none", 548, "192.0.2.1 > 192.0.2.9: ip-proto-17");
        let later = worded(2000, "none", 28, "192.0.2.1 > 192.0.2.9: ip-proto-17");
        assert_eq!(rows(&first), (1, vec![0]));
        assert_eq!(rows(&(first.clone() + &last)), (1, vec![]));
        // One between them is missing.
        assert_eq!(rows(&(first + &later)), (1, vec![0]));
    }
}
