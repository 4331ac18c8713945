//! Lays expected rows beside seen ones so that few of them differ.

/// One step of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// Both are there: place in the expected table, place among the seen.
    Both(usize, usize),
    /// Expected, and not seen.
    Missing(usize),
    /// Seen, and not expected.
    Extra(usize),
}

/// Cells of the table that is filled at most; beyond it rows are compared by their place alone.
const MAX_CELLS: usize = 1 << 18;

/// Aligns `expected` rows with `seen` rows. `differences` tells in how many fields two of them
/// differ. A missing or an extra row costs as much as one that differs in one field or two; rows
/// that differ in more are another row.
pub(crate) fn align(
    expected: usize,
    seen: usize,
    mut differences: impl FnMut(usize, usize) -> usize,
) -> Vec<Row> {
    let width = seen + 1;
    let cells = (expected + 1).saturating_mul(width);
    if cells > MAX_CELLS {
        return by_place(expected, seen);
    }
    let cost = |fields: usize| match fields {
        0 => 0u32,
        1 | 2 => 1,
        _ => 3,
    };
    // best[i * width + j]: the least cost of the rows from i and from j on.
    let mut best = vec![0u32; cells];
    let mut pair = vec![0u32; cells];
    for i in (0..=expected).rev() {
        for j in (0..=seen).rev() {
            let at = i * width + j;
            let missing = (i < expected).then(|| best[at + width] + 1);
            let extra = (j < seen).then(|| best[at + 1] + 1);
            let both = (i < expected && j < seen).then(|| {
                pair[at] = cost(differences(i, j));
                best[at + width + 1] + pair[at]
            });
            best[at] = [both, missing, extra].into_iter().flatten().min().unwrap_or(0);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut rows = Vec::with_capacity(expected.max(seen));
    while i < expected || j < seen {
        let at = i * width + j;
        if i < expected && j < seen && best[at] == best[at + width + 1] + pair[at] {
            rows.push(Row::Both(i, j));
            i += 1;
            j += 1;
        } else if i < expected && best[at] == best[at + width] + 1 {
            rows.push(Row::Missing(i));
            i += 1;
        } else {
            rows.push(Row::Extra(j));
            j += 1;
        }
    }
    rows
}

fn by_place(expected: usize, seen: usize) -> Vec<Row> {
    (0..expected.max(seen))
        .map(|place| match (place < expected, place < seen) {
            (true, true) => Row::Both(place, place),
            (true, false) => Row::Missing(place),
            (false, _) => Row::Extra(place),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(expected: &str, seen: &str) -> Vec<Row> {
        let (expected, seen) = (expected.as_bytes(), seen.as_bytes());
        // Letters differ in every field, upper and lower case of a letter in one.
        align(expected.len(), seen.len(), |i, j| match (expected[i], seen[j]) {
            (a, b) if a == b => 0,
            (a, b) if a.eq_ignore_ascii_case(&b) => 1,
            _ => 9,
        })
    }

    #[test]
    fn equal_tables_pair_row_by_row() {
        assert_eq!(rows("abc", "abc"), [Row::Both(0, 0), Row::Both(1, 1), Row::Both(2, 2)]);
        assert_eq!(rows("", ""), []);
    }

    #[test]
    fn a_missing_row_does_not_shift_the_rest() {
        assert_eq!(rows("abc", "ac"), [Row::Both(0, 0), Row::Missing(1), Row::Both(2, 1)]);
    }

    #[test]
    fn an_extra_row_does_not_shift_the_rest() {
        assert_eq!(rows("ac", "abc"), [Row::Both(0, 0), Row::Extra(1), Row::Both(1, 2)]);
    }

    #[test]
    fn a_row_that_differs_in_one_field_stays_a_pair() {
        assert_eq!(rows("abc", "aBc"), [Row::Both(0, 0), Row::Both(1, 1), Row::Both(2, 2)]);
    }

    #[test]
    fn a_wholly_different_row_is_one_missing_and_one_extra() {
        let rows = rows("abc", "axc");
        assert_eq!(rows.len(), 4);
        assert!(rows.contains(&Row::Missing(1)) && rows.contains(&Row::Extra(1)));
    }

    #[test]
    fn tables_too_large_to_align_are_compared_by_place() {
        let rows = align(3, MAX_CELLS, |_, _| 0);
        assert_eq!(rows.len(), MAX_CELLS);
        assert_eq!(rows[2..4], [Row::Both(2, 2), Row::Extra(3)]);
    }
}
