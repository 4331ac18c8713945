//! What a lab's ring had at a moment, for the client that has asked for it.

use crate::protocol::KeptFrames;
use crate::record::{HEADER, Record};
use labsim_lab::{TappedFrame, TappedPoint};
use labsim_wire::decode::LinkType;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

/// The longest frame that is read: more than any that is kept.
const LONGEST: u32 = 1 << 20;
/// Bytes that are read at a time while frames are listed.
const CHUNK: usize = 256 << 10;

/// Frames that a ring had.
#[derive(Debug)]
pub struct Kept {
    /// Those of all nodes; frames name them by their places.
    pub points: Vec<TappedPoint>,
    /// Frames that the kernel had no room for since the lab is up, by node.
    pub dropped: Vec<(String, u64)>,
    /// From when on all frames are there, but for those that were dropped: nanoseconds since 1970.
    pub reaches_ns: u64,
    /// Frames before that, which are not kept any more.
    pub cut: u64,
    /// How much the lab keeps.
    pub keep_mib: u32,
    /// Why the lab keeps no more frames, if they cannot be read.
    pub failed: Option<String>,
    memory: File,
    /// Where each frame stands, by time.
    places: Vec<(u64, u64)>,
}

impl Kept {
    /// Lists the frames.
    ///
    /// # Errors
    /// It is cut, or none of labsim's.
    pub(crate) fn new(kept: KeptFrames, memory: OwnedFd) -> io::Result<Self> {
        let memory = File::from(memory);
        let link = |ethernet| if ethernet { LinkType::Ethernet } else { LinkType::Raw };
        let points = kept.points.into_iter();
        let points = points.map(|it| TappedPoint { name: it.name, link: link(it.ethernet) });
        let mut found = Self {
            points: points.collect(),
            dropped: kept.dropped.into_iter().filter(|(_, dropped)| *dropped > 0).collect(),
            reaches_ns: kept.reaches_ns,
            cut: kept.cut,
            keep_mib: kept.keep_mib,
            failed: kept.failed,
            memory,
            places: Vec::new(),
        };
        found.list()?;
        Ok(found)
    }

    fn list(&mut self) -> io::Result<()> {
        let length = self.memory.metadata()?.len();
        let mut at = 0;
        let mut reader = BufReader::with_capacity(CHUNK, &self.memory);
        io::Seek::seek(&mut reader, io::SeekFrom::Start(0))?;
        while at < length {
            let mut header = [0; HEADER];
            reader.read_exact(&mut header)?;
            let record = Record::parse(&header).ok_or(ErrorKind::InvalidData)?;
            if record.length > LONGEST {
                return Err(ErrorKind::InvalidData.into());
            }
            reader.seek_relative(record.length.into())?;
            self.places.push((record.time_ns, at));
            at += HEADER as u64 + u64::from(record.length);
        }
        // The same times stay in the order in which they were read.
        self.places.sort_by_key(|(time_ns, _)| *time_ns);
        Ok(())
    }

    /// Hands over all frames, in the order of their times, until `take` returns false.
    ///
    /// # Errors
    /// It is cut.
    pub fn for_each(
        &self,
        take: &mut dyn FnMut(&TappedPoint, TappedFrame<'_>) -> bool,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (time_ns, at) in &self.places {
            let mut header = [0; HEADER];
            self.memory.read_exact_at(&mut header, *at)?;
            let record = Record::parse(&header).ok_or(ErrorKind::InvalidData)?;
            bytes.resize(usize::try_from(record.length.min(LONGEST)).unwrap_or_default(), 0);
            self.memory.read_exact_at(&mut bytes, at + HEADER as u64)?;
            let place = usize::try_from(record.point).unwrap_or(usize::MAX);
            let point = self.points.get(place).ok_or(ErrorKind::InvalidData)?;
            let frame = TappedFrame {
                time_ns: *time_ns,
                point: place,
                direction: record.direction,
                original_length: record.original_length,
                bytes: &bytes,
            };
            if !take(point, frame) {
                break;
            }
        }
        Ok(())
    }
}
