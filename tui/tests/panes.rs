//! Memory, sources and consent: their screens at three sizes, and what happens when somebody asks for something.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::overlay::Overlay;
use hinet_tui::app::overlay::approval::QUIET_MS;
use hinet_tui::app::pane::consent::Part;
use hinet_tui::app::state::Tab;
use hinet_tui::app::{Effect, Msg, State, Tag, update};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn each(name: &str, prepare: impl Fn(&mut State)) {
    for (width, height) in SIZES {
        let mut state = opened(width, height);
        prepare(&mut state);
        insta::assert_snapshot!(format!("{name}@{width}x{height}"), screen(&state));
    }
}

fn asking(id: u64) -> Asking {
    Asking {
        id,
        asker: Asker::App("cursor".into()),
        capability: Capability::Converse,
        about: "deploy keys".into(),
        text: "The staging host is ⟦HOST-1⟧; keys rotate on Mondays.\nAsk the owner of the pager before a rollout."
            .into(),
        sources: vec!["notes/ops.md".into()],
        withheld: 2,
        learns: "1 host, 1 routine, 0 people".into(),
        before: 14,
        known_since: Some(NOW - 19 * DAY),
        since: NOW,
        until: NOW + 60_000,
    }
}

fn asks(state: &mut State, ids: &[u64]) -> Vec<Effect> {
    update(state, Msg::News(Event::Asking { asking: ids.iter().map(|id| asking(*id)).collect() }))
}

fn question(state: &State) -> Option<u64> {
    state.overlays.iter().find_map(|overlay| match overlay {
        Overlay::Approval(approval) => Some(approval.asking.id),
        _ => None,
    })
}

fn verdicts(effects: &[Effect]) -> Vec<(Verdict, bool)> {
    let verdict = |effect: &Effect| match effect {
        Effect::Call { op: Op::Answer { verdict, .. }, .. } => Some((*verdict, false)),
        Effect::Prove { proven, .. } => match proven.op {
            Op::Answer { verdict, .. } => Some((verdict, true)),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(verdict).collect()
}

fn ticks(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Tick)).count()
}

fn disclosures() -> Vec<LedgerLine> {
    let line = |seq, kind: &str, text: &str| LedgerLine {
        seq,
        at: NOW - DAY * (1204 - seq as i64),
        kind: kind.into(),
        text: text.into(),
        hash: Hash([seq as u8; 32]),
    };
    vec![
        line(1202, "disclose", "disclosed 54 bytes of notes/ops.md to app:cursor, for converse about \"deploy keys\""),
        line(1190, "refused", "app:cursor asked to converse about \"diary\" and was refused by the owner"),
        line(1100, "export", "the ledger was exported"),
    ]
}

fn consent_pane(state: &mut State) {
    press(state, KeyCode::F(5));
    reply(state, Tag::Grants, Event::Grants { grants: grants() });
    reply(state, Tag::Ledger, Event::Ledger { lines: ledger() });
    reply(state, Tag::Disclosed, Event::Ledger { lines: disclosures() });
    let report = AuditReport { entries: 1204, ok: true, head: Hash::default(), broken: None };
    reply(state, Tag::Verify, Event::Verified { report });
    state.typed_at = NOW;
    reply(state, Tag::Pending, Event::Asking { asking: vec![asking(1), asking(2)] });
}

#[test]
fn consent_parts() {
    each("consent-grants", consent_pane);
    each("consent-requests", |state| {
        consent_pane(state);
        press(state, KeyCode::Tab);
    });
    each("consent-disclosed", |state| {
        consent_pane(state);
        press(state, KeyCode::Tab);
        press(state, KeyCode::Tab);
        press(state, KeyCode::Down);
    });
    each("consent-ledger-filter", |state| {
        consent_pane(state);
        press(state, KeyCode::BackTab);
        types(state, "/kind:revoke diary");
        press(state, KeyCode::Enter);
        reply(state, Tag::Ledger, Event::Ledger { lines: vec![ledger()[2].clone()] });
    });
    each("consent-nothing", |state| {
        press(state, KeyCode::F(5));
        for tag in [Tag::Ledger, Tag::Disclosed] {
            reply(state, tag, Event::Ledger { lines: vec![] });
        }
        reply(state, Tag::Grants, Event::Grants { grants: vec![] });
        reply(state, Tag::Pending, Event::Asking { asking: vec![] });
        press(state, KeyCode::Tab);
    });
    each("consent-disclosed-failed", |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Disclosed, Event::Failed { failure: failure() });
        press(state, KeyCode::Tab);
        press(state, KeyCode::Tab);
    });
}

#[test]
fn somebody_asks() {
    each("asking", |state| {
        asks(state, &[1, 2]);
    });
    each("asking-proof", |state| {
        asks(state, &[1]);
        state.now += QUIET_MS;
        types(state, "g");
        types(state, "secret");
    });
    each("asking-long", |state| {
        let mut long = asking(1);
        long.text = (1..=90).map(|i| format!("line {i} of what would leave\n")).collect();
        update(state, Msg::News(Event::Asking { asking: vec![long] }));
    });
    each("asking-while-typing", |state| {
        types(state, "When does my tr");
        asks(state, &[1]);
    });
}

#[test]
fn a_key_for_the_input_never_decides_anything() {
    let mut state = opened(120, 40);
    types(&mut state, "ha");
    asks(&mut state, &[1]);
    assert_eq!(question(&state), None, "while keys are pressed it waits");
    types(&mut state, "y");
    state.now += 2_500;
    assert_eq!(ticks(&update(&mut state, Msg::Tick)), 1);
    assert_eq!(question(&state), Some(1), "the input is idle: it comes up");
    // Somebody goes on typing: everything still goes to the input, however long it takes.
    for key in "yhg".chars() {
        state.now += QUIET_MS - 1;
        assert!(verdicts(&press(&mut state, KeyCode::Char(key))).is_empty());
    }
    update(&mut state, Msg::Paste(" hay".into()));
    assert_eq!(state.chat.composer.text(), "hayyhg hay");
    assert_eq!(state.overlays.len(), 1, "no question about a proof was opened");
    state.now += QUIET_MS;
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(state.overlays.len(), 2, "now it is meant");
    assert_eq!(state.chat.composer.text(), "hayyhg hay");
}

#[test]
fn a_yes_needs_the_proof_and_a_no_does_not() {
    for (key, verdict) in [('y', Verdict::Once), ('h', Verdict::Hour), ('g', Verdict::Standing)] {
        let mut state = opened(80, 24);
        asks(&mut state, &[1]);
        state.now += QUIET_MS;
        assert!(verdicts(&press(&mut state, KeyCode::Char(key))).is_empty());
        assert!(verdicts(&press(&mut state, KeyCode::Enter)).is_empty(), "an empty passphrase is none");
        types(&mut state, "secret");
        assert_eq!(verdicts(&press(&mut state, KeyCode::Enter)), [(verdict, true)]);
        let refused = Failure::new(ErrorKind::Refused, "That passphrase does not open this home.", "Nothing left.");
        reply(&mut state, Tag::Answer(1), Event::Failed { failure: refused });
        assert_eq!((state.overlays.len(), question(&state)), (2, Some(1)), "it can be tried again");
        types(&mut state, "secret");
        press(&mut state, KeyCode::Enter);
        reply(&mut state, Tag::Answer(1), Event::Done);
        assert!(state.overlays.is_empty());
    }
    for key in [KeyCode::Char('n'), KeyCode::Enter, KeyCode::Esc] {
        let mut state = opened(80, 24);
        asks(&mut state, &[1]);
        state.now += QUIET_MS;
        assert_eq!(verdicts(&press(&mut state, key)), [(Verdict::No, false)]);
        assert_eq!(question(&state), None);
    }
}

#[test]
fn a_yes_needs_all_of_it_in_view() {
    let mut state = opened(80, 14);
    asks(&mut state, &[1]);
    state.now += QUIET_MS;
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(state.overlays.len(), 1, "no proof is asked for what cannot be seen");
    assert!(screen(&state).contains("Make the terminal higher"));
    update(&mut state, Msg::Resize(80, 24));
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(state.overlays.len(), 2);
}

#[test]
fn several_wait_in_a_row_and_run_out() {
    let mut state = opened(80, 24);
    asks(&mut state, &[1, 2]);
    state.now += QUIET_MS;
    press(&mut state, KeyCode::Char('n'));
    assert_eq!(question(&state), Some(2), "the next one comes at once");
    assert!(press(&mut state, KeyCode::Char('n')).is_empty(), "but not to the same press of a key");
    assert_eq!(question(&state), Some(2));
    assert!(state.chat.composer.is_blank());
    asks(&mut state, &[2]);
    state.now = NOW + 60_000;
    update(&mut state, Msg::News(Event::Asking { asking: vec![] }));
    assert_eq!(question(&state), None);
    assert!(screen(&state).contains("cursor got no answer in time, so nothing left."));
}

#[test]
fn seconds_are_drawn_once_a_second_and_only_while_they_are_on_the_screen() {
    let mut state = opened(80, 24);
    assert_eq!(ticks(&asks(&mut state, &[1])), 1);
    assert_eq!(ticks(&asks(&mut state, &[1, 2])), 0, "one tick is on its way already");
    state.now += 1_000;
    state.dirty = false;
    assert_eq!(ticks(&update(&mut state, Msg::Tick)), 1);
    assert!(state.dirty && screen(&state).contains("by itself in 59 s"));
    // A request that waits behind something else asks for ticks, but nothing is drawn for them.
    let mut state = opened(80, 24);
    types(&mut state, "typing");
    asks(&mut state, &[1]);
    state.now += 1_000;
    update(&mut state, Msg::Tick);
    assert!(!state.dirty);
    // With nobody waiting, nothing ticks.
    update(&mut state, Msg::News(Event::Asking { asking: vec![] }));
    assert_eq!(ticks(&update(&mut state, Msg::Tick)), 0);
}

#[test]
fn the_kill_switch_works_from_a_question() {
    let mut state = opened(80, 24);
    asks(&mut state, &[1]);
    press(&mut state, KeyCode::F(8));
    assert!(screen(&state).contains("y  stop everything"));
    press(&mut state, KeyCode::Esc);
    state.now += QUIET_MS;
    types(&mut state, "y");
    press(&mut state, KeyCode::F(8));
    assert_eq!(calls(&types(&mut state, "y")), [Tag::Kill]);
}

#[test]
fn the_ledger_is_verified_when_it_grew_and_never_twice_at_a_time() {
    let mut state = opened(80, 24);
    assert!(calls(&press(&mut state, KeyCode::F(5))).contains(&Tag::Verify));
    let more = |n| Msg::News(Event::Status { status: NodeStatus { ledger: n, ..status() } });
    assert!(!calls(&update(&mut state, more(1205))).contains(&Tag::Verify), "it is being verified");
    let report =
        |entries| Event::Verified { report: AuditReport { entries, ok: true, head: Hash::default(), broken: None } };
    reply(&mut state, Tag::Verify, report(1204));
    assert!(calls(&update(&mut state, more(1206))).contains(&Tag::Verify));
    reply(&mut state, Tag::Verify, report(1206));
    assert!(update(&mut state, more(1206)).is_empty());
    press(&mut state, KeyCode::F(2));
    assert!(update(&mut state, more(1207)).is_empty(), "only while the pane is open");
}

#[test]
fn the_filter_is_typed_kept_and_sent() {
    let mut state = opened(80, 24);
    consent_pane(&mut state);
    press(&mut state, KeyCode::BackTab);
    assert_eq!(state.consent.part, Part::Ledger);
    types(&mut state, "/kind:grant 12");
    update(&mut state, Msg::Resize(120, 40));
    press(&mut state, KeyCode::F(3));
    press(&mut state, KeyCode::F(5));
    assert_eq!((state.tab, state.consent.filter.text()), (Tab::Consent, "kind:grant 12"));
    let effects = press(&mut state, KeyCode::Enter);
    let asked = effects.iter().any(|effect| {
        matches!(effect, Effect::Call { op: Op::Ledger { kinds, matching, .. }, .. } if kinds == &["grant"] && matching == "12")
    });
    assert!(asked);
}

fn line(n: u32, days: i64, title: &str, pinned: bool) -> ItemLine {
    ItemLine {
        item: item(n),
        source: format!("/home/maya/notes/{title}"),
        title: title.into(),
        kind: if title.ends_with(".pdf") { "pdf".into() } else { "markdown".into() },
        modified: NOW - DAY * days,
        ingested: NOW,
        pinned,
        labels: if pinned { vec!["travel".into()] } else { vec![] },
    }
}

fn remembered() -> Vec<ItemLine> {
    vec![
        line(11, 88, "porto.md", true),
        line(21, 0, "standup.md", false),
        line(22, 0, "ops.md", false),
        line(23, 1, "invoice 2026-11.pdf", false),
        line(24, 40, "garden.md", false),
        line(25, 700, "lease.pdf", false),
    ]
}

fn memory_pane(state: &mut State) {
    press(state, KeyCode::F(3));
    let stats =
        Stats { items: 412, chunks: 2310, embedded: 2190, sources: 3, text_bytes: 1_900_000, ..Stats::default() };
    reply(state, Tag::Stats, Event::Stats { stats });
    reply(state, Tag::Timeline, Event::Items { items: remembered() });
}

fn found(state: &mut State, query: &str) {
    press(state, KeyCode::F(3));
    types(state, query);
    let tag = calls(&press(state, KeyCode::Enter))[0];
    let mut hits = hits();
    hits[0].pinned = true;
    reply(state, tag, Event::Hits { hits });
}

#[test]
fn memory() {
    each("memory-timeline", |state| {
        memory_pane(state);
        press(state, KeyCode::Down);
        press(state, KeyCode::Down);
    });
    each("memory-timeline-working", |state| {
        press(state, KeyCode::F(3));
    });
    each("memory-timeline-failed", |state| {
        press(state, KeyCode::F(3));
        reply(state, Tag::Timeline, Event::Failed { failure: failure() });
    });
    each("memory-nothing", |state| {
        press(state, KeyCode::F(3));
        reply(state, Tag::Timeline, Event::Items { items: vec![] });
    });
    each("memory-operator-offered", |state| {
        memory_pane(state);
        types(state, "porto la");
    });
    each("memory-hits", |state| found(state, "train \"coach 21\" from:Ana after:2026"));
    each("memory-paused", |state| {
        memory_pane(state);
        update(state, Msg::News(Event::Status { status: NodeStatus { paused: true, ..status() } }));
    });
}

#[test]
fn operators_alone_confine_the_timeline_and_esc_brings_all_of_it_back() {
    let mut state = opened(80, 24);
    memory_pane(&mut state);
    types(&mut state, "is");
    press(&mut state, KeyCode::Right);
    assert_eq!(state.memory.query.text(), "is:pinned", "the arrow takes what is offered");
    assert_eq!(calls(&press(&mut state, KeyCode::Enter)), [Tag::Timeline]);
    reply(&mut state, Tag::Timeline, Event::Items { items: vec![line(11, 88, "porto.md", true)] });
    assert!(screen(&state).contains("only pinned"));
    assert_eq!(calls(&press(&mut state, KeyCode::Esc)), [Tag::Timeline]);
    assert_eq!((state.tab, state.memory.query.text()), (Tab::Memory, "is:pinned"));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.tab, Tab::Chat);
}

#[test]
fn remembering_is_paused_and_gone_on_with() {
    let mut state = opened(80, 24);
    press(&mut state, KeyCode::F(4));
    let paused = |effects: &[Effect]| match effects {
        [Effect::Call { op: Op::MemoryPause { paused }, .. }] => Some(*paused),
        _ => None,
    };
    assert_eq!(paused(&types(&mut state, "P")), Some(true));
    update(&mut state, Msg::News(Event::Status { status: NodeStatus { paused: true, ..status() } }));
    assert!(screen(&state).contains("remembering is paused"));
    assert_eq!(paused(&types(&mut state, "P")), Some(false));
}

fn porto() -> ItemView {
    ItemView { labels: vec!["travel".into()], cited: 2, ..porto_item() }
}

fn opened_item(state: &mut State) {
    found(state, "train");
    let tag = calls(&press(state, KeyCode::Enter))[0];
    reply(state, tag, Event::Item { item: Box::new(porto()) });
}

#[test]
fn an_opened_item() {
    each("item-open", opened_item);
    each("item-find", |state| {
        opened_item(state);
        types(state, "/OR");
        press(state, KeyCode::Enter);
        types(state, "n");
    });
    each("item-labels", |state| {
        opened_item(state);
        types(state, "l");
        types(state, ", porto");
    });
    each("item-forget", |state| {
        opened_item(state);
        let tag = calls(&types(state, "f"))[0];
        reply(
            state,
            tag,
            Event::Forgotten { report: ForgetReport { items: 1, chunks: 3, answers: 2, messages: 0, done: false } },
        );
    });
}

#[test]
fn an_item_is_pinned_labelled_and_its_cited_words_copied() {
    let mut state = opened(120, 40);
    opened_item(&mut state);
    let copied = |effects: &[Effect]| match effects {
        [Effect::Copy(text)] => Some(text.clone()),
        _ => None,
    };
    let cited = hits()[0].text.clone();
    assert_eq!(copied(&types(&mut state, "y")), Some(cited.clone()));
    let effects = types(&mut state, "p");
    assert!(matches!(&effects[..], [Effect::Call { op: Op::Mark { pinned: Some(true), labels: None, .. }, .. }]));
    reply(&mut state, Tag::Mark(item(11)), Event::Item { item: Box::new(ItemView { pinned: true, ..porto() }) });
    assert!(screen(&state).contains("◆ pinned"));
    types(&mut state, "l");
    update(&mut state, Msg::Paste(", a, travel ,,".into()));
    update(&mut state, Msg::Resize(80, 24));
    let effects = press(&mut state, KeyCode::Enter);
    let wanted = vec!["a".to_owned(), "travel".to_owned()];
    assert!(
        matches!(&effects[..], [Effect::Call { op: Op::Mark { pinned: None, labels: Some(l), .. }, .. }] if *l == wanted)
    );
    reply(&mut state, Tag::Mark(item(11)), Event::Failed { failure: failure() });
    assert_eq!(state.overlays.len(), 2, "what was typed is still there");
    press(&mut state, KeyCode::Enter);
    reply(&mut state, Tag::Mark(item(11)), Event::Item { item: Box::new(ItemView { labels: wanted, ..porto() }) });
    assert_eq!(state.overlays.len(), 1);
    // Finding moves the mark and gives it back.
    types(&mut state, "/hotel");
    press(&mut state, KeyCode::Enter);
    assert_eq!(copied(&types(&mut state, "y")), Some("Hotel".into()));
    press(&mut state, KeyCode::Esc);
    assert_eq!(copied(&types(&mut state, "y")), Some(cited));
    // And the next hit of the list opens in its place.
    let effects = types(&mut state, "]");
    assert!(matches!(&effects[..], [Effect::Call { op: Op::Show { item: next }, .. }] if *next == item(12)));
    assert_eq!(state.overlays.len(), 1);
}

#[test]
fn sources() {
    let busy = |state: &mut State| {
        let mut list = fixture::sources();
        (list[0].skipped, list[0].waiting, list[0].grant) = (2, 120, Some(grants()[0].id));
        press(state, KeyCode::F(4));
        reply(state, Tag::Sources, Event::Sources { sources: list });
    };
    let reads = |state: &mut State, done| {
        let progress = Progress { what: "reading ~/notes".into(), done, total: Some(412), unit: Unit::Files };
        let source = fixture::sources()[0].id;
        update(state, Msg::News(Event::Reading { source, progress: Some(progress) }))
    };
    each("sources-idle", busy);
    each("sources-by-itself", |state| {
        busy(state);
        reads(state, 120);
    });
    each("source-look", |state| {
        busy(state);
        press(state, KeyCode::Enter);
        reply(state, Tag::Grants, Event::Grants { grants: grants() });
        let skipped = |what: &str, why: &str| Skipped { what: what.into(), why: why.into() };
        let skipped = vec![
            skipped("/home/maya/notes/scan.pdf", "It is encrypted."),
            skipped("/home/maya/notes/film.mp4", "Nothing in it can be read as text."),
        ];
        let source = fixture::sources()[0].id;
        reply(state, Tag::Skips(source), Event::Skips { skipped });
    });
    each("source-look-failed", |state| {
        busy(state);
        press(state, KeyCode::Enter);
        reply(state, Tag::Skips(fixture::sources()[0].id), Event::Failed { failure: failure() });
    });
    each("sources-read-once", |state| {
        busy(state);
        types(state, "i");
    });
    // Numbers that change move nothing.
    let mut state = opened(80, 24);
    busy(&mut state);
    press(&mut state, KeyCode::Down);
    let frame = |state: &State| {
        let borders = |line: &str| line.chars().filter(|c| "┌├└│─┐┤┘".contains(*c)).count() > 20;
        screen(state).lines().map(borders).collect::<Vec<_>>()
    };
    let before = frame(&state);
    reads(&mut state, 7);
    assert_eq!(frame(&state), before);
    let chosen = state.sources.current().unwrap().id;
    let mut list = fixture::sources();
    list.rotate_left(1);
    reply(&mut state, Tag::Sources, Event::Sources { sources: list });
    assert_eq!(state.sources.current().unwrap().id, chosen);
    let source = fixture::sources()[0].id;
    let effects = update(&mut state, Msg::News(Event::Reading { source, progress: None }));
    assert_eq!(calls(&effects), [Tag::Sources]);
    press(&mut state, KeyCode::F(2));
    state.dirty = false;
    reads(&mut state, 8);
    assert!(!state.dirty, "progress that is not on the screen draws nothing");
}

#[test]
fn what_was_recalled_says_why_and_what_was_used() {
    each("recalled-why", |state| {
        answered(state);
        press(state, KeyCode::BackTab);
    });
}

#[test]
fn who_would_answer_is_asked_and_a_member_leaves_after_a_question() {
    let mut state = opened(120, 40);
    press(&mut state, KeyCode::F(10));
    reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
    reply(&mut state, Tag::Receipts, receipts());
    assert!(types(&mut state, "t").is_empty(), "there is no question yet");
    press(&mut state, KeyCode::F(2));
    types(&mut state, "Where is the fuse box?");
    press(&mut state, KeyCode::F(10));
    let effects = types(&mut state, "t");
    let Effect::Call { tag: late, op: Op::AssemblyTry { assembly, text } } = &effects[0] else { panic!("it is tried") };
    assert_eq!((assembly.as_str(), text.as_str()), ("house", "Where is the fuse box?"));
    let tag = calls(&types(&mut state, "t"))[0];
    reply(&mut state, *late, Event::Tried { composition: composition(Mode::Own) });
    assert!(screen(&state).contains("looking who is near"), "what is known of an earlier try is not shown");
    reply(&mut state, tag, Event::Tried { composition: composition(Mode::Route) });
    assert!(screen(&state).contains("route: kitchen is clearly nearest"));

    assert!(types(&mut state, "l").is_empty() && state.overlays.is_empty(), "no member is looked at");
    types(&mut state, "ml");
    assert!(screen(&state).contains("kitchen leaves the assembly house"));
    assert!(press(&mut state, KeyCode::Enter).is_empty() && state.overlays.is_empty(), "the safe answer is no");
    types(&mut state, "l");
    let effects = types(&mut state, "y");
    assert!(matches!(
        &effects[..],
        [Effect::Call { op: Op::AssemblyLeave { assembly, delta }, .. }] if assembly == "house" && *delta == hash(7)
    ));
    reply(&mut state, Tag::AssemblyLeave, Event::Failed { failure: failure() });
    assert!(screen(&state).contains("is not on this machine yet"));

    // One delta of those who would be mixed; of whom the node finds, where the last try found nobody to mix.
    let effects = types(&mut state, "o");
    let Effect::Call { tag: making, op: Op::AssemblyPremerge { assembly, members } } = &effects[0] else {
        panic!("one delta is asked for")
    };
    assert_eq!((assembly.as_str(), members.len()), ("house", 0));
    assert!(types(&mut state, "o").is_empty(), "one is being made");
    reply(&mut state, *making, Event::Failed { failure: failure() });
    let tag = calls(&types(&mut state, "t"))[0];
    reply(&mut state, tag, Event::Tried { composition: composition(Mode::Mix) });
    let effects = types(&mut state, "o");
    let Effect::Call { tag: making, op: Op::AssemblyPremerge { members, .. } } = &effects[0] else { panic!("again") };
    assert_eq!(*members, [hash(7), hash(8)]);
    let mut line = assemblies().remove(0);
    let members = vec![(hash(7), 0.5), (hash(8), 0.5)];
    line.premerges = vec![PremergeLine { hash: hash(6), recipe: hash(5), members, bytes: 4096, at: NOW }];
    reply(&mut state, *making, Event::Assemblies { assemblies: vec![line] });
    assert!(screen(&state).contains("one delta of kitchen 0.5, garden 0.5"));

    types(&mut state, "u");
    assert_eq!(state.chat.assembly.as_deref(), Some("house"));
    types(&mut state, "u");
    assert_eq!(state.chat.assembly, None);
    types(&mut state, "u");
    let left = Event::Assemblies { assemblies: vec![assemblies().remove(1)] };
    assert_eq!(calls(&reply(&mut state, Tag::AssemblyLeave, left)), [Tag::Receipts, Tag::Status]);
    assert!(state.chat.assembly.is_none() && state.notices[0].contains("no assembly house"));
    assert_eq!(state.assembly.current().unwrap().name, "work");
}
