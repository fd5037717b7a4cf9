//! What a detector did on machines that it has not learned from: tickets and would-have calls, by machine.

use tests_world::hard::{Course, Effect, Effects, Fault};

use super::observable::Seen;
use super::watch::{MONTH_DAYS, Said, Watched};

/// Days before the failure that a call has to be there, to be of use.
pub const AHEAD_DAYS: f64 = 5.0;

/// A ticket, with the call that it would have made.
pub struct Ticket {
    pub day: f64,
    /// Day of the call, and the named fault that it would have told.
    pub called: Option<(f64, Option<usize>)>,
    /// Feature that deviated most when it was opened.
    pub top: usize,
    pub closed: f64,
}

/// A machine without a fault.
pub struct Clean {
    pub device_months: u32,
    /// Months of it, by effects at work within the weeks before each month's end.
    pub months: Vec<Effects>,
    /// Months in which the held score was over the thresholds of tickets, and of calls.
    pub over: (u32, u32),
    /// Tickets, and those that would have called, in the months that count.
    pub tickets: Vec<(Effects, usize)>,
    pub calls: Vec<(Effects, usize)>,
}

/// A machine with a fault.
pub struct Faulty {
    pub fault: Fault,
    /// It can show: the machine has the feature at all.
    pub can_show: bool,
    /// It was watched when the fault began.
    pub watched: bool,
    /// A ticket stood when the fault began.
    pub early: bool,
    /// Days from the first right ticket, and from its call, to the failure.
    pub ticket_days: Option<f64>,
    pub call_days: Option<f64>,
    /// The first right ticket stands by another named fault.
    pub otherwise: bool,
    /// A call would have told another fault.
    pub misnamed: bool,
    /// What was to be seen of it, by named faults alone.
    pub seen: Option<Seen>,
}

/// The tickets of a machine, where a call needs an open ticket and this held score.
pub fn tickets(said: &[Said], calls_at: f64) -> Vec<Ticket> {
    let mut tickets: Vec<Ticket> = Vec::new();
    for said in said {
        if said.rose {
            tickets.push(Ticket {
                day: said.day,
                called: None,
                top: said.top,
                closed: said.day,
            });
        }
        if let Some(ticket) = tickets.last_mut().filter(|_| said.stands) {
            ticket.closed = said.day;
            if said.call >= calls_at {
                ticket.called.get_or_insert((said.day, said.called));
            }
        }
    }
    tickets
}

/// `effects_before` tells the healthy effects of the weeks before a day.
pub fn clean(effects_before: impl Fn(f64) -> Effects, watched: &Watched, days: u32, at: (f64, f64)) -> Clean {
    let months = watched.months(days);
    let counts = |day: f64| months.contains(&((day / MONTH_DAYS) as u32));
    let over = |limit: f64, score: fn(&Said) -> f64| {
        let is_over = |month: &u32| watched.of_month(*month).any(|said| score(said) >= limit);
        months.clone().filter(is_over).count() as u32
    };
    let tickets = tickets(&watched.said, at.1);
    let told = |day: Option<f64>, top: usize| day.filter(|day| counts(*day)).map(|day| (effects_before(day), top));
    Clean {
        device_months: months.len() as u32,
        months: months
            .clone()
            .map(|month| effects_before(MONTH_DAYS * f64::from(month + 1)))
            .collect(),
        over: (over(at.0, |said| said.ticket), over(at.1, |said| said.call)),
        calls: tickets
            .iter()
            .filter_map(|one| told(one.called.map(|(day, _)| day), one.top))
            .collect(),
        tickets: tickets.iter().filter_map(|one| told(Some(one.day), one.top)).collect(),
    }
}

/// `is_right` tells whether a call that names this would tell the right fault; `is_named`, that its tickets stand by such names.
pub fn faulty(
    fault: &Fault,
    can_show: bool,
    watched: &Watched,
    calls_at: f64,
    is_right: impl Fn(Option<usize>) -> bool,
    is_named: bool,
) -> Faulty {
    let tickets = tickets(&watched.said, calls_at);
    let right = tickets.iter().find(|ticket| ticket.day >= fault.onset_day);
    let called = tickets
        .iter()
        .filter(|ticket| ticket.day >= fault.onset_day)
        .find_map(|ticket| ticket.called);
    let ahead = |day: f64| fault.failure_day - day;
    Faulty {
        fault: fault.clone(),
        can_show,
        watched: watched.said.first().is_some_and(|said| said.day <= fault.onset_day),
        early: tickets
            .iter()
            .any(|ticket| ticket.day < fault.onset_day && ticket.closed >= fault.onset_day),
        ticket_days: right.map(|ticket| ahead(ticket.day)),
        call_days: called.filter(|(_, fault)| is_right(*fault)).map(|(day, _)| ahead(day)),
        otherwise: is_named && right.is_some_and(|ticket| !is_right(Some(ticket.top))),
        misnamed: called.is_some_and(|(_, fault)| !is_right(fault)),
        seen: None,
    }
}

impl Faulty {
    /// It grows slowly enough to be seen coming.
    pub fn is_slow(&self) -> bool {
        self.can_show && matches!(self.fault.course, Course::Linear | Course::Accelerating)
    }

    pub fn called_ahead(&self) -> bool {
        self.call_days.is_some_and(|days| days >= AHEAD_DAYS)
    }
}

/// How often an effect was at work before something, and how often before the end of any month.
pub fn by_effect(events: &[(Effects, usize)], months: &[Effects]) -> Vec<(Effect, usize, f64)> {
    let share = |effect: Effect| {
        let of = months.iter().filter(|effects| effects.has(effect)).count();
        of as f64 / months.len().max(1) as f64
    };
    let told = Effect::ALL.into_iter().map(|effect| {
        let before = events.iter().filter(|(effects, _)| effects.has(effect)).count();
        (effect, before, share(effect) * events.len() as f64)
    });
    let mut told: Vec<_> = told.filter(|(_, before, _)| *before > 0).collect();
    told.sort_by(|a, b| (b.1 as f64 - b.2).total_cmp(&(a.1 as f64 - a.2)));
    told
}
