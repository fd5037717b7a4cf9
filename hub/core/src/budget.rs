//! Budgets: how many false tickets and false calls an administrator accepts, and what follows from it. Thresholds come from the fleet's
//! own harmless months ([`history`], [`tail`], [`level`]), calls stop where the tickets of an appliance model surge ([`surge`]), and a
//! call needs a probability that verdicts have earned ([`precision`]). What is kept and shown of it is the [`ledger`].
//!
//! Unit of account: one appliance and calendar month, of which the highest held score counts. An appliance model here is what a maker
//! sells under one name; it has thresholds of its own. Knows neither store nor clock, and random numbers are an argument.

mod beta;
pub mod change;
pub mod gate;
pub mod history;
pub mod judged;
pub mod ledger;
pub mod level;
pub mod precision;
pub mod study;
pub mod surge;
pub mod tail;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Smallest budget, per 1,000 appliances and month: of a million appliances one false call a month.
pub const PER_1000_MIN: f64 = 0.001;
/// Largest budget, per 1,000 appliances and month: beyond it a ticket says next to nothing.
pub const PER_1000_MAX: f64 = 100.0;

/// False tickets or false calls that are accepted, per 1,000 appliances and month; from 0.001 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Budget(f64);

/// What an administrator states for a family of appliances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// False tickets.
    pub tickets: Budget,
    /// False calls; at most as many as false tickets, since a call needs a ticket.
    pub calls: Budget,
}

/// Why budgets are refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// Beyond the bounds, or not a number.
    #[error("a budget is from {PER_1000_MIN} to {PER_1000_MAX} per 1,000 appliances and month, not {0}")]
    OutOfBounds(f64),
    /// A call needs a ticket.
    #[error(
        "{calls} false calls per 1,000 appliances and month are more than the {tickets} false tickets they come from"
    )]
    MoreCallsThanTickets {
        /// False tickets, as given.
        tickets: f64,
        /// False calls, as given.
        calls: f64,
    },
}

impl Budget {
    /// A budget per 1,000 appliances and month.
    ///
    /// # Errors
    ///
    /// [`BudgetError::OutOfBounds`].
    pub fn new(per_1000: f64) -> Result<Self, BudgetError> {
        if (PER_1000_MIN..=PER_1000_MAX).contains(&per_1000) {
            Ok(Self(per_1000))
        } else {
            Err(BudgetError::OutOfBounds(per_1000))
        }
    }

    /// Per 1,000 appliances and month.
    pub fn per_1000(self) -> f64 {
        self.0
    }

    /// Share of the appliances' months.
    pub fn rate(self) -> f64 {
        self.0 / 1_000.0
    }
}

impl fmt::Display for Month {
    /// As `2026-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl TryFrom<f64> for Budget {
    type Error = BudgetError;
    fn try_from(per_1000: f64) -> Result<Self, BudgetError> {
        Self::new(per_1000)
    }
}

impl From<Budget> for f64 {
    fn from(budget: Budget) -> Self {
        budget.0
    }
}

impl Default for Budgets {
    /// Per 1,000 appliances and month one false ticket, and 0.05 false calls: one in 20,000 appliances and months.
    fn default() -> Self {
        Self {
            tickets: Budget(1.0),
            calls: Budget(0.05),
        }
    }
}

impl Budgets {
    /// Checks that both can be true.
    ///
    /// # Errors
    ///
    /// [`BudgetError::MoreCallsThanTickets`].
    pub fn check(self) -> Result<(), BudgetError> {
        let (tickets, calls) = (self.tickets.per_1000(), self.calls.per_1000());
        if calls > tickets {
            return Err(BudgetError::MoreCallsThanTickets { tickets, calls });
        }
        Ok(())
    }
}

/// A calendar month, counted from January of the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Month(i32);

impl Month {
    /// The month of a day.
    pub fn of(day: Date) -> Self {
        Self(i32::from(day.year()) * 12 + i32::from(day.month()) - 1)
    }

    /// The month of a moment, in UTC.
    pub fn at(at: Timestamp) -> Self {
        Self::of(at.to_zoned(TimeZone::UTC).date())
    }

    /// Its number as it is stored, counted from January of the year 0.
    pub fn number(self) -> i32 {
        self.0
    }

    /// The month with this number.
    pub fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// The month so many months later, or earlier where `months` is negative.
    #[must_use]
    pub fn plus(self, months: i32) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// Months from `earlier` to this one; negative where it is later.
    pub fn since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Random numbers, from the function that draws them: each a number of 64 random bits.
pub struct Draws<'a>(pub &'a mut dyn FnMut() -> u64);

impl Draws<'_> {
    /// A number below `bound`, each as likely as the others but for one part in 2³² (multiplication in place of a division: Lemire,
    /// ACM Transactions on Modeling and Computer Simulation 29, 2019).
    fn below(&mut self, bound: u32) -> u32 {
        let high = (self.0)() >> 32;
        ((high * u64::from(bound)) >> 32) as u32
    }
}
