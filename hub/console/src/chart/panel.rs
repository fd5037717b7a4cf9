//! Where everything of a panel lies. Plain numbers, so that tests can check them.

use super::data::PanelData;
use super::scale::{Scale, marks, range};

/// Places of one panel.
#[derive(Debug, PartialEq)]
pub(super) struct Panel {
    /// Upper edge of the plot.
    pub(super) top: f64,
    /// Lower edge of the plot.
    pub(super) bottom: f64,
    /// Unbroken stretches of the line.
    pub(super) lines: Vec<Vec<(f64, f64)>>,
    /// Height of the threshold.
    pub(super) threshold: Option<f64>,
    /// Upper and lower edge of the normal band.
    pub(super) band: Option<(f64, f64)>,
    /// Height and value of the marks at the side.
    pub(super) marks: Vec<(f64, f64)>,
}

/// Lays a panel out. `xs` are the places of the points.
pub(super) fn lay_out(data: &PanelData, xs: &[f64], top: f64, height: f64) -> Panel {
    let bottom = top + height;
    let values = data.values.iter().flatten().copied();
    let lines = data
        .threshold
        .into_iter()
        .chain(data.band.into_iter().flat_map(|(a, b)| [a, b]));
    let (low, high) = range(values.chain(lines));
    let scale = Scale {
        low,
        high,
        from: bottom,
        to: top,
    };
    Panel {
        top,
        bottom,
        lines: stretches(data, xs, &scale),
        threshold: data.threshold.map(|value| scale.at(value)),
        band: data.band.map(|(low, high)| (scale.at(high), scale.at(low))),
        marks: marks(low, high, 3)
            .into_iter()
            .map(|value| (scale.at(value), value))
            .collect(),
    }
}

fn stretches(data: &PanelData, xs: &[f64], scale: &Scale) -> Vec<Vec<(f64, f64)>> {
    let mut all = vec![Vec::new()];
    for (x, value) in xs.iter().zip(&data.values) {
        match (value, all.last_mut()) {
            (Some(value), Some(line)) => line.push((*x, scale.at(*value))),
            _ => all.push(Vec::new()),
        }
    }
    all.retain(|line| !line.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(values: Vec<Option<f64>>) -> PanelData {
        PanelData {
            caption: String::new(),
            values,
            threshold: Some(1.0),
            band: Some((0.2, 0.4)),
        }
    }

    #[test]
    fn everything_lies_inside_the_plot() {
        let xs = [10.0, 20.0, 30.0];
        let panel = lay_out(&data(vec![Some(-4.0), Some(9.0), Some(0.3)]), &xs, 100.0, 50.0);
        let inside = |y: f64| (100.0..=150.0).contains(&y);
        assert!(panel.lines.iter().flatten().all(|(_, y)| inside(*y)));
        assert!(panel.marks.iter().all(|(y, _)| inside(*y)));
        assert!(inside(panel.threshold.unwrap()));
        let (upper, lower) = panel.band.unwrap();
        assert!(inside(upper) && inside(lower) && upper < lower);
    }

    #[test]
    fn higher_values_stand_higher() {
        let panel = lay_out(&data(vec![Some(0.0), Some(2.0)]), &[0.0, 1.0], 0.0, 10.0);
        assert!(panel.lines[0][1].1 < panel.threshold.unwrap());
        assert!(panel.lines[0][0].1 > panel.threshold.unwrap());
    }

    #[test]
    fn a_missing_value_breaks_the_line() {
        let values = vec![Some(1.0), None, Some(2.0), Some(3.0), None];
        let panel = lay_out(&data(values), &[0.0, 1.0, 2.0, 3.0, 4.0], 0.0, 10.0);
        let lengths: Vec<usize> = panel.lines.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 2]);
    }
}
