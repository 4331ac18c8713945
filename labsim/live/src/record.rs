//! The form of a frame in a lab's ring, which a holder passes on in memory: a header of fixed length, then
//! the frame's bytes.

use labsim_scenario::model::Direction;

/// Bytes of a header.
pub(crate) const HEADER: usize = 24;

/// A frame without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Nanoseconds since 1970.
    pub(crate) time_ns: u64,
    /// Its point's place.
    pub(crate) point: u32,
    /// How long it was.
    pub(crate) original_length: u32,
    /// How many bytes there are of it.
    pub(crate) length: u32,
    pub(crate) direction: Direction,
}

impl Record {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let words = [
            self.point,
            self.original_length,
            self.length,
            match self.direction {
                Direction::In => 0,
                Direction::Out => 1,
            },
        ];
        let mut bytes = [0; HEADER];
        let parts = self.time_ns.to_le_bytes().into_iter();
        let parts = parts.chain(words.into_iter().flat_map(u32::to_le_bytes));
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        bytes
    }

    /// Reads what begins with a header; `None` if it does not.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (point, rest) = rest.split_first_chunk()?;
        let (original_length, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (direction, _) = rest.split_first_chunk()?;
        Some(Self {
            time_ns: u64::from_le_bytes(*time),
            point: u32::from_le_bytes(*point),
            original_length: u32::from_le_bytes(*original_length),
            length: u32::from_le_bytes(*length),
            direction: match u32::from_le_bytes(*direction) {
                0 => Direction::In,
                1 => Direction::Out,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_a_part_of_one_is_none() {
        for direction in [Direction::In, Direction::Out] {
            let record = Record {
                time_ns: u64::MAX - 1,
                point: 7,
                original_length: 9000,
                length: 60,
                direction,
            };
            let bytes = record.to_bytes();
            assert_eq!(Record::parse(&bytes), Some(record));
            assert_eq!(Record::parse(&bytes[..HEADER - 1]), None);
        }
        let mut forged = [0; HEADER];
        forged[HEADER - 1] = 1;
        assert_eq!(Record::parse(&forged), None);
    }
}
