//! Whether the kernel had room for neighbours: its tables, one for ARP and one for IPv6's neighbour discovery,
//! are for all network namespaces together, and hold 1,024 entries by default (`gc_thresh3`, arp(7)). Where one
//! is full, packets to further neighbours are dropped, in every lab of the machine.

use std::fs;

/// Their statistics: a header, and a row of hexadecimal numbers for each processor.
const STATISTICS: [&str; 2] = ["/proc/net/stat/arp_cache", "/proc/net/stat/ndisc_cache"];

/// How many entries were refused since the machine's start, because a table was full. 0 where that is not
/// shown: only the machine's first network namespace has these files.
#[must_use]
pub fn refused_neighbours() -> u64 {
    let texts = STATISTICS.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.map(|text| refused(&text)).sum()
}

/// The sum of the column `table_fulls`.
fn refused(statistics: &str) -> u64 {
    let mut lines = statistics.lines();
    let header = lines.next().unwrap_or_default();
    let Some(column) = header.split_whitespace().position(|name| name == "table_fulls") else {
        return 0;
    };
    let values = lines.filter_map(|line| line.split_whitespace().nth(column));
    values.filter_map(|value| u64::from_str_radix(value, 16).ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn refused_entries_are_those_of_all_processors() {
        let text = "entries  allocs   unresolved_discards table_fulls\n\
                    000003fe 000013f8 00000000            00000601\n\
                    000003fe 00001112 00000000            000002a0\n";
        assert_eq!(refused(text), 0x601 + 0x2a0);
        // Old kernels have no such column.
        assert_eq!(refused("entries  allocs\n000003fe 000013f8\n"), 0);
        assert_eq!(refused(""), 0);
    }
}
