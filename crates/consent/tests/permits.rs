//! Nothing leaves without a permit: the ledger first, then these bytes, once, to this asker, while the grant stands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use hinet_consent::{Consent, ConsentError, EntryKind, Note, Outgoing, Refusal};
use hinet_protocol::{Asker, Capability, GrantId, Hash, ItemId, Limits, SourceId, SourceState, Trust};
use hinet_vault::Vault;
use hinet_vault::records::ItemRow;
use home::{HOUR, NOW, TestHome, about_porto, outgoing, put_source, retrieve_draft};

const BYTES: &[u8] = b"leave home 13:50, passport in the blue bag";

fn editor() -> Asker {
    Asker::App("editor".to_owned())
}

fn given(consent: &Consent, limits: Limits) -> GrantId {
    consent.grant(retrieve_draft("editor", limits), NOW).unwrap().id
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ConsentError>) -> Refusal {
    match result.unwrap_err() {
        ConsentError::Refused(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn the_ledger_comes_first_and_the_bytes_are_bound() {
    let (_home, _vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let grant = given(&consent, Limits::default());
    let out = outgoing(grant, &asker, &about, BYTES);

    let permit = consent.permit(&out, NOW).unwrap();
    let line = consent.lines(1).unwrap().remove(0);
    assert_eq!((line.seq, line.kind.as_str()), (permit.entry(), "disclose"));
    assert_eq!(line.text, format!("disclosed {} bytes to app:editor (retrieve) under grant {grant}", BYTES.len()));
    assert!(!format!("{permit:?}").contains("editor"));

    let cleared = permit.spend(BYTES).unwrap();
    assert_eq!((cleared.bytes(), cleared.to(), cleared.entry(), cleared.grant()), (BYTES, &asker, line.seq, grant));
    assert!(!format!("{cleared:?}").contains("108"), "no bytes, not even as numbers");

    for other in [&BYTES[1..], b"", b"leave home 13:50, passport in the blue bAg"] {
        assert_eq!(consent.permit(&out, NOW).unwrap().spend(other).unwrap_err(), Refusal::WrongBytes);
    }
    assert_eq!(consent.was_let_out(line.seq, BYTES).unwrap(), Some(true));
    assert_eq!(consent.was_let_out(line.seq, b"something else").unwrap(), Some(false));
    assert!(consent.verify().unwrap().ok);
}

#[test]
fn only_for_whom_what_and_how_it_was_granted() {
    let (_home, _vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let grant = given(&consent, Limits::default());
    let good = outgoing(grant, &asker, &about, BYTES);
    let browser = Asker::App("browser".to_owned());
    let mixed = [about[0].clone(), hinet_consent::Subject::default()];
    let wrong = [
        Outgoing { asker: &browser, ..good },
        Outgoing { capability: Capability::Train, ..good },
        Outgoing { subjects: &mixed, ..good },
        Outgoing { subjects: &[], ..good },
    ];
    let before = consent.lines(9).unwrap();
    for out in &wrong {
        assert_eq!(refusal(consent.permit(out, NOW)), Refusal::OutOfScope { grant });
        assert_eq!(refusal(consent.release(out, (), NOW)), Refusal::OutOfScope { grant });
    }
    let unknown = consent.permit(&Outgoing { grant: GrantId::new(), ..good }, NOW).unwrap_err();
    assert!(matches!(unknown, ConsentError::UnknownGrant { .. }));
    assert_eq!(consent.lines(9).unwrap(), before, "what was refused was not counted");
}

#[test]
fn limits_are_counted_and_survive_a_restart() {
    let (home, vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let three = given(&consent, Limits { uses: Some(3), ..Limits::default() });
    let two_an_hour = given(&consent, Limits { uses_per_hour: Some(2), ..Limits::default() });
    let few_bytes = given(&consent, Limits { bytes: Some(BYTES.len() as u64 + 1), ..Limits::default() });
    for grant in [three, three, two_an_hour, two_an_hour, few_bytes] {
        let _ = consent.permit(&outgoing(grant, &asker, &about, BYTES), NOW).unwrap();
    }
    drop((vault, consent));
    let (_vault, consent) = home.reopen();
    let permit = |grant, bytes, now| consent.permit(&outgoing(grant, &asker, &about, bytes), now);
    let _ = permit(three, BYTES, NOW).unwrap();
    assert_eq!(refusal(permit(three, BYTES, NOW)), Refusal::UsedUp { grant: three, limit: 3 });
    assert_eq!(refusal(permit(two_an_hour, BYTES, NOW)), Refusal::TooOften { grant: two_an_hour, limit: 2 });
    let _ = permit(two_an_hour, BYTES, NOW + 2 * HOUR).unwrap();
    let limit = BYTES.len() as u64 + 1;
    assert_eq!(refusal(permit(few_bytes, b"ab", NOW)), Refusal::TooMuch { grant: few_bytes, limit });
    let _ = permit(few_bytes, b"a", NOW).unwrap();
    assert_eq!(refusal(permit(few_bytes, b"", NOW)), Refusal::TooMuch { grant: few_bytes, limit });
}

#[test]
fn a_permit_does_not_outlive_what_it_stands_on() {
    let (_home, _vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let grant = given(&consent, Limits::default());
    let out = outgoing(grant, &asker, &about, BYTES);

    let (permit, released) = (consent.permit(&out, NOW).unwrap(), consent.release(&out, "view", NOW).unwrap());
    assert_eq!(released.get(), Ok(&"view"));
    assert!(!format!("{released:?}").contains("view"));
    consent.kill(NOW).unwrap();
    assert_eq!(released.get(), Err(Refusal::Killed));
    assert_eq!(refusal(consent.permit(&out, NOW)), Refusal::Killed);
    consent.lift(NOW).unwrap();
    assert_eq!(permit.spend(BYTES).unwrap_err(), Refusal::Killed, "not even after the lift");
    assert_eq!(released.spend(), Err(Refusal::Killed));

    let (permit, released) = (consent.permit(&out, NOW).unwrap(), consent.release(&out, "view", NOW).unwrap());
    consent.revoke(grant, NOW).unwrap();
    assert_eq!(permit.spend(BYTES).unwrap_err(), Refusal::Revoked { grant });
    assert_eq!(released.spend(), Err(Refusal::Revoked { grant }));
    assert_eq!(refusal(consent.permit(&out, NOW)), Refusal::Revoked { grant });

    let brief = given(&consent, Limits { expires: Some(NOW + HOUR), ..Limits::default() });
    let late = consent.permit(&outgoing(brief, &asker, &about, BYTES), NOW + HOUR - 1);
    std::thread::sleep(std::time::Duration::from_millis(20));
    match late {
        Ok(late) => assert_eq!(late.spend(BYTES).unwrap_err(), Refusal::Expired { grant: brief }),
        late => assert_eq!(refusal(late), Refusal::Expired { grant: brief }),
    }
}

fn remembered(vault: &Vault, source: SourceId, key: &str) -> ItemId {
    let id = ItemId::new();
    let row = ItemRow {
        id,
        source,
        key: key.to_owned(),
        title: key.to_owned(),
        kind: "text".to_owned(),
        trust: Trust::Own,
        modified: NOW,
        ingested: NOW,
        hash: Hash::default(),
        text: "leave home 13:50".to_owned(),
        filing: None,
    };
    vault.write(|tx| tx.put_item(&row, &[])).unwrap();
    id
}

#[test]
fn forgetting_takes_the_fingerprint_of_what_was_sent() {
    let (_home, vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let grant = given(&consent, Limits::default());
    let source = put_source(&vault, std::path::Path::new("/notes"), SourceState::Active);
    let items = [remembered(&vault, source, "/notes/a"), remembered(&vault, source, "/notes/b")];
    let out = Outgoing { items: &items, ..outgoing(grant, &asker, &about, BYTES) };
    let permit = consent.permit(&out, NOW).unwrap();
    let entry = permit.entry();
    permit.spend(BYTES).unwrap();
    assert_eq!(consent.was_let_out(entry, BYTES).unwrap(), Some(true));
    vault
        .write(|tx| {
            tx.delete_item(items[1])?;
            consent.record(tx, EntryKind::Forget, vec![Note::say("forgot 1 item")], NOW)
        })
        .unwrap();
    assert_eq!(consent.was_let_out(entry, BYTES).unwrap(), None);
    assert_eq!(consent.was_let_out(entry + 1, BYTES).unwrap(), None);
    assert_eq!(consent.was_let_out(999, BYTES).unwrap(), None);
    assert!(consent.verify().unwrap().ok);
}

#[test]
fn threads_cannot_use_a_grant_more_often_than_it_allows() {
    let (_home, _vault, consent) = TestHome::new();
    let (asker, about) = (editor(), about_porto());
    let grant = given(&consent, Limits { uses: Some(10), ..Limits::default() });
    let out = outgoing(grant, &asker, &about, BYTES);
    let spent: usize = std::thread::scope(|scope| {
        let tries =
            || (0..8).filter(|_| consent.permit(&out, NOW).is_ok_and(|permit| permit.spend(BYTES).is_ok())).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(spent, 10);
    assert_eq!(consent.lines(99).unwrap().iter().filter(|line| line.kind == "disclose").count(), 10);
    assert!(consent.verify().unwrap().ok);
}

/// Whatever the threads are doing: once `kill` or `revoke` has returned, nothing that starts goes out.
#[test]
fn nothing_goes_out_after_a_kill_or_a_revocation_has_returned() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    for killing in [true, false] {
        let (_home, _vault, consent) = TestHome::new();
        let (asker, about) = (editor(), about_porto());
        let grant = given(&consent, Limits::default());
        let out = outgoing(grant, &asker, &about, BYTES);
        let (shut, enough) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !enough.load(SeqCst) {
                        let Ok(permit) = consent.permit(&out, NOW) else { continue };
                        let was_shut = shut.load(SeqCst);
                        let went = permit.spend(BYTES).is_ok();
                        assert!(!(was_shut && went));
                    }
                });
            }
            while consent.lines(9).unwrap().len() < 9 {
                std::thread::yield_now();
            }
            if killing {
                consent.kill(NOW).unwrap();
            } else {
                consent.revoke(grant, NOW).unwrap();
            }
            shut.store(true, SeqCst);
            let stopped = consent.lines(999).unwrap();
            assert!(consent.permit(&out, NOW).is_err());
            enough.store(true, SeqCst);
            assert_eq!(stopped[0].kind, if killing { "kill" } else { "revoke" }, "it is the last entry");
        });
        assert!(consent.verify().unwrap().ok);
    }
}
