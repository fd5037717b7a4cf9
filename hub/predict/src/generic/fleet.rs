//! What a fleet of one appliance model shows to be harmless.

/// Of the devices' wanders, the one that is the floor: three quarters of them wander less.
const QUANTILE: (usize, usize) = (3, 4);

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
}
