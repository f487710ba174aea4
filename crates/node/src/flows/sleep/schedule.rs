//! Nights that begin by themselves: in the hours the owner named, when nothing was asked for a while, on mains power where
//! that is wanted. One that has not ended by the end of the hours is interrupted and goes on the next time.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Zoned;

use super::bed;
use crate::failure::NodeError;
use crate::protocol::{Bedtime, ErrorKind, Event, Millis, Op, Outcome};
use crate::state::{Node, now};

/// Where the owner's wish is kept.
const KEY: &str = "sleep/bedtime";
/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(30);
/// Minutes of a day.
const DAY: u16 = 24 * 60;
const MINUTE: Millis = 60_000;
/// Where Linux says what the machine runs on.
const POWER: &str = "/sys/class/power_supply";

/// The owner's wish.
pub(crate) fn bedtime(node: &Node) -> Result<Option<Bedtime>, NodeError> {
    // One that an other version wrote is none.
    Ok(node.vault.read(|r| r.meta(KEY))?.and_then(|json| serde_json::from_str(&json).ok()))
}

/// [`Op::Bedtime`].
pub(crate) fn set(node: &Node, bedtime: Option<Bedtime>) -> Result<Event, NodeError> {
    if let Some(bedtime) = &bedtime {
        super::check(&bedtime.plan)?;
        if bedtime.from >= DAY || bedtime.until >= DAY {
            return Err(NodeError::said(
                ErrorKind::Usage,
                "A day has no such hour.",
                "Write hours from 00:00 to 23:59, such as `--from 01:00 --until 06:30`.",
            ));
        }
    }
    let json = bedtime.as_ref().map(serde_json::to_string).transpose();
    let json = json.map_err(|_| crate::failure::unexpected("the schedule"))?;
    node.vault.write(|tx| match &json {
        Some(json) => tx.set_meta(KEY, json),
        None => tx.delete_meta(KEY),
    })?;
    super::nights(node, 1)
}

/// Whether an op says that somebody is there and wants something.
pub(crate) fn is_wish(op: &Op) -> bool {
    matches!(
        op,
        Op::Chat { .. }
            | Op::Regenerate { .. }
            | Op::Search { .. }
            | Op::Show { .. }
            | Op::Attach { .. }
            | Op::Ingest { .. }
            | Op::SourceAdd { .. }
            | Op::AccountAdd { .. }
            | Op::Sleep { .. }
            | Op::Wake
            | Op::Veto { .. }
            | Op::Rollback { .. }
    )
}

/// What there is to see at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Minutes since midnight, where the owner lives.
    minute: u16,
    /// Minutes since somebody last wanted something.
    quiet: u64,
    mains: bool,
    /// Minutes since the last night began that needs nothing more.
    slept: Option<u64>,
}

/// Minutes since the hours began, where they have begun and not ended. Hours that end where they begin are the whole day.
fn within(bedtime: &Bedtime, minute: u16) -> Option<u16> {
    let since = (minute + DAY - bedtime.from) % DAY;
    let long = (bedtime.until + DAY - bedtime.from) % DAY;
    (long == 0 || since < long).then_some(since)
}

/// Whether a night is to begin, or to go on, now.
fn is_due(bedtime: &Bedtime, look: &Look) -> bool {
    let Some(since) = within(bedtime, look.minute) else { return false };
    let slept = look.slept.is_some_and(|ago| ago <= u64::from(since));
    look.quiet >= bedtime.idle_minutes && (look.mains || !bedtime.mains) && !slept
}

/// Whether one that began by itself is to be interrupted.
fn is_over(bedtime: &Bedtime, look: &Look) -> bool {
    within(bedtime, look.minute).is_none() || (bedtime.mains && !look.mains)
}

/// Whether the machine is on mains power; one that says nothing about it is.
fn on_mains(power: &Path) -> bool {
    let Ok(supplies) = std::fs::read_dir(power) else { return true };
    let (mut battery, mut mains) = (false, false);
    for supply in supplies.flatten() {
        let read = |name: &str| std::fs::read_to_string(supply.path().join(name)).unwrap_or_default();
        match read("type").trim() {
            "Battery" => battery |= read("scope").trim() != "Device",
            "Mains" | "USB" => mains |= read("online").trim() == "1",
            _ => {}
        }
    }
    mains || !battery
}

fn look(node: &Node) -> Result<Look, NodeError> {
    let ago = |at: Millis| u64::try_from((now() - at) / MINUTE).unwrap_or(0);
    let last = node.vault.read(|r| r.nights(1))?.into_iter().next();
    let needs_more = |row: &hinet_vault::records::NightRow| {
        row.open && super::report(row).is_none_or(|night| night.outcome == Outcome::Open)
    };
    let time = Zoned::now().time();
    Ok(Look {
        minute: u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()),
        quiet: ago(node.wished.load(Ordering::Relaxed)),
        mains: on_mains(Path::new(POWER)),
        // One that was gone on with began long ago.
        slept: last.filter(|row| !needs_more(row)).map(|row| {
            let ended = super::report(&row).and_then(|night| night.ended);
            ago(ended.unwrap_or(row.began))
        }),
    })
}

/// Looks at the clock until the node ends.
pub(crate) async fn run(node: Node) {
    // When one was begun that came to nothing, so that it is not tried again every time in the same hours.
    // So it is with one that somebody stopped.
    let mut failed: Option<Millis> = None;
    let mut own = false;
    loop {
        tokio::select! {
            () = node.ending.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let seen = node.apart("the schedule", |node| Ok(bedtime(node)?.map(|bedtime| (bedtime, look(node))))).await;
        let Ok(Some((bedtime, Ok(mut look)))) = seen else { continue };
        let asleep = bed::is_on(&node);
        if own && !asleep {
            own = false;
            // Ended or stopped: either way it was this night.
            failed = Some(now());
        }
        if own && is_over(&bedtime, &look) {
            bed::interrupt(&node).await;
            own = false;
            continue;
        }
        let failed_ago = failed.map(|at| u64::try_from((now() - at) / MINUTE).unwrap_or(0));
        look.slept = [look.slept, failed_ago].into_iter().flatten().min();
        if asleep || node.consent.is_killed() || !is_due(&bedtime, &look) {
            continue;
        }
        let began = now();
        let Ok(night) = bed::begin(&node, bedtime.plan, false) else { continue };
        own = true;
        if let Ok(Some(Err(error))) = wait_a_little(night).await {
            failed = Some(began);
            node.notices.add(format!("The night that should have begun by itself did not: {error}"));
        }
    }
}

/// What a night came to that ended within some seconds: there was nothing to learn from, or no leave.
async fn wait_a_little<T>(work: tokio::task::JoinHandle<T>) -> Result<Option<T>, tokio::task::JoinError> {
    match tokio::time::timeout(LOOK, work).await {
        Ok(done) => done.map(Some),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SleepPlan;

    fn bedtime(from: u16, until: u16) -> Bedtime {
        Bedtime { plan: SleepPlan::default(), from, until, idle_minutes: 15, mains: true }
    }

    #[test]
    fn hours_go_over_midnight() {
        let night = bedtime(23 * 60, 6 * 60);
        for (minute, since) in
            [(23 * 60, Some(0)), (0, Some(60)), (359, Some(419)), (360, None), (1379, None), (720, None)]
        {
            assert_eq!(within(&night, minute), since, "{minute}");
        }
        assert_eq!(within(&bedtime(60, 120), 59), None);
        assert_eq!(within(&bedtime(60, 60), 59), Some(DAY - 1));
    }

    #[test]
    fn it_begins_once_in_its_hours_when_all_is_quiet() {
        let night = bedtime(60, 300);
        let good = Look { minute: 90, quiet: 15, mains: true, slept: None };
        assert!(is_due(&night, &good));
        for look in [
            Look { minute: 59, ..good },
            Look { minute: 300, ..good },
            Look { quiet: 14, ..good },
            Look { mains: false, ..good },
            Look { slept: Some(30), ..good },
        ] {
            assert!(!is_due(&night, &look), "{look:?}");
        }
        // One of the day before is none of this night.
        assert!(is_due(&night, &Look { slept: Some(31), ..good }));
        assert!(is_due(&Bedtime { mains: false, ..night.clone() }, &Look { mains: false, ..good }));
        assert!(!is_over(&night, &good) && is_over(&night, &Look { minute: 300, ..good }));
        assert!(is_over(&night, &Look { mains: false, ..good }));
    }

    #[test]
    fn a_machine_without_a_battery_is_on_mains() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(on_mains(&dir.path().join("nowhere")) && on_mains(dir.path()));
        let put = |name: &str, file: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join(name)).expect("a folder");
            std::fs::write(dir.path().join(name).join(file), text).expect("a file");
        };
        put("mouse", "type", "Battery\n");
        put("mouse", "scope", "Device\n");
        assert!(on_mains(dir.path()), "the battery of a mouse is none of the machine's");
        put("BAT0", "type", "Battery\n");
        assert!(!on_mains(dir.path()));
        put("AC", "type", "Mains\n");
        put("AC", "online", "0\n");
        assert!(!on_mains(dir.path()));
        put("AC", "online", "1\n");
        assert!(on_mains(dir.path()));
    }
}
