//! Lists of frames by a number, in one vector.

/// Places of frames, by the number of what they belong to.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Where each list ends.
    ends: Vec<u32>,
    places: Vec<u32>,
}

impl Groups {
    /// So many lists; `members` are the number of a list and a place each, and stay in their order.
    pub(super) fn new(count: usize, members: impl Iterator<Item = (usize, u32)> + Clone) -> Self {
        let mut ends = vec![0_u32; count];
        for (group, _) in members.clone() {
            if let Some(length) = ends.get_mut(group) {
                *length += 1;
            }
        }
        let mut all = 0;
        for end in &mut ends {
            // Where the list begins, until its places are filled in.
            all += std::mem::replace(end, all);
        }
        let mut places = vec![0; all as usize];
        for (group, place) in members {
            let Some(end) = ends.get_mut(group) else { continue };
            if let Some(free) = places.get_mut(*end as usize) {
                *free = place;
            }
            *end += 1;
        }
        Self { ends, places }
    }

    /// The list of that number.
    pub(super) fn get(&self, group: usize) -> &[u32] {
        let Some(end) = self.ends.get(group) else { return &[] };
        let start = group.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&0);
        self.places.get(*start as usize..*end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_its_own_places_in_their_order() {
        let groups = Groups::new(4, [(2, 5), (0, 6), (2, 7), (9, 8), (0, 9)].into_iter());
        let lists: Vec<&[u32]> = (0..5).map(|group| groups.get(group)).collect();
        assert_eq!(lists, [&[6, 9][..], &[], &[5, 7], &[], &[]]);
    }
}
