//! Which bytes hold something, as ranges.

use std::ops::Range;

/// Bytes in use: ranges that neither touch nor overlap, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used(Vec<Range<u64>>);

impl Used {
    /// All of these ranges, in whatever order.
    #[must_use]
    pub fn of(mut ranges: Vec<Range<u64>>) -> Self {
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// All of it.
    #[must_use]
    pub fn whole(size: u64) -> Self {
        Self::of(std::iter::once(0..size).collect())
    }

    /// The ranges.
    #[must_use]
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether the byte at `offset` is in use.
    #[must_use]
    pub fn holds(&self, offset: u64) -> bool {
        let after = self.0.partition_point(|range| range.start <= offset);
        after > 0 && self.0[after - 1].contains(&offset)
    }

    /// What of them lies within `limits`, cut to it.
    pub fn within(&self, limits: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let (from, to) = (limits.start, limits.end);
        let first = self.0.partition_point(|range| range.end <= from);
        let here = self.0[first..].iter().take_while(move |range| range.start < to);
        here.map(move |range| range.start.max(from)..range.end.min(to))
    }

    /// The same ranges, each `by` bytes further on.
    #[must_use]
    pub fn moved(&self, by: u64) -> Vec<Range<u64>> {
        self.0.iter().map(|range| range.start + by..range.end + by).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_asked() {
        let used = Used::of(vec![8..10, 0..2, 2..4, 9..12, 20..20]);
        assert_eq!(used.ranges(), [0..4, 8..12]);
        assert_eq!(used.bytes(), 8);
        let held: Vec<u64> = (0..14).filter(|offset| used.holds(*offset)).collect();
        assert_eq!(held, [0, 1, 2, 3, 8, 9, 10, 11]);
        assert_eq!(used.moved(100), [100..104, 108..112]);
        assert!(!Used::default().holds(0));
        assert_eq!(used.within(&(2..9)).collect::<Vec<_>>(), [2..4, 8..9]);
        assert_eq!(used.within(&(4..8)).count() + used.within(&(12..20)).count(), 0);
    }
}
