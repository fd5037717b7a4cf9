//! One figure of many deviations.

/// Deviations that make a score: as many as a ticket names. More would dilute a fault that few of many channels show.
const STRONGEST: usize = 3;

/// The strongest deviations, the largest first, and the root of their mean square; 0 of none.
pub(super) fn strongest(deviations: impl Iterator<Item = (usize, f64)>) -> (f64, Vec<(usize, f64)>) {
    let mut top: Vec<(usize, f64)> = deviations.collect();
    top.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    top.truncate(STRONGEST);
    let squares: f64 = top.iter().map(|(_, z)| z * z).sum();
    ((squares / top.len().max(1) as f64).sqrt(), top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_strongest_decide_however_many_there_are() {
        let (score, top) = strongest([(0, 1.0), (1, -4.0), (2, 0.5), (3, 2.0)].into_iter());
        assert_eq!(top, [(1, -4.0), (3, 2.0), (0, 1.0)]);
        assert_eq!(score, 7f64.sqrt());
        let many = [(0, 1.0), (1, -4.0), (3, 2.0)]
            .into_iter()
            .chain((4..64).map(|i| (i, 0.0)));
        assert_eq!(strongest(many).0, score);
    }

    #[test]
    fn fewer_channels_are_not_diluted_and_none_say_nothing() {
        assert_eq!(strongest([(0, -2.0)].into_iter()).0, 2.0);
        assert_eq!(strongest([(0, 3.0), (1, 1.0)].into_iter()).0, 5f64.sqrt());
        assert_eq!(strongest(std::iter::empty()), (0.0, Vec::new()));
    }
}
