//! Persons of a household: their numbers, and what each allows.

use crate::api::schema;
use hub_core::consent::{Channel, Consent, Purpose, Standing};
use hub_core::household as core;
use hub_core::language::Language;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A person of a household.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Person {
    /// Id of the person.
    id: Uuid,
    /// Name for people.
    name: String,
    /// Language of calls.
    #[schema(schema_with = schema::words::<Language>)]
    language: Language,
    /// Numbers, the preferred one first.
    numbers: Vec<Number>,
    /// What the consent ledger says now; of what is not listed the person was never asked.
    consents: Vec<PersonConsent>,
}

/// A telephone number of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Number {
    /// Number with all but the first two and last four digits hidden.
    number: String,
    /// Whether it is on the do-not-call list.
    do_not_call: bool,
}

/// What a person allows for one purpose by one channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonConsent {
    /// What for.
    #[schema(schema_with = schema::words::<Purpose>)]
    purpose: Purpose,
    /// How.
    #[schema(schema_with = schema::words::<Channel>)]
    channel: Channel,
    /// What holds.
    #[schema(schema_with = schema::words::<Consent>)]
    consent: Consent,
    /// When it was said.
    at: Timestamp,
}

impl From<core::Person> for Person {
    fn from(person: core::Person) -> Self {
        let number = |own: core::Number| Number {
            number: own.number.masked(),
            do_not_call: own.do_not_call,
        };
        Self {
            id: person.id.0,
            name: person.name,
            language: person.language,
            numbers: person.numbers.into_iter().map(number).collect(),
            consents: person.consents.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Standing> for PersonConsent {
    fn from(standing: Standing) -> Self {
        Self {
            purpose: standing.subject.purpose,
            channel: standing.subject.channel,
            consent: standing.consent,
            at: standing.at,
        }
    }
}
