//! Times, grants and states in plain words.

use crate::text;
use hinet_protocol::{
    Asker, Capability, Failure, Grant, Hash, Millis, Outcome, Scope, Sharing, SourceKind, SourceLine, SourceState,
};
use jiff::{Timestamp, tz::TimeZone};

/// A moment, as short as it can be said today: `09:41`, `12 Mar`, `12 Mar 2024`.
#[must_use]
pub fn when(at: Millis, now: Millis, zone: &TimeZone) -> String {
    let (Ok(at), Ok(now)) = (Timestamp::from_millisecond(at), Timestamp::from_millisecond(now)) else {
        return "?".to_owned();
    };
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else if at.year() == now.year() {
        at.strftime("%-d %b").to_string()
    } else {
        at.strftime("%-d %b %Y").to_string()
    }
}

/// Minutes after midnight as a time of day: `06:30`.
#[must_use]
pub fn hour(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment with its date and its time.
#[must_use]
pub fn date_and_time(at: Millis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(zone.clone()).strftime("%-d %b %Y %H:%M").to_string())
}

/// One thing or several: `1 file`, `3 files`.
#[must_use]
pub fn some(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", text::count(n), if n == 1 { "" } else { "s" })
}

/// A path with the home folder as `~`.
#[must_use]
pub fn tilde(path: &str, home: &str) -> String {
    if home.is_empty() {
        return path.to_owned();
    }
    match path.strip_prefix(home) {
        Some("") => "~".to_owned(),
        Some(rest) if rest.starts_with('/') => format!("~{rest}"),
        _ => path.to_owned(),
    }
}

/// A typed path with `~` as the home folder.
#[must_use]
pub fn expand(typed: &str, home: &str) -> String {
    let typed = typed.trim();
    if home.is_empty() {
        return typed.to_owned();
    }
    match typed.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => format!("{home}{rest}"),
        _ => typed.to_owned(),
    }
}

/// Who may do what with which part of the memory, as a sentence.
#[must_use]
pub fn grant(grant: &Grant, sources: &[SourceLine], home: &str) -> String {
    let terms = &grant.terms;
    format!("{} {} {}.", who(&terms.asker), may(terms.capability), scope(&terms.scope, sources, home))
}

/// When a grant was given, what became of it, and what for.
#[must_use]
pub fn fate(grant: &Grant, now: Millis, zone: &TimeZone) -> String {
    let given = when(grant.granted, now, zone);
    let mut fate = match (grant.revoked, grant.terms.limits.expires) {
        (Some(at), _) => format!("given {given}, taken back {}", when(at, now, zone)),
        (None, Some(at)) if at <= now => format!("given {given}, ran out {}", when(at, now, zone)),
        (None, Some(at)) => format!("given {given}, until {}", date_and_time(at, zone)),
        (None, None) => format!("given {given}, stands until you take it back"),
    };
    if !grant.terms.purpose.is_empty() {
        fate.push_str(" · ");
        fate.push_str(&grant.terms.purpose);
    }
    fate
}

/// Who asks, as the beginning of a sentence.
#[must_use]
pub fn who(asker: &Asker) -> String {
    match asker {
        Asker::Own => "Your own iCore".to_owned(),
        Asker::App(name) => format!("The program {name} on this machine"),
        Asker::Peer(key) => format!("The iCore {}", short(key)),
        Asker::Backend(key) => format!("The compute backend {}", short(key)),
        Asker::Replica(place) => format!("The replica at {place}"),
    }
}

/// Who asks, as short as it can be said: a program's own name, the beginning of a key.
#[must_use]
pub fn asker(asker: &Asker) -> String {
    match asker {
        Asker::App(name) | Asker::Replica(name) => name.clone(),
        Asker::Own => "your own iCore".to_owned(),
        Asker::Peer(key) | Asker::Backend(key) => short(key),
    }
}

/// What a capability allows, after who has it and before what it is about.
#[must_use]
pub fn may(capability: Capability) -> &'static str {
    match capability {
        Capability::Ingest => "may read and remember",
        Capability::Converse => "may have questions answered from",
        Capability::Retrieve => "may receive excerpts of",
        Capability::Train => "may tune itself on",
        Capability::Compose => "may compose with what was learned from",
        Capability::Compute => "may compute on",
        Capability::Replicate => "may keep an encrypted copy of",
    }
}

/// Ledger entries, counted.
#[must_use]
pub fn entries(n: u64) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{} entries", text::count(n)) }
}

/// The time of day.
#[must_use]
pub fn clock(at: Millis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(zone.clone()).strftime("%H:%M").to_string())
}

/// A time of today with its seconds.
#[must_use]
pub fn time_of_day(at: Millis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
}

/// The first eight digits of a hash or a key.
#[must_use]
pub fn digits(hash: &Hash) -> String {
    hash.to_string().chars().take(8).collect()
}

/// What the owner calls a delta, or its first digits where it has no name any more.
#[must_use]
pub fn called(name: &str, delta: &Hash) -> String {
    let name = text::fit(name, 40);
    if name.is_empty() { digits(delta) } else { name }
}

/// A member's weight, as short as it can be said: `1`, `0.6`, `0.75`.
#[must_use]
pub fn weight(weight: f32) -> String {
    let said = format!("{weight:.2}");
    said.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn short(key: &str) -> String {
    key.chars().take(8).collect::<String>() + "…"
}

fn scope(scope: &Scope, sources: &[SourceLine], home: &str) -> String {
    if scope.everything {
        return "everything you have".to_owned();
    }
    let mut parts: Vec<String> = scope.folders.iter().map(|f| tilde(f, home)).collect();
    for id in &scope.sources {
        let path = sources.iter().find(|s| s.id == *id).map(|s| tilde(&s.path, home));
        let said = path.unwrap_or_else(|| format!("the source {}", short(&id.to_string())));
        if !parts.contains(&said) {
            parts.push(said);
        }
    }
    parts.extend(scope.labels.iter().map(|l| format!("what is labelled {l}")));
    parts.extend(scope.people.iter().map(|p| format!("what concerns {p}")));
    parts.extend(scope.topics.iter().map(|t| format!("what is about {t}")));
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// What a source is doing.
#[must_use]
pub fn source_state(kind: SourceKind, state: SourceState) -> &'static str {
    match (state, kind) {
        (SourceState::Active, SourceKind::Account) => "followed",
        (SourceState::Active, SourceKind::Folder | SourceKind::Import) => "watched",
        (SourceState::Paused, _) => "paused",
        (SourceState::Missing, _) => "not found here",
    }
}

/// What a night came to.
#[must_use]
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Kept => "kept",
        Outcome::Refused => "not kept",
        Outcome::Failed => "failed",
        Outcome::Forgotten => "forgotten",
    }
}

/// What came of the wish to share.
#[must_use]
pub fn for_others(shared: &Sharing) -> String {
    let made = if shared.passed { "others may have what was made for them" } else { "nothing for others" };
    format!("{made}: {}", shared.why)
}

/// A failure on one line.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    let sentence = failure.message.trim_end();
    let stop = if sentence.ends_with(['.', '!', '?']) { "" } else { "." };
    if failure.hint.is_empty() { format!("{sentence}{stop}") } else { format!("{sentence}{stop} {}", failure.hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now = 1_763_800_000_000; // 22 Nov 2025 08:26 UTC
        let day = 86_400_000;
        assert_eq!(when(now, now, &TimeZone::UTC), "08:26");
        assert_eq!(when(now - 30 * day, now, &TimeZone::UTC), "23 Oct");
        assert_eq!(when(now - 400 * day, now, &TimeZone::UTC), "18 Oct 2024");
        assert_eq!(when(i64::MAX, now, &TimeZone::UTC), "?");
    }

    #[test]
    fn paths() {
        assert_eq!(tilde("/home/maya/notes", "/home/maya"), "~/notes");
        assert_eq!(tilde("/home/mayay", "/home/maya"), "/home/mayay");
        assert_eq!(expand("~/notes ", "/home/maya"), "/home/maya/notes");
        assert_eq!(expand("~", "/home/maya"), "/home/maya");
        assert_eq!(expand("~other/x", "/home/maya"), "~other/x");
    }

    #[test]
    fn weights_and_names() {
        assert_eq!([1.0, 0.6, 0.75, 0.004, 10.0].map(weight), ["1", "0.6", "0.75", "0", "10"]);
        let delta = Hash([0xab; 32]);
        assert_eq!((called("kitchen", &delta), called(" ", &delta)), ("kitchen".into(), "abababab".into()));
    }

    #[test]
    fn counts() {
        assert_eq!((some(1, "file"), some(1200, "file")), ("1 file".into(), "1,200 files".into()));
    }
}
