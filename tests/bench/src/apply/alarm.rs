//! From the reading with which a rig's alarm rises to the INVITE, while a large site is applied: the rigs are in the same file,
//! all over it, so that their own rows are written too.

use super::{Plan, WAIT_S_MAX, apply, changed, declared, print};
use crate::bar::Bars;
use crate::reading::identity;
use crate::steady::ring::Rigs;
use crate::steady::site::{self, Site};
use crate::steady::trunk::Trunk;
use anyhow::{Context, Result, ensure};
use std::iter;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use tests_hub::rig;
use tokio::time::sleep;

/// What begins an owner with the owner's device.
const OWNER: &str = "[[tenant.owner]]";
const SERVICE_POINT: &str = "[[tenant.service_point]]";

/// Measures it: nothing applied, the large site made, and all of it changed.
pub(super) async fn measure(plan: Plan, bars: &mut Bars) -> Result<()> {
    let rigs = 3 * plan.alarms;
    println!(
        "alarms beside apply: from reading to INVITE, of at most {} rigs in each part",
        plan.alarms
    );
    let trunk = Trunk::start().await?;
    let large = large(plan.large, rigs, trunk.address)?;
    let changed_site = large
        .replace("name = 'Owner", "name = 'Person")
        .replace("service_point = 'east'", "service_point = 'west'");
    let mut site = Site::new(rigs, Some(trunk.address)).await?;
    let mut ringing = Rigs::start(&mut site, trunk, rigs).await?;
    let part = |n: usize| {
        let first = n * plan.alarms;
        first..first + plan.alarms
    };

    let quiet = sleep(plan.alarm_every * u32::try_from(plan.alarms)?);
    let before = raised(&mut ringing, part(0), plan, quiet).await?.1;
    let alone_ms = told("nothing applied", &before);
    let (mut longest_ms, mut sent, mut missing) = (0_f64, before.sent, before.missing());
    for (n, (what, text, least)) in [
        ("it is made", &large, plan.large - rigs),
        ("all is changed", &changed_site, plan.large),
    ]
    .into_iter()
    .enumerate()
    {
        let (ran, rung) = raised(&mut ringing, part(n + 1), plan, apply(&site.lab, text)).await?;
        let ran = ran?;
        print(what, &ran);
        // Owners and devices, at least.
        ensure!(changed(&ran)? >= 2 * least, "not all was applied");
        longest_ms = longest_ms.max(told("meanwhile", &rung));
        sent += rung.sent;
        missing += rung.missing();
    }
    let readings = ringing.readings(rigs, sent);
    drop(ringing);
    site.stop().await?;
    let rows = site.rows().await?;
    ensure!(
        rows == readings,
        "{readings} readings were acknowledged, {rows} are stored"
    );
    bars.at_most("not_rung_beside_apply", missing as f64, 0.0);
    bars.at_most("rung_later_beside_apply_s", (longest_ms - alone_ms) / 1e3, WAIT_S_MAX);
    Ok(())
}

/// Alarms of a part.
struct Rung {
    sent: usize,
    /// From reading to INVITE, of those that rang, the shortest first.
    taken_ms: Vec<f64>,
}

impl Rung {
    fn missing(&self) -> usize {
        self.sent - self.taken_ms.len()
    }
}

/// Raises alarms one after the other while something is done.
async fn raised<T>(
    rigs: &mut Rigs,
    which: Range<usize>,
    plan: Plan,
    work: impl Future<Output = T>,
) -> Result<(T, Rung)> {
    let enough = AtomicBool::new(false);
    let work = async {
        let done = work.await;
        enough.store(true, Ordering::Relaxed);
        anyhow::Ok(done)
    };
    let (done, sent) = tokio::try_join!(work, rigs.raise(which.clone(), plan.alarm_every, &enough))?;
    ensure!(!sent.is_empty(), "no alarm rose meanwhile");
    let mut taken_ms = rigs.rung(which, &sent).await?;
    taken_ms.sort_by(f64::total_cmp);
    let sent = sent.len();
    Ok((done, Rung { sent, taken_ms }))
}

/// Prints them; the longest, in milliseconds.
fn told(what: &str, rung: &Rung) -> f64 {
    let taken = &rung.taken_ms;
    let longest = taken.last().copied().unwrap_or(f64::NAN);
    println!(
        "  {what:<16} {} alarms: INVITE after {:.0} ms (median), {longest:.0} ms at most; {} did not ring",
        rung.sent,
        taken.get(taken.len() / 2).copied().unwrap_or(f64::NAN),
        rung.missing()
    );
    longest
}

/// So many devices, the rigs among them at even distances, and two service points.
fn large(devices: usize, rigs: usize, trunk: SocketAddr) -> Result<String> {
    let profile = |n: usize| if n < rigs { rig::PROFILE } else { "washing-machine" };
    let all = (0..devices).map(|n| (identity(n).device, profile(n).to_owned(), None));
    let text = declared(&site::declared(all.collect(), Some(trunk)), rigs);
    let (head, _) = text.split_once(OWNER).context("no owner")?;
    let blocks: Vec<&str> = text.split(OWNER).skip(1).collect();
    let (own, others) = blocks.split_at_checked(rigs).context("more rigs than devices")?;
    let mut between = others.chunks(others.len().div_ceil(rigs.max(1)).max(1));
    let (_, point) = head.split_once(SERVICE_POINT).context("no service point")?;
    let mut large = [head, SERVICE_POINT, &point.replace("id = 'east'", "id = 'west'")].concat();
    for block in own {
        for block in iter::once(block).chain(between.next().unwrap_or_default()) {
            large.push_str(OWNER);
            large.push_str(block);
        }
    }
    Ok(large)
}

#[cfg(test)]
mod tests {
    use super::{OWNER, SERVICE_POINT, large};
    use std::net::Ipv4Addr;

    #[test]
    fn the_large_site_has_every_device_once_with_the_rigs_all_over_it() {
        let text = large(103, 10, (Ipv4Addr::LOCALHOST, 5060).into()).unwrap();
        let count = |what: &str| text.matches(what).count();
        assert_eq!(
            (count(OWNER), count("[[tenant.device]]"), count(SERVICE_POINT)),
            (103, 103, 2)
        );
        assert_eq!(
            (count("id = 'east'"), count("id = 'west'"), count("'pump-rig'")),
            (1, 1, 10)
        );
        for n in 0..103 {
            assert_eq!(count(&format!("\nid = 'd-{n:05}'")), 1, "{n}");
        }
        let rigs: Vec<usize> = text
            .split(OWNER)
            .enumerate()
            .filter_map(|(at, block)| block.contains("'pump-rig'").then_some(at))
            .collect();
        assert_eq!(rigs, (0..10).map(|n| 1 + n * 11).collect::<Vec<_>>());
    }
}
