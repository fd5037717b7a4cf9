//! What a fleet of one appliance model shows to be harmless.

/// Of the devices' wanders, the one that is the floor: three quarters of them wander less.
const QUANTILE: (usize, usize) = (3, 4);

/// Devices with a floor of their own that make a fleet.
pub const DEVICES_MIN: usize = 30;
/// Days for which a device has to be watched before its wander counts.
pub const WATCHED_DAYS_MIN: f64 = 30.0;
/// Share by which a floor moves in a month at most: one odd month, or a wave of new devices, turns no detector blind or noisy.
pub const MOVES_MAX: f64 = 0.2;

/// Floors for [`super::Settings::fleet_floors`] by the wanders of devices ([`super::Unit::wander`]), each watched for a month at
/// least and without a confirmed fault. A channel that fewer than `devices_min` of them have gets none: 30 are a fleet.
pub fn fleet_floors(channels: usize, wanders: &[Vec<(usize, f64)>], devices_min: usize) -> Vec<Option<f64>> {
    let floor = |channel: usize| {
        let of_channel = wanders.iter().flatten().filter(|(of, _)| *of == channel);
        let mut wanders: Vec<f64> = of_channel.map(|(_, wander)| *wander).collect();
        wanders.sort_by(f64::total_cmp);
        let place = wanders.len() * QUANTILE.0 / QUANTILE.1;
        wanders.get(place).copied().filter(|_| wanders.len() >= devices_min)
    };
    (0..channels).map(floor).collect()
}

/// The floors of a month from those of the month before and what the fleet shows now, once a month: each moves by a fifth at
/// most. One that the fleet shows for the first time is taken as it is, and one that too few devices show stays as it was. Where `before` has
/// other channels, it counts as if there were none; of a channel without a floor yet a hub gives what was harmless until then. None shrinks below its place in `own`, the floors of the model: appliances in an alarm
/// show nothing, so that floors would shrink to what the quietest show, and scores would grow before levels follow them. One that is
/// below it already, since an older version or another table made it, comes back by a fifth a month too.
pub fn refreshed_floors(before: &[Option<f64>], shown: &[Option<f64>], own: &[Option<f64>]) -> Vec<Option<f64>> {
    let before = if before.len() == shown.len() { before } else { &[] };
    let refreshed = |(channel, shown): (usize, &Option<f64>)| {
        let before = before.get(channel).copied().flatten().filter(|before| *before > 0.0);
        let own = own.get(channel).copied().flatten().unwrap_or(0.0);
        let Some(before) = before else {
            return shown.map(|shown| shown.max(own));
        };
        let highest = before * (1.0 + MOVES_MAX);
        let floor = shown.map_or(before, |shown| shown.clamp(before * (1.0 - MOVES_MAX), highest));
        Some(floor.max(own.min(highest)))
    };
    shown.iter().enumerate().map(refreshed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_of_the_devices_wander_less_than_the_floor() {
        let mut wanders: Vec<Vec<(usize, f64)>> = (0..40).map(|i| vec![(0, f64::from(i))]).collect();
        wanders[3].push((2, 7.0));
        assert_eq!(fleet_floors(3, &wanders, 30), [Some(30.0), None, None]);
        assert_eq!(fleet_floors(3, &wanders, 1), [Some(30.0), None, Some(7.0)]);
        assert_eq!(fleet_floors(1, &wanders, 41), [None]);
        assert_eq!(fleet_floors(1, &[], 0), [None]);
    }

    #[test]
    fn a_floor_moves_by_a_fifth_a_month_and_stays_where_nothing_is_shown() {
        let before = [Some(1.0), Some(1.0), Some(1.0), None, None];
        let shown = [Some(3.0), Some(0.1), None, Some(5.0), None];
        let refreshed = refreshed_floors(&before, &shown, &[]);
        assert_eq!(refreshed, [Some(1.2), Some(0.8), Some(1.0), Some(5.0), None]);
        let near = refreshed_floors(&[Some(1.0)], &[Some(1.1)], &[]);
        assert_eq!(near, [Some(1.1)]);
        assert_eq!(refreshed_floors(&[], &shown, &[]), shown);
        assert_eq!(refreshed_floors(&[Some(1.0)], &shown, &[]), shown, "other channels");
        let own = [Some(1.0), Some(0.9), None, Some(6.0), Some(2.0)];
        let bounded = refreshed_floors(&before, &shown, &own);
        assert_eq!(bounded, [Some(1.2), Some(0.9), Some(1.0), Some(6.0), None]);
        assert_eq!(refreshed_floors(&[Some(0.0)], &[Some(2.0)], &[]), [Some(2.0)]);
    }

    #[test]
    fn a_floor_that_had_shrunk_below_the_models_comes_back_by_a_fifth_a_month() {
        let own = [Some(1.0); 2];
        let mut floors = vec![Some(0.5); 2];
        for month in 1..=3 {
            floors = refreshed_floors(&floors, &[Some(0.1), None], &own);
            let back = (0..month).fold(0.5, |floor, _| floor * (1.0 + MOVES_MAX));
            assert_eq!(floors, [Some(back); 2], "month {month}");
        }
        floors = refreshed_floors(&floors, &[Some(0.1), None], &own);
        assert_eq!(floors, own);
    }

    #[test]
    fn floors_stay_positive_and_finite_over_years() {
        let mut floors = vec![Some(0.5)];
        for month in 0..120 {
            let shown = [Some(if month % 2 == 0 { 0.0 } else { 1e9 })];
            floors = refreshed_floors(&floors, &shown, &[]);
        }
        assert!(floors[0].is_some_and(|floor| floor > 0.0 && floor < 10.0), "{floors:?}");
    }
}
