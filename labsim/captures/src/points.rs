//! The capture points of a file.

use crate::ReadError;
use crate::frame::{Point, PointId};
use std::collections::BTreeMap;

/// Capture points of one file at most.
pub const MAX_POINTS: usize = 65_536;

/// The interfaces of a section, and the points of a whole file.
#[derive(Default)]
pub(crate) struct Points {
    pub(crate) interfaces: Vec<Interface>,
    section: usize,
    ids: BTreeMap<Key, PointId>,
    pub(crate) points: Vec<Point>,
}

pub(crate) struct Interface {
    pub(crate) name: Option<String>,
    pub(crate) link: u32,
    pub(crate) snap_length: u32,
}

/// What makes two frames' points the same. Interfaces of one name and link layer are one in all sections:
/// files that were put together. One without a name is the interface of its section alone.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Named(String, u32, Option<u32>),
    Numbered(usize, usize, Option<u32>),
}

impl Points {
    pub(crate) fn begin_section(&mut self) {
        self.section += 1;
        self.interfaces.clear();
    }

    pub(crate) fn id(
        &mut self,
        interface: usize,
        device: Option<u32>,
    ) -> Result<PointId, ReadError> {
        let described = self.interfaces.get(interface);
        let key = match described {
            Some(Interface { name: Some(name), link, .. }) => {
                Key::Named(name.clone(), *link, device)
            }
            _ => Key::Numbered(self.section, interface, device),
        };
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        if self.points.len() >= MAX_POINTS {
            return Err(ReadError::TooManyPoints);
        }
        let id = PointId(self.points.len());
        self.points.push(Point {
            name: described.and_then(|it| it.name.clone()),
            device,
            link: described.map_or(u32::MAX, |it| it.link),
            snap_length: described.map_or(0, |it| it.snap_length),
        });
        self.ids.insert(key, id);
        Ok(id)
    }
}
