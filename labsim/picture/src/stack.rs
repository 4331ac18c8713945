//! The boxes of one column, one below the other.

/// Between boxes of a column, in pixels.
pub(crate) const BETWEEN: i32 = 24;

/// Where the boxes of a column begin so that each is as near as possible to where it wants to be, in
/// their order and without an overlap (isotonic regression, pool adjacent violators).
pub(crate) fn stack(heights: &[i32], wanted: &[i32]) -> Vec<i32> {
    let mut offset = 0;
    // Sum of what a block's boxes want of its beginning, and how many they are.
    let mut blocks: Vec<(i64, i64)> = Vec::new();
    for (height, want) in heights.iter().zip(wanted) {
        let mut block = (i64::from(*want - offset), 1);
        while let Some((sum, count)) = blocks.last().copied() {
            if sum * block.1 <= block.0 * count {
                break;
            }
            blocks.pop();
            block = (block.0 + sum, block.1 + count);
        }
        blocks.push(block);
        offset += height + BETWEEN;
    }
    let mut offset = 0;
    let begins = blocks.into_iter().flat_map(|(sum, count)| {
        (0..count).map(move |_| i32::try_from(sum.div_euclid(count)).unwrap_or(0))
    });
    let places = begins.zip(heights).map(|(begin, height)| {
        let place = begin + offset;
        offset += height + BETWEEN;
        place
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stand_where_they_want_if_there_is_room() {
        assert_eq!(stack(&[10, 10], &[0, 100]), [0, 100]);
    }

    #[test]
    fn boxes_that_want_the_same_place_stand_around_it() {
        assert_eq!(stack(&[10, 10], &[50, 50]), [33, 67]);
        let places = stack(&[10, 30, 10], &[90, 0, 50]);
        assert_eq!((places[1] - places[0], places[2] - places[1]), (34, 54));
    }
}
