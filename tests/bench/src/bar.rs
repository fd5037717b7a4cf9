//! Bars: what a figure must reach.

use std::fmt::Display;

/// All bars of a run.
#[derive(Debug, Default)]
pub struct Bars {
    lines: Vec<String>,
    missed: usize,
}

impl Bars {
    /// The figure must be this large.
    pub fn at_least(&mut self, name: &str, value: f64, bound: f64) {
        self.add(name, value, format_args!(">= {bound}"), value >= bound);
    }

    /// The figure must not be larger.
    pub fn at_most(&mut self, name: &str, value: f64, bound: f64) {
        self.add(name, value, format_args!("<= {bound}"), value <= bound);
    }

    fn add(&mut self, name: &str, value: f64, bound: impl Display, held: bool) {
        let verdict = if held { "held" } else { "missed" };
        self.lines.push(format!("bar {name} {value:.3} {bound} {verdict}"));
        self.missed += usize::from(!held);
    }

    /// Whether there is a bar of this name and it was held.
    pub fn is_held(&self, name: &str) -> bool {
        let mut own = self.lines.iter().filter(|line| line.split(' ').nth(1) == Some(name));
        own.next().is_some_and(|line| line.ends_with(" held"))
    }

    /// Prints a line a bar; whether all were held.
    pub fn print(&self) -> bool {
        for line in &self.lines {
            println!("{line}");
        }
        self.missed == 0
    }
}

/// The middle one; of an even count the mean of the middle two. NaN without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.get(half), values.len() % 2) {
        (Some(upper), 0) => (values.get(half.wrapping_sub(1)).unwrap_or(upper) + upper) / 2.0,
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::{Bars, median};

    #[test]
    fn one_bar_missed_is_the_run_missed() {
        let mut bars = Bars::default();
        bars.at_least("a", 1.0, 1.0);
        bars.at_most("b", 1.0, 1.0);
        assert!(bars.print() && bars.is_held("b") && !bars.is_held("c"));
        bars.at_least("c", f64::NAN, 0.0);
        assert!(!bars.is_held("c"));
        assert!(!bars.print(), "what was not measured is not held");
    }

    #[test]
    fn the_middle_of_odd_and_even() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
