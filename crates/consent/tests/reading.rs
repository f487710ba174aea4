//! The token to read a source: only with a grant that names it, only below its folders, only while it stands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use std::os::unix::fs::symlink;
use std::path::Path;

use hinet_consent::{ConsentError, EntryKind, Note, Refusal};
use hinet_protocol::{GrantDraft, ItemId, Limits, Scope, SourceId, SourceState};
use home::{HOUR, NOW, TestHome, ingest_draft, opened, put_source};

fn refusal<T: std::fmt::Debug>(result: Result<T, ConsentError>) -> Refusal {
    match result.unwrap_err() {
        ConsentError::Refused(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn it_covers_what_really_lies_below_its_folder() {
    let (home, vault, consent) = TestHome::new();
    let (notes, secret) = (home.folder("notes"), home.folder("secret"));
    home.folder("notes/deep/er");
    home.folder("notes/private");
    home.folder("notes-too");
    symlink(secret.join("a.md"), notes.join("escape.md")).unwrap();
    symlink(&secret, notes.join("escape")).unwrap();
    symlink(notes.join("deep"), notes.join("inside")).unwrap();
    symlink(notes.join("loop"), notes.join("loop")).unwrap();
    symlink(&notes, home.dir.path().join("by-another-name")).unwrap();

    let (source, _) = opened(&vault, &consent, &notes);
    let reading = consent.admit(source, &notes, NOW).unwrap().without(&[notes.join("private")]);
    assert_eq!(reading.source(), source);
    assert_eq!(reading.roots(), [notes.canonicalize().unwrap()]);
    let cases = [
        ("a.md", true),
        ("", true),
        ("deep/er/a.md", true),
        ("inside/er/a.md", true),
        ("deep/../a.md", true),
        ("escape.md", false),
        ("escape/a.md", false),
        ("../secret/a.md", false),
        ("deep/../../secret/a.md", false),
        ("../notes-too/a.md", false),
        ("private/a.md", false),
        ("private", false),
        ("missing.md", false),
        ("loop", false),
    ];
    for (path, expected) in cases {
        assert_eq!(reading.covers(&notes.join(path)), expected, "{path}");
    }
    assert!(reading.covers(&home.dir.path().join("by-another-name/a.md")));
    assert_eq!(
        reading.resolve(&notes.join("inside/er/a.md")),
        Some(notes.canonicalize().unwrap().join("deep/er/a.md"))
    );
    assert!(!format!("{reading:?}").contains("notes"));
}

#[test]
fn a_source_needs_its_own_grant() {
    let (home, vault, consent) = TestHome::new();
    let (notes, other) = (home.folder("notes"), home.folder("other"));
    let (source, _) = opened(&vault, &consent, &notes);
    consent.admit(source, &notes.join("a.md"), NOW).unwrap();
    let stranger = SourceId::new();
    assert!(matches!(refusal(consent.admit(stranger, &notes, NOW)), Refusal::SourceNotGranted { .. }));
    assert!(matches!(refusal(consent.admit(source, &other, NOW)), Refusal::SourceNotGranted { .. }));
    assert!(matches!(refusal(consent.admit(source, notes.parent().unwrap(), NOW)), Refusal::SourceNotGranted { .. }));
    assert!(matches!(
        refusal(consent.admit_all(source, &[notes.clone(), other], NOW)),
        Refusal::SourceNotGranted { .. }
    ));
    assert!(matches!(refusal(consent.admit_all(source, &[], NOW)), Refusal::SourceNotGranted { .. }));
    assert!(matches!(refusal(consent.admit(source, &notes.join("gone"), NOW)), Refusal::Unreachable { .. }));

    // The folder is replaced by a link to another place after it was granted.
    let moved = home.dir.path().join("moved");
    std::fs::rename(&notes, &moved).unwrap();
    symlink(home.folder("secret"), &notes).unwrap();
    assert!(matches!(refusal(consent.admit(source, &notes, NOW)), Refusal::SourceNotGranted { .. }));
}

#[test]
fn paused_expired_used_up_and_bounded_grants_admit_nothing() {
    let (home, vault, consent) = TestHome::new();
    let notes = home.folder("notes");
    let paused = put_source(&vault, &notes, SourceState::Paused);
    consent.grant(ingest_draft(paused, &notes), NOW).unwrap();
    assert_eq!(refusal(consent.admit(paused, &notes, NOW)), Refusal::SourcePaused { source_id: paused });

    let limited = |limits: Limits| {
        let source = put_source(&vault, &notes, SourceState::Active);
        let grant = consent.grant(GrantDraft { limits, ..ingest_draft(source, &notes) }, NOW).unwrap();
        (source, grant.id)
    };
    let (source, grant) = limited(Limits { expires: Some(NOW + HOUR), ..Limits::default() });
    consent.admit(source, &notes, NOW).unwrap();
    assert_eq!(refusal(consent.admit(source, &notes, NOW + HOUR)), Refusal::Expired { grant });

    let (source, grant) = limited(Limits { uses: Some(1), ..Limits::default() });
    consent.admit(source, &notes, NOW).unwrap();
    assert_eq!(refusal(consent.admit(source, &notes, NOW)), Refusal::UsedUp { grant, limit: 1 });

    // A folder has no labels: a bound on them cannot be kept, so it is not ignored.
    let source = put_source(&vault, &notes, SourceState::Active);
    let mut draft = ingest_draft(source, &notes);
    draft.scope = Scope { labels: vec!["work".into()], ..draft.scope };
    consent.grant(draft, NOW).unwrap();
    assert!(matches!(refusal(consent.admit(source, &notes, NOW)), Refusal::SourceNotGranted { .. }));

    // A reading that was handed out ends with its grant, by the monotonic clock.
    let (source, grant) = limited(Limits { expires: Some(NOW + 1), ..Limits::default() });
    let reading = consent.admit(source, &notes, NOW);
    std::thread::sleep(std::time::Duration::from_millis(20));
    match reading {
        Ok(reading) => assert_eq!(reading.check(), Err(Refusal::Expired { grant })),
        Err(error) => assert_eq!(error.to_string(), Refusal::Expired { grant }.to_string()),
    }
}

#[test]
fn revoking_ends_what_was_handed_out_and_nothing_else() {
    let (home, vault, consent) = TestHome::new();
    let (notes, mail) = (home.folder("notes"), home.folder("mail"));
    let (source, grant) = opened(&vault, &consent, &notes);
    let (other, _) = opened(&vault, &consent, &mail);
    let (reading, kept) = (consent.admit(source, &notes, NOW).unwrap(), consent.admit(other, &mail, NOW).unwrap());
    let copy = reading.clone();
    assert!(reading.is_live() && reading.covers(&notes.join("a.md")));
    consent.revoke(grant.id, NOW).unwrap();
    for dead in [reading, copy] {
        assert!(!dead.is_live() && !dead.covers(&notes.join("a.md")));
        assert_eq!(dead.check(), Err(Refusal::Revoked { grant: grant.id }));
    }
    assert!(kept.is_live() && kept.covers(&mail.join("a.md")));
    assert_eq!(refusal(consent.admit(source, &notes, NOW)), Refusal::Revoked { grant: grant.id });
    // Given anew, it reads again.
    consent.grant(ingest_draft(source, &notes), NOW + 1).unwrap();
    assert!(consent.admit(source, &notes, NOW + 1).unwrap().is_live());
}

#[test]
fn the_kill_switch_stops_everything_at_once_and_survives_a_restart() {
    let (home, vault, consent) = TestHome::new();
    let notes = home.folder("notes");
    let (source, _) = opened(&vault, &consent, &notes);
    let reading = consent.admit(source, &notes, NOW).unwrap();
    consent.kill(NOW).unwrap();
    consent.kill(NOW + 1).unwrap();
    assert!(consent.is_killed());
    assert_eq!(reading.check(), Err(Refusal::Killed));
    assert_eq!(refusal(consent.admit(source, &notes, NOW)), Refusal::Killed);
    // An import that was under way cannot be committed any more; a forget can.
    let note = || vec![Note::about(ItemId::new(), "a.md")];
    assert_eq!(refusal(consent.record_now(EntryKind::Ingest, note(), NOW)), Refusal::Killed);
    consent.record_now(EntryKind::Forget, home::say("forgot 1 item"), NOW).unwrap();
    drop((vault, consent));

    let (vault, consent) = home.reopen();
    assert!(consent.is_killed());
    assert_eq!(refusal(consent.admit(source, &notes, NOW)), Refusal::Killed);
    consent.lift(NOW + 2).unwrap();
    consent.lift(NOW + 3).unwrap();
    assert!(!consent.is_killed());
    assert!(consent.admit(source, &notes, NOW).unwrap().is_live());
    assert_eq!(reading.check(), Err(Refusal::Killed), "what was handed out before stays dead");
    let kinds: Vec<String> = consent.lines(10).unwrap().into_iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["lift", "forget", "kill", "grant"], "each turn is one entry");
    drop((vault, consent));
    let (_vault, consent) = home.reopen();
    assert!(!consent.is_killed());
    assert!(consent.verify().unwrap().ok);
}

#[test]
fn forgetting_a_source_ends_its_grant_and_what_notes_say_of_it() {
    let (home, vault, consent) = TestHome::new();
    let (notes, mail) = (home.folder("notes"), home.folder("mail"));
    let (source, grant) = opened(&vault, &consent, &notes);
    let (other, _) = opened(&vault, &consent, &mail);
    let (reading, kept) = (consent.admit(source, &notes, NOW).unwrap(), consent.admit(other, &mail, NOW).unwrap());
    let path = notes.to_str().unwrap().to_owned();
    let said = |consent: &hinet_consent::Consent| {
        let grants = serde_json::to_string(&consent.grants().unwrap()).unwrap();
        let lines = serde_json::to_string(&consent.lines(99).unwrap()).unwrap();
        (grants.contains(&path), lines.contains(&path))
    };
    assert_eq!(said(&consent), (true, true));
    vault
        .write(|tx| {
            consent.erase_mentions(tx, std::slice::from_ref(&path))?;
            consent.erase_grant(tx, grant.id, NOW + 1)
        })
        .unwrap();
    assert_eq!(said(&consent), (false, false));
    assert!(!consent.export_with_bodies(NOW).unwrap().contains(&path));
    assert!(!reading.is_live() && kept.is_live());
    assert!(matches!(refusal(consent.admit(source, &notes, NOW)), Refusal::SourceNotGranted { .. }));
    assert_eq!(consent.grants().unwrap().iter().filter(|grant| grant.revoked.is_some()).count(), 1);
    assert!(consent.verify().unwrap().ok);
}

#[test]
fn a_place_on_a_server_is_asked_for_only_where_it_was_granted_and_opens_no_file() {
    let (home, vault, consent) = TestHome::new();
    let place = "imap://ana@x.org@mail.x.org";
    let source = put_source(&vault, Path::new(place), SourceState::Active);
    let at = |names: &str| format!("{place}{names}");
    assert!(matches!(refusal(consent.admit_places(source, &[at("")], NOW)), Refusal::SourceNotGranted { .. }));
    consent.grant(ingest_draft(source, Path::new(&at("/INBOX"))), NOW).unwrap();

    // The grant is for one folder: the account itself, another folder and a name that only begins alike are not in it.
    for other in [at(""), at("/Work"), at("/INBOX2"), at("/INBOX/../Work"), "imap://ana@x.org".into()] {
        assert!(matches!(refusal(consent.admit_places(source, &[other], NOW)), Refusal::SourceNotGranted { .. }));
    }
    let reading = consent.admit_places(source, &[at("/INBOX")], NOW).unwrap();
    assert!(reading.covers_place(&at("/INBOX")) && reading.covers_place(&at("/INBOX/7")));
    assert!(!reading.covers_place(&at("/Work")) && !reading.covers_place(&at("")));
    // A folder of this machine is no place on a server, and the other way round.
    let folder = home.folder("notes");
    assert!(!reading.covers(&folder.join("a.md")));
    for path in [folder.to_str().unwrap().to_owned(), "INBOX".into(), "file:///etc".into()] {
        assert!(matches!(refusal(consent.admit_places(source, &[path], NOW)), Refusal::SourceNotGranted { .. }));
    }
    // A folder that is called like a server's place is none.
    let (notes, _) = opened(&vault, &consent, &folder);
    assert!(matches!(refusal(consent.admit_places(notes, &[at("/INBOX")], NOW)), Refusal::SourceNotGranted { .. }));

    consent.kill(NOW).unwrap();
    assert!(!reading.covers_place(&at("/INBOX")));
}
