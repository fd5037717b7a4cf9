//! A figure and the bound it must keep.

use std::fmt;

/// Which side of the bound is good.
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// One bar.
pub struct Bar {
    pub name: String,
    pub value: f64,
    pub bound: Bound,
}

impl Bar {
    pub fn at_least(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            value,
            bound: Bound::AtLeast(bound),
        }
    }

    pub fn at_most(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            value,
            bound: Bound::AtMost(bound),
        }
    }

    pub fn held(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.value >= bound,
            Bound::AtMost(bound) => self.value <= bound,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.bound {
            Bound::AtLeast(bound) => format!(">={bound}"),
            Bound::AtMost(bound) => format!("<={bound}"),
        };
        let verdict = if self.held() { "held" } else { "missed" };
        write!(f, "bar {} {:.3} {bound} {verdict}", self.name, self.value)
    }
}
