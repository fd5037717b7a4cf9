//! POST /api/v1/claims: an owner takes an appliance into their name.

use super::schema;
use crate::auth::throttle::{ClaimThrottle, network};
use crate::client::Client;
use crate::error::{ApiError, Problem, Result};
use crate::extract::JsonBody;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::actor::Actor;
use hub_core::consent::Consent;
use hub_core::id::{DeviceId, TenantId};
use hub_core::language::Language;
use hub_core::phone_number::{PhoneNumber, PhoneNumberError};
use hub_store::StoreError;
use hub_store::claim::{CODE_LEN_MAX, OwnerContact};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Longest name, in characters.
const NAME_MAX: usize = 100;

/// What an owner tells, with the code that proves that the appliance is theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Maker, as on the label.
    #[schema(max_length = 128)]
    pub tenant: String,
    /// Serial number.
    #[schema(max_length = 128)]
    pub device: String,
    /// Code on the appliance, or as the maker told it.
    #[schema(max_length = 128)]
    pub code: String,
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Telephone number in international form, e.g. `+8613800138000`. Where the maker's trunk has a number plan and the maker a service
    /// point in `zone`, also as it is dialled from anywhere in the country of that, e.g. `138 0013 8000`.
    pub phone: String,
    /// Language of calls.
    #[schema(schema_with = schema::words::<Language>)]
    pub language: Language,
    /// IANA time zone of the household, e.g. `Asia/Shanghai`.
    pub zone: String,
    /// Whether they agree to service calls.
    pub consent: bool,
}

/// The appliance is theirs.
#[derive(Serialize, ToSchema)]
pub struct Claimed {
    /// What the consent ledger says now. An earlier "no" of this number stands.
    #[schema(schema_with = schema::words::<Consent>)]
    pub consent: Consent,
    /// Telephone number as it was read, with all but the first two and last four digits hidden.
    pub phone: String,
}

/// Claims the appliance. The answer is the same for a device that does not exist and for a wrong code.
///
/// # Errors
///
/// Something cannot be read, code and device do not belong together, or there were too many wrong codes.
pub async fn act(app: &Inner, source: IpAddr, claim: Claim) -> Result<Claimed> {
    let international = check(&claim)?;
    let key = (claim.tenant.clone(), claim.device.clone());
    throttle(app, source, &key)?;
    let phone = match international {
        Some(phone) => phone,
        None => national(app, &claim).await?,
    };
    let contact = OwnerContact {
        name: claim.name.trim().to_owned(),
        phone,
        language: claim.language,
        zone: claim.zone.clone(),
        consent: claim.consent,
    };
    let (Ok(tenant), Ok(device)) = (TenantId::new(&claim.tenant), DeviceId::new(&claim.device)) else {
        return Err(ApiError::ClaimRefused);
    };
    let code = claim.code.trim();
    let claimed = app
        .store()
        .claim_owner(&Actor::owner(), &tenant, &device, code, &contact, app.now())
        .await
        .map_err(|error| match error {
            StoreError::NotFound { .. } | StoreError::Refused(_) => ApiError::ClaimRefused,
            other => other.into(),
        });
    match &claimed {
        Ok(owner) => {
            let mut throttle = lock(app);
            throttle.addresses.passed(&network(source));
            throttle.devices.passed(&key);
            if app.tells("claimed") {
                tracing::info!(appliance = %owner.appliance, "appliance claimed by its owner");
            }
        }
        Err(ApiError::ClaimRefused) if app.tells("claim") => {
            tracing::warn!(%source, %tenant, %device, "claim refused");
        }
        Err(_) => {}
    }
    claimed.map(|owner| Claimed {
        consent: owner.consent,
        phone: contact.phone.masked(),
    })
}

/// What can be said of a claim without asking the store: the number that it gives, unless that is in national form.
fn check(claim: &Claim) -> Result<Option<PhoneNumber>> {
    let bad = |why: String| Err(ApiError::BadRequest(why));
    let name = claim.name.trim();
    let texts = [
        name,
        claim.tenant.as_str(),
        claim.device.as_str(),
        claim.code.trim(),
        claim.zone.as_str(),
    ];
    if texts.iter().any(|text| text.chars().any(char::is_control)) {
        return Err(ApiError::ControlCharacters);
    }
    if !(1..=NAME_MAX).contains(&name.chars().count()) {
        return bad(format!("name has 1 to {NAME_MAX} characters"));
    }
    if claim.tenant.len() > CODE_LEN_MAX || claim.device.len() > CODE_LEN_MAX || claim.code.len() > CODE_LEN_MAX {
        return bad(format!("tenant, device and code have at most {CODE_LEN_MAX} bytes"));
    }
    if TimeZone::get(&claim.zone).is_err() {
        return bad("zone is an IANA time zone such as Asia/Shanghai".to_owned());
    }
    match PhoneNumber::new(&claim.phone) {
        Ok(phone) => Ok(Some(phone)),
        Err(PhoneNumberError::NotInternational) => Ok(None),
        Err(error) => Err(ApiError::BadPhone(error)),
    }
}

/// Reads a number in national form as the maker's people in the zone of the claim write theirs. Whatever it is that keeps it from being
/// read is told alike: the answer says neither which makers there are nor who has a number plan. The number itself is in no answer
/// and no log.
async fn national(app: &Inner, claim: &Claim) -> Result<PhoneNumber> {
    let plan = match TenantId::new(&claim.tenant) {
        Ok(tenant) => app.store().number_plan(&tenant, &claim.zone).await?,
        Err(_) => None,
    };
    let read = plan.and_then(|plan| plan.read_own(&claim.phone).ok());
    read.ok_or(ApiError::BadPhone(PhoneNumberError::NotNational))
}

fn throttle(app: &Inner, source: IpAddr, device: &(String, String)) -> Result<()> {
    let mut throttle = lock(app);
    let (source, now) = (network(source), Instant::now());
    let waits = [
        throttle.addresses.wait(&source, now),
        throttle.devices.wait(device, now),
    ];
    if let Some(wait) = waits.into_iter().flatten().max() {
        return Err(ApiError::Throttled(wait.as_secs() + 1));
    }
    throttle.addresses.attempt(source, now);
    throttle.devices.attempt(device.clone(), now);
    Ok(())
}

fn lock(app: &Inner) -> std::sync::MutexGuard<'_, ClaimThrottle> {
    app.claims.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Takes an appliance into its owner's name, with the code on the machine: records who they are, where they can be rung
/// and whether they agree to it. Needs no log-in; wrong codes are slowed down by address and by device.
#[utoipa::path(post, path = "/api/v1/claims", tag = "owners", operation_id = "claimAppliance", security(),
    request_body = Claim,
    responses(
        (status = 200, description = "Theirs", body = Claimed),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "No such device, wrong code, or no code is open", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong codes; see Retry-After", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    client: Client,
    JsonBody(body): JsonBody<Claim>,
) -> Result<Json<Claimed>> {
    Ok(Json(act(&app, client.address, body).await?))
}
