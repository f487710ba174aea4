//! Decisions from grants alone, as a table: what the owner granted, what is asked, what is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use hinet_consent::{Ask, ConsentError, Decision, DraftFault, Refusal, StandingGrant, Subject, covers, decide_among};
use hinet_protocol::{Asker, Capability, Filter, GrantDraft, Limits, Scope, SourceId};
use home::{HOUR, NOW, TestHome, about_porto, all, retrieve_draft};
use proptest::prelude::*;

fn source(n: u8) -> SourceId {
    SourceId(uuid::Uuid::from_bytes([n; 16]))
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Something about which everything is known.
fn known() -> Subject {
    Subject {
        source: Some(source(1)),
        folder: Some("/home/maya/notes/trip/porto.md".to_owned()),
        labels: words(&["travel", "Private"]),
        people: words(&["Ana Reis"]),
        topics: words(&["Porto", "train"]),
        modified: Some(NOW),
    }
}

#[test]
fn every_bound_that_is_present_must_match() {
    let none = Scope::default;
    let cases: Vec<(&str, Scope, bool)> = vec![
        ("nothing covers nothing", none(), false),
        ("everything", Scope { everything: true, ..none() }, true),
        ("everything, whatever else", Scope { everything: true, labels: words(&["x"]), ..none() }, true),
        ("its source", Scope { sources: vec![source(2), source(1)], ..none() }, true),
        ("another source", Scope { sources: vec![source(2)], ..none() }, false),
        ("its folder", Scope { folders: words(&["/home/maya/notes"]), ..none() }, true),
        ("itself", Scope { folders: words(&["/home/maya/notes/trip/porto.md"]), ..none() }, true),
        ("a folder whose name only begins alike", Scope { folders: words(&["/home/maya/note"]), ..none() }, false),
        ("a folder below", Scope { folders: words(&["/home/maya/notes/trip/porto.md/x"]), ..none() }, false),
        ("a climbing folder", Scope { folders: words(&["/home/maya/notes/../notes"]), ..none() }, false),
        ("a relative folder", Scope { folders: words(&["home/maya"]), ..none() }, false),
        ("a label, whatever its case", Scope { labels: words(&["PRIVATE"]), ..none() }, true),
        ("another label", Scope { labels: words(&["work"]), ..none() }, false),
        ("a person", Scope { people: words(&["bo", "ana reis"]), ..none() }, true),
        ("half a person", Scope { people: words(&["ana"]), ..none() }, false),
        ("a topic", Scope { topics: words(&["porto"]), ..none() }, true),
        ("since then", Scope { after: Some(NOW), ..none() }, true),
        ("since later", Scope { after: Some(NOW + 1), ..none() }, false),
        ("until later", Scope { before: Some(NOW + 1), ..none() }, true),
        ("until then", Scope { before: Some(NOW), ..none() }, false),
        ("all of them", Scope { sources: vec![source(1)], topics: words(&["porto"]), after: Some(0), ..none() }, true),
        (
            "all but one",
            Scope { sources: vec![source(1)], topics: words(&["lisbon"]), after: Some(0), ..none() },
            false,
        ),
    ];
    for (name, scope, expected) in cases {
        assert_eq!(covers(&scope, Capability::Retrieve, &known()), expected, "{name}");
        // What is not known matches no bound.
        assert_eq!(covers(&scope, Capability::Retrieve, &Subject::default()), scope.everything, "{name}, unknown");
        // Reading needs its source named.
        let named = scope.sources.contains(&source(1));
        assert_eq!(covers(&scope, Capability::Ingest, &known()), expected && named, "{name}, to read");
    }
    let climbing = Subject { folder: Some("/home/maya/notes/../secret".to_owned()), ..known() };
    let scope = Scope { folders: words(&["/home/maya/notes"]), ..none() };
    assert!(!covers(&scope, Capability::Retrieve, &climbing));
}

fn standing(draft: GrantDraft) -> StandingGrant {
    StandingGrant::new(draft, NOW)
}

fn ask(app: &str) -> Ask {
    Ask { asker: Asker::App(app.to_owned()), capability: Capability::Retrieve, subject: about_porto().remove(0) }
}

#[test]
fn denied_by_default_and_asked_only_where_the_owner_has_not_spoken() {
    let free = || standing(retrieve_draft("editor", Limits::default()));
    let limited = |limits: Limits| standing(retrieve_draft("editor", limits));
    let used = |mut grant: StandingGrant, bytes: u64, times: u32| {
        for _ in 0..times {
            grant.use_once(bytes, NOW).unwrap();
        }
        grant
    };
    let revoked = |mut grant: StandingGrant| {
        grant.grant.revoked = Some(NOW);
        grant
    };
    let one = limited(Limits { uses: Some(1), ..Limits::default() });
    let hourly = limited(Limits { uses_per_hour: Some(2), ..Limits::default() });
    let bytes = limited(Limits { bytes: Some(100), ..Limits::default() });
    let short = limited(Limits { expires: Some(NOW + HOUR), ..Limits::default() });
    let (free_id, one_id, hourly_id, bytes_id, short_id) =
        (free(), one.grant.id, hourly.grant.id, bytes.grant.id, short.grant.id);
    let no = |why: Refusal| Decision::Refused { why };
    let yes = |grant: &StandingGrant| Decision::Allowed { grant: grant.grant.id, filter: all() };
    let gone = revoked(free_id.clone());
    let gone_id = gone.grant.id;

    // What it is, the grants, whether killed, the question, when, and what is said.
    type Case = (&'static str, Vec<StandingGrant>, bool, Ask, i64, Decision);
    let cases: Vec<Case> = vec![
        ("no grant", vec![], false, ask("editor"), NOW, Decision::AskOwner),
        ("a grant", vec![free_id.clone()], false, ask("editor"), NOW, yes(&free_id)),
        ("killed", vec![free_id.clone()], true, ask("editor"), NOW, no(Refusal::Killed)),
        ("another asker", vec![free_id.clone()], false, ask("browser"), NOW, Decision::AskOwner),
        (
            "a peer of the same name",
            vec![free_id.clone()],
            false,
            Ask { asker: Asker::Peer("editor".into()), ..ask("editor") },
            NOW,
            Decision::AskOwner,
        ),
        (
            "another capability",
            vec![free_id.clone()],
            false,
            Ask { capability: Capability::Train, ..ask("editor") },
            NOW,
            Decision::AskOwner,
        ),
        (
            "another subject",
            vec![free_id.clone()],
            false,
            Ask { subject: known_without_porto(), ..ask("editor") },
            NOW,
            Decision::AskOwner,
        ),
        ("no name", vec![], false, ask(" "), NOW, no(Refusal::BadAsker)),
        ("an unprintable name", vec![], false, ask("a\u{1b}[2J"), NOW, no(Refusal::BadAsker)),
        ("a name without end", vec![], false, ask(&"x".repeat(300)), NOW, no(Refusal::BadAsker)),
        ("revoked", vec![gone.clone()], false, ask("editor"), NOW, no(Refusal::Revoked { grant: gone_id })),
        ("revoked and given anew", vec![gone, one.clone()], false, ask("editor"), NOW, yes(&one)),
        ("before it expires", vec![short.clone()], false, ask("editor"), NOW + HOUR - 1, yes(&short)),
        ("when it expires", vec![short], false, ask("editor"), NOW + HOUR, no(Refusal::Expired { grant: short_id })),
        ("unused", vec![one.clone()], false, ask("editor"), NOW, yes(&one)),
        ("used up", vec![used(one, 0, 1)], false, ask("editor"), NOW, no(Refusal::UsedUp { grant: one_id, limit: 1 })),
        (
            "too often",
            vec![used(hourly.clone(), 0, 2)],
            false,
            ask("editor"),
            NOW + HOUR - 60_000,
            no(Refusal::TooOften { grant: hourly_id, limit: 2 }),
        ),
        (
            "too often, and the clock set back",
            vec![used(hourly.clone(), 0, 2)],
            false,
            ask("editor"),
            NOW - 10 * HOUR,
            no(Refusal::TooOften { grant: hourly_id, limit: 2 }),
        ),
        ("an hour later", vec![used(hourly.clone(), 0, 2)], false, ask("editor"), NOW + HOUR + 60_000, yes(&hourly)),
        ("bytes left", vec![used(bytes.clone(), 99, 1)], false, ask("editor"), NOW, yes(&bytes)),
        (
            "bytes spent",
            vec![used(bytes, 50, 2)],
            false,
            ask("editor"),
            NOW,
            no(Refusal::TooMuch { grant: bytes_id, limit: 100 }),
        ),
    ];
    for (name, grants, killed, ask, now, expected) in cases {
        assert_eq!(decide_among(&grants, killed, &ask, now), expected, "{name}");
    }
}

fn known_without_porto() -> Subject {
    Subject { topics: words(&["lisbon"]), ..known() }
}

#[test]
fn the_narrowest_grant_speaks() {
    let everything = |draft: GrantDraft| GrantDraft { scope: Scope { everything: true, ..Scope::default() }, ..draft };
    let open = Filter { withhold: vec![], placeholders: false };
    let narrow = standing(retrieve_draft("editor", Limits::default()));
    let broad =
        standing(GrantDraft { filter: open.clone(), ..everything(retrieve_draft("editor", Limits::default())) });
    let lax = standing(GrantDraft { filter: open.clone(), ..retrieve_draft("editor", Limits::default()) });
    for grants in [[&broad, &lax, &narrow], [&narrow, &broad, &lax], [&lax, &narrow, &broad]] {
        let grants: Vec<StandingGrant> = grants.into_iter().cloned().collect();
        let expected = Decision::Allowed { grant: narrow.grant.id, filter: all() };
        assert_eq!(decide_among(&grants, false, &ask("editor"), NOW), expected);
    }
    let expected = Decision::Allowed { grant: lax.grant.id, filter: open };
    assert_eq!(decide_among(&[broad, lax], false, &ask("editor"), NOW), expected);
}

#[test]
fn drafts_that_are_no_grants_are_refused() {
    let (_home, _vault, consent) = TestHome::new();
    let good = retrieve_draft("editor", Limits::default());
    let scope = |scope: Scope| GrantDraft { scope, ..good.clone() };
    let cases: Vec<(GrantDraft, DraftFault)> = vec![
        (scope(Scope::default()), DraftFault::EmptyScope),
        (scope(Scope { folders: words(&["notes"]), ..Scope::default() }), DraftFault::Folder),
        (scope(Scope { folders: words(&["/a/../b"]), ..Scope::default() }), DraftFault::Folder),
        (scope(Scope { after: Some(2), before: Some(2), ..Scope::default() }), DraftFault::EmptyTime),
        (scope(Scope { labels: vec![String::new(); 5000], ..Scope::default() }), DraftFault::TooLong),
        (GrantDraft { purpose: "x".repeat(5000), ..good.clone() }, DraftFault::TooLong),
        (GrantDraft { asker: Asker::App(String::new()), ..good.clone() }, DraftFault::Asker),
        (GrantDraft { capability: Capability::Ingest, ..good.clone() }, DraftFault::NoSource),
        (retrieve_draft("editor", Limits { expires: Some(NOW), ..Limits::default() }), DraftFault::Expired),
    ];
    for (draft, fault) in cases {
        let said = consent.grant(draft, NOW).unwrap_err();
        assert!(matches!(said, ConsentError::BadDraft(found) if found == fault), "{said}, not {fault}");
    }
    assert!(consent.grants().unwrap().is_empty());
    assert_eq!(consent.lines(10).unwrap().len(), 0);
}

#[test]
fn grants_are_kept_listed_and_revoked() {
    let (home, vault, consent) = TestHome::new();
    let first = consent.grant(retrieve_draft("editor", Limits::default()), NOW).unwrap();
    let second = consent.grant(retrieve_draft("browser", Limits::default()), NOW + 1).unwrap();
    assert_eq!(consent.grants().unwrap(), [second.clone(), first.clone()]);
    assert!(matches!(consent.decide(&ask("editor"), NOW), Decision::Allowed { grant, .. } if grant == first.id));

    let revoked = consent.revoke(first.id, NOW + 2).unwrap();
    assert_eq!(revoked.revoked, Some(NOW + 2));
    assert_eq!(consent.revoke(first.id, NOW + 9).unwrap(), revoked, "a second time changes nothing");
    drop((vault, consent));

    let (_vault, consent) = home.reopen();
    assert_eq!(consent.grants().unwrap(), [second, revoked]);
    let why = Refusal::Revoked { grant: first.id };
    assert_eq!(consent.decide(&ask("editor"), NOW), Decision::Refused { why });
    let unknown = consent.revoke(hinet_protocol::GrantId::new(), NOW).unwrap_err();
    assert!(matches!(unknown, ConsentError::UnknownGrant { .. }));
    let kinds: Vec<String> = consent.lines(10).unwrap().into_iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["revoke", "grant", "grant"]);
}

proptest! {
    /// However bounds are combined: a scope with one more bound never covers more.
    #[test]
    fn more_bounds_never_cover_more(mask in 1u8..128, extra in 0u8..7, hit in any::<[bool; 7]>()) {
        let scope = |mask: u8| Scope {
            everything: false,
            sources: if mask & 1 > 0 { vec![source(if hit[0] { 1 } else { 2 })] } else { vec![] },
            folders: if mask & 2 > 0 { words(&[if hit[1] { "/home/maya" } else { "/srv" }]) } else { vec![] },
            labels: if mask & 4 > 0 { words(&[if hit[2] { "travel" } else { "work" }]) } else { vec![] },
            people: if mask & 8 > 0 { words(&[if hit[3] { "Ana Reis" } else { "Bo" }]) } else { vec![] },
            topics: if mask & 16 > 0 { words(&[if hit[4] { "train" } else { "bus" }]) } else { vec![] },
            after: (mask & 32 > 0).then_some(if hit[5] { NOW } else { NOW + 1 }),
            before: (mask & 64 > 0).then_some(if hit[6] { NOW + 1 } else { NOW }),
        };
        let narrower = covers(&scope(mask | 1 << extra), Capability::Retrieve, &known());
        let wider = covers(&scope(mask), Capability::Retrieve, &known());
        prop_assert!(wider || !narrower);
        prop_assert_eq!(wider, (0..7).all(|bit| mask & 1 << bit == 0 || hit[bit]));
    }
}
