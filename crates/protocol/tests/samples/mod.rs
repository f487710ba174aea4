//! One value of everything that is stored or crosses a door, with ids and hashes that never change.

use hinet_protocol::*;

pub const NOW: Millis = 1_780_000_000_000;

pub fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([0x01, 0x99, 0xf3, 0xa2, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n])
}

fn item() -> ItemId {
    ItemId(uuid(1))
}

fn source() -> SourceId {
    SourceId(uuid(2))
}

fn session() -> SessionId {
    SessionId(uuid(3))
}

fn message() -> MessageId {
    MessageId(uuid(4))
}

fn grant_id() -> GrantId {
    GrantId(uuid(5))
}

pub fn grant_drafts() -> Vec<GrantDraft> {
    let plain = GrantDraft {
        asker: Asker::Own,
        capability: Capability::Ingest,
        scope: Scope { sources: vec![source()], folders: vec!["/home/maya/notes".into()], ..Scope::default() },
        filter: Filter { withhold: vec!["*".into()], placeholders: true },
        limits: Limits::default(),
        purpose: "my notes".into(),
    };
    let full = GrantDraft {
        asker: Asker::Peer("ab".repeat(32)),
        capability: Capability::Retrieve,
        scope: Scope {
            everything: false,
            sources: vec![source()],
            folders: vec!["/home/maya/notes".into()],
            labels: vec!["work".into()],
            people: vec!["Ana Reis".into()],
            topics: vec!["Porto".into()],
            after: Some(NOW - 1),
            before: Some(NOW),
        },
        filter: Filter { withhold: vec!["email".into(), "phone".into()], placeholders: false },
        limits: Limits { expires: Some(NOW + 3_600_000), uses: Some(10), uses_per_hour: Some(2), bytes: Some(65_536) },
        purpose: "planning the trip".into(),
    };
    let of = |asker: Asker, capability: Capability| GrantDraft {
        asker,
        capability,
        scope: Scope { everything: true, ..Scope::default() },
        ..plain.clone()
    };
    vec![
        plain.clone(),
        full,
        of(Asker::App("editor".into()), Capability::Converse),
        of(Asker::Own, Capability::Train),
        of(Asker::Peer("cd".repeat(32)), Capability::Compose),
        of(Asker::Backend("ef".repeat(32)), Capability::Compute),
        of(Asker::Replica("usb stick".into()), Capability::Replicate),
    ]
}

pub fn grants() -> Vec<Grant> {
    let mut drafts = grant_drafts().into_iter();
    let (plain, full) = drafts.next().zip(drafts.next()).unwrap();
    vec![
        Grant { v: 1, id: grant_id(), terms: plain, granted: NOW, revoked: None },
        Grant { v: 1, id: grant_id(), terms: full, granted: NOW, revoked: Some(NOW + 5) },
    ]
}

/// The signatures here are not real ones; `hinet-consent` has the vectors that verify.
pub fn work_orders() -> Vec<WorkOrder> {
    let order = |kind, deltas, grant| WorkOrder {
        v: 1,
        nonce: hash(1),
        kind,
        anchor: hash(2),
        deltas,
        payload: hash(3),
        grant,
        issued: NOW,
        expires: NOW + 60_000,
        device: "0a".repeat(32),
        signature: "0b".repeat(64),
    };
    vec![
        order(WorkKind::Generate, vec![], None),
        order(WorkKind::Embed, vec![hash(4)], Some(grant_id())),
        order(WorkKind::Train, vec![hash(4), hash(5)], None),
        order(WorkKind::Merge, vec![], None),
    ]
}

pub fn receipt() -> BackendReceipt {
    BackendReceipt {
        v: 1,
        order: hash(6),
        result: hash(7),
        backend: "local".into(),
        tokens: (120, 48),
        duration_ms: 900,
        key: "0c".repeat(32),
        signature: "0d".repeat(64),
    }
}

fn turn() -> Turn {
    Turn {
        after: After::Message(message()),
        within: vec![
            Within::Item(item()),
            Within::Source(source()),
            Within::Folder("/home/maya/notes".into()),
            Within::Person("Ana Reis".into()),
            Within::Label("travel".into()),
        ],
        attached: vec!["porto.md".into()],
        forgo: true,
        voice: true,
        assembly: Some("house".into()),
        incognito: Some(vec![Said { role: Role::User, text: "Hello.".into() }]),
    }
}

fn feedback() -> Feedback {
    Feedback { thumb: Some(Thumb::Down), edited: Some("At 14:39.".into()), accepted: true }
}

pub fn ops() -> Vec<Op> {
    let params = ChatParams {
        temperature: Some(0.7),
        top_p: Some(0.9),
        min_p: Some(0.05),
        repeat_penalty: Some(1.1),
        max_tokens: Some(256),
        seed: Some(7),
    };
    vec![
        Op::Status,
        Op::Chat {
            session: None,
            text: "When does my train leave?".into(),
            turn: Turn::default(),
            params: ChatParams::default(),
        },
        Op::Chat { session: Some(session()), text: "And back?".into(), turn: turn(), params: params.clone() },
        Op::Regenerate { session: session(), message: message(), turn: Turn::default(), params },
        Op::Cancel { request: 9 },
        Op::Sessions,
        Op::Messages { session: session() },
        Op::Branch { session: session(), message: message() },
        Op::Rewind { session: session(), message: None },
        Op::Rewind { session: session(), message: Some(message()) },
        Op::Fork { session: session(), message: message() },
        Op::SessionChange {
            session: session(),
            change: SessionChange { title: Some("Porto".into()), pinned: Some(true), archived: Some(false) },
        },
        Op::Find { query: "oriente".into(), k: 20 },
        Op::Feedback { message: message(), feedback: feedback() },
        Op::Typed { limit: 100 },
        Op::Draft { draft: Draft { session: None, text: "and when".into() } },
        Op::Attach { what: Attachment::File { path: "/home/maya/page.html".into() } },
        Op::Attach { what: Attachment::Folder { path: "/home/maya/notes".into() } },
        Op::Attach { what: Attachment::Text { name: "git log -3".into(), text: "commit 1".into() } },
        Op::Names { typed: "por".into(), limit: 8 },
        Op::LetOut { way: "editor".into(), bytes: 120 },
        Op::Skips { source: source() },
        Op::MemoryPause { paused: true },
        Op::Ingest { paths: vec!["/home/maya/a.md".into()] },
        Op::Sources,
        Op::SourceAdd { path: "/home/maya/notes".into() },
        Op::AccountAdd { plan: Box::new(mailbox()), secret: Some(Secret::new("not a real one".into())) },
        Op::AccountAdd { plan: Box::new(drive()), secret: None },
        Op::SourceVerify { source: source() },
        Op::SourceSync { source: None },
        Op::SourceSync { source: Some(source()) },
        Op::SourcePause { source: source(), paused: true },
        Op::Search { query: "porto".into(), k: 5 },
        Op::Timeline { query: "type:markdown".into(), before: Some(NOW), limit: 50 },
        Op::Show { item: item() },
        Op::Mark { item: item(), pinned: Some(true), labels: Some(vec!["travel".into()]) },
        Op::People { name: "ana".into(), limit: 50 },
        Op::PersonMerge { one: "Ana Reis".into(), other: "ana@example.org".into() },
        Op::PersonSplit { spelling: "ana@example.org".into() },
        Op::PersonUndo,
        Op::Forget { target: ForgetTarget::Item { item: item() }, dry_run: true },
        Op::Forget { target: ForgetTarget::Source { source: source() }, dry_run: false },
        Op::Forget { target: ForgetTarget::Session { session: session() }, dry_run: true },
        Op::Forget { target: ForgetTarget::Time { from: NOW - 1, to: NOW }, dry_run: false },
        Op::Stats,
        Op::Grants,
        Op::Grant { draft: grant_drafts().remove(1) },
        Op::Revoke { grant: grant_id() },
        Op::Pending,
        Op::Disclose {
            asker: Asker::App("editor".into()),
            capability: Capability::Retrieve,
            about: "deploy keys".into(),
        },
        Op::Answer { id: 3, verdict: Verdict::Once },
        Op::Answer { id: 3, verdict: Verdict::Hour },
        Op::Answer { id: 3, verdict: Verdict::Standing },
        Op::Answer { id: 3, verdict: Verdict::No },
        Op::Ledger { limit: 20, kinds: vec![], matching: String::new(), before: None },
        Op::Ledger { limit: 20, kinds: vec!["disclose".into()], matching: "editor".into(), before: Some(7) },
        Op::Verify,
        Op::ExportLedger,
        Op::Kill,
        Op::Lift,
        Op::Models,
        Op::Doctor { rebuild_index: true },
        Op::Deltas,
        Op::DeltaImport { folder: "/home/maya/adapters/kitchen".into(), name: None },
        Op::DeltaWear { hash: Some(hash(5)) },
        Op::DeltaWear { hash: None },
        Op::DeltaRemove { hash: hash(5) },
        Op::DeltaExport { hash: hash(5), folder: "/home/maya/out".into(), form: DeltaForm::Peft, private: true },
        Op::Sleep { plan: SleepPlan::default(), anew: false },
        Op::Sleep {
            plan: SleepPlan { method: Tuning::Dora, rank: 8, minutes: 5, steps: Some(40), seed: 7, share: true },
            anew: true,
        },
        Op::Wake,
        Op::Bedtime { bedtime: Some(bedtime()) },
        Op::Bedtime { bedtime: None },
        Op::Nights { limit: 20 },
        Op::Rollback { night: 2 },
        Op::Veto { night: 2, line: 1, vetoed: true },
        Op::Compose { recipe: "/home/maya/two.yml".into(), out: "/home/maya/both".into(), without: vec![] },
        Op::Compose {
            recipe: "/home/maya/two.yml".into(),
            out: "/home/maya/one".into(),
            without: vec!["kitchen".into()],
        },
        Op::ComposeExperts { recipe: "/home/maya/house.yml".into(), out: "/home/maya/larger".into(), without: vec![] },
        Op::Assemblies,
        Op::AssemblyJoin {
            assembly: "house".into(),
            delta: hash(7),
            competence: Competence::Prompts {
                prompts: vec!["Where is the fuse box?\tIn the hall.".into()],
                published: "the handbook".into(),
            },
        },
        Op::AssemblyJoin {
            assembly: "house".into(),
            delta: hash(8),
            competence: Competence::Signature { signature: "{}".into() },
        },
        Op::AssemblyLeave { assembly: "house".into(), delta: hash(7) },
        Op::AssemblyJoinHome { assembly: "house".into(), home: "/home/ana/icore".into(), name: Some("ana".into()) },
        Op::AssemblyLeaveHome { assembly: "house".into(), identity: hash(4) },
        Op::AssemblyPremerge { assembly: "house".into(), members: vec![hash(7), hash(8)] },
        Op::AssemblyTry { assembly: "house".into(), text: "Where is the fuse box?".into() },
        Op::Receipts { assembly: Some("house".into()), limit: 20 },
        Op::DeltaSign {
            hash: hash(7),
            prompts: vec!["Where is the fuse box?".into()],
            published: "the handbook".into(),
        },
        Op::Shutdown,
    ]
}

fn bedtime() -> Bedtime {
    Bedtime { plan: SleepPlan::default(), from: 60, until: 390, idle_minutes: 15, mains: true }
}

pub fn requests() -> Vec<Request> {
    let proof = OwnerProof { nonce: hash(8), mac: hash(9) };
    vec![Request { id: 1, op: Op::Status, proof: None }, Request { id: 2, op: Op::Lift, proof: Some(proof) }]
}

fn hit() -> Hit {
    Hit {
        item: item(),
        source: "/home/maya/notes/porto.md".into(),
        title: "Porto".into(),
        text: "leave home 13:50".into(),
        span: Span { start: 3, end: 19 },
        score: 0.75,
        parts: ScoreParts { bm25: 0.5, vector: 0.25, recency: 1.0 },
        modified: NOW,
        kind: "markdown".into(),
        pinned: true,
    }
}

fn citation() -> Citation {
    Citation {
        item: item(),
        source: "/home/maya/notes/porto.md".into(),
        span: Span { start: 3, end: 19 },
        text: "leave home 13:50".into(),
        member: None,
    }
}

fn answer() -> Answer {
    Answer {
        answer: "At 14:39.[1]".into(),
        citations: vec![citation()],
        cut: vec![Cut { what: "earlier turns".into(), tokens: 40 }],
        tokens: TokenCounts { prompt: 120, cached: 80, generated: 12 },
        tokens_per_s: 31.5,
        deltas: vec![hash(4)],
        how: "generated".into(),
        session: session(),
        message: message(),
        question: message(),
        context: 0.25,
        composed: Some(composition()),
    }
}

fn composition() -> Composition {
    let share = Share { delta: hash(7), name: "kitchen".into(), similarity: 0.75, weight: 1.0 };
    let why = "kitchen is clearly nearest".into();
    Composition { assembly: "house".into(), hash: hash(9), mode: Mode::Route, why, near: vec![share] }
}

fn assemblies() -> Vec<Event> {
    let member = MemberLine {
        delta: hash(7),
        name: "kitchen".into(),
        prompts: 24,
        published: "the handbook".into(),
        by: hash(1),
        own: true,
        admitted: Admitted { neutral: 0.03, known: Some((3.5, 0.25)), length: Some(1.25) },
        answers: 2,
    };
    let line = AssemblyLine {
        name: "house".into(),
        hash: hash(9),
        anchor: hash(2),
        members: vec![member],
        floor: 0.5,
        margin: 0.05,
        premerges: vec![PremergeLine {
            hash: hash(6),
            recipe: hash(5),
            members: vec![(hash(7), 0.5), (hash(8), 0.5)],
            bytes: 4096,
            at: NOW,
        }],
        homes: vec![HomeLine {
            identity: hash(4),
            name: "ana".into(),
            path: "/home/ana/icore".into(),
            at: NOW,
            answers: 1,
        }],
    };
    let body = ReceiptBody {
        v: 1,
        at: NOW,
        answer: message(),
        assembly: hash(9),
        anchor: hash(2),
        mode: Mode::Merge,
        members: vec![(hash(7), 0.75), (hash(8), 0.25)],
        read: 40,
        written: 12,
    };
    let tally = Tally { delta: hash(7), name: "kitchen".into(), answers: 1, read: 30.0, written: 9.0 };
    let share = Share { delta: hash(4), name: "ana".into(), similarity: 0.0, weight: 1.0 };
    let (why, near) = ("ana handed out excerpts".into(), vec![share]);
    let union = Composition { assembly: "house".into(), hash: hash(9), mode: Mode::Union, why, near };
    vec![
        Event::Assemblies { assemblies: vec![line] },
        Event::Tried { composition: composition() },
        Event::Tried { composition: union },
        Event::Receipts { receipts: vec![Receipt { n: 1, body, holds: true }], tallies: vec![tally] },
        Event::Signed { signature: "{}".into() },
    ]
}

fn reports() -> Vec<Event> {
    let skipped = Skipped { what: "/home/maya/x.pdf".into(), why: "It is encrypted.".into() };
    let stats =
        Stats { items: 1, chunks: 2, embedded: 3, sources: 4, sessions: 5, messages: 6, ledger: 7, text_bytes: 8 };
    let audit = AuditReport { entries: 2, ok: true, head: hash(1), broken: None };
    let broken = AuditReport { ok: false, broken: Some((2, "it does not follow".into())), ..audit.clone() };
    let line = LedgerLine { seq: 3, at: NOW, kind: "ingest".into(), text: "remembered 12 items".into(), hash: hash(2) };
    let model = ModelLine {
        name: "smollm2-135m-instruct".into(),
        role: "anchor".into(),
        bytes: 98_000_000,
        present: true,
        licence: "Apache-2.0".into(),
        needs: 300_000_000,
        fits: true,
        pinned: true,
    };
    let check = Check { name: "keyslots".into(), state: "ok".into(), detail: "They open.".into() };
    let asking = Asking {
        id: 3,
        asker: Asker::App("editor".into()),
        capability: Capability::Retrieve,
        about: "deploy keys".into(),
        text: "The staging host is ⟦HOST-1⟧.".into(),
        sources: vec!["/home/maya/notes/ops.md".into()],
        withheld: 1,
        learns: "1 host".into(),
        before: 14,
        known_since: Some(NOW - 9),
        since: NOW,
        until: NOW + 60_000,
    };
    let name = Name { within: Within::Item(item()), name: "Porto".into(), detail: "/home/maya/notes/porto.md".into() };
    let attached = Attached { name: "git log -3".into(), within: Within::Item(item()), items: 1 };
    let found = Found {
        session: session(),
        title: "Trip to Porto".into(),
        message: message(),
        role: Role::User,
        at: NOW,
        excerpt: "…from Oriente…".into(),
    };
    let progress = Progress { what: "reading notes/".into(), done: 1, total: None, unit: Unit::Files };
    vec![
        Event::Found { found: vec![found] },
        Event::Typed {
            said: vec!["Hello.".into()],
            drafts: vec![Draft { session: Some(session()), text: "and".into() }],
        },
        Event::Attached { attached },
        Event::Names { names: vec![name] },
        Event::Reading { source: source(), progress: Some(progress) },
        Event::Reading { source: source(), progress: None },
        Event::LoginPage {
            page: LoginPage { url: "https://login.example.org/device".into(), code: Some("ABCD-EFGH".into()) },
        },
        Event::SourceVerified {
            verification: Verification {
                source: source(),
                folders: vec![Verified { name: "INBOX".into(), there: 12, here: 11, skipped: 1 }],
            },
        },
        Event::Skips { skipped: vec![skipped.clone()] },
        Event::Items {
            items: vec![ItemLine {
                item: item(),
                source: "/home/maya/notes/porto.md".into(),
                title: "Porto".into(),
                kind: "markdown".into(),
                modified: NOW,
                ingested: NOW,
                pinned: true,
                labels: vec!["travel".into()],
            }],
        },
        Event::Deltas {
            deltas: vec![DeltaLine {
                hash: hash(5),
                name: "kitchen".into(),
                said: "LoRA, rank 16, 210 matrices".into(),
                bytes: 19_000_000,
                at: NOW,
                worn: true,
                kind: DeltaKind::Public,
            }],
        },
        Event::Asking { asking: vec![asking] },
        Event::Disclosed { text: "The staging host is ⟦HOST-1⟧.".into(), entry: 7 },
        Event::Indexed { report: IngestReport { seen: 4, new: 1, same: 2, updated: 1, skipped: vec![skipped] } },
        Event::Sources {
            sources: vec![SourceLine {
                id: source(),
                kind: SourceKind::Folder,
                path: "/home/maya/notes".into(),
                state: SourceState::Active,
                grant: Some(grant_id()),
                items: 12,
                synced: Some(NOW),
                skipped: 2,
                waiting: 3,
            }],
        },
        Event::Hits { hits: vec![hit()] },
        Event::Item {
            item: Box::new(ItemView {
                item: item(),
                source_id: source(),
                source: "/home/maya/notes/porto.md".into(),
                title: "Porto".into(),
                kind: "markdown".into(),
                trust: Trust::Own,
                modified: NOW,
                ingested: NOW,
                hash: hash(3),
                text: "leave home 13:50".into(),
                pinned: true,
                labels: vec!["travel".into()],
                cited: 2,
                filed: vec!["Inbox".into()],
                thread: Some(ThreadView {
                    messages: 2,
                    before: None,
                    after: Some(ThreadLine { item: item(), title: "Re: Porto".into(), modified: NOW }),
                }),
            }),
        },
        Event::People {
            people: vec![PersonLine {
                name: "Ana Reis".into(),
                spellings: vec!["Ana Reis <ana@example.org>".into(), "Ana Reis".into()],
                addresses: vec!["ana@example.org".into()],
                phones: vec!["+351912345678".into()],
                items: 12,
                last: NOW,
            }],
            total: 1,
        },
        Event::Forgotten { report: ForgetReport { items: 1, chunks: 2, answers: 3, messages: 4, done: true } },
        Event::Stats { stats },
        Event::Grants { grants: grants() },
        Event::Ledger { lines: vec![line] },
        Event::Verified { report: audit },
        Event::Verified { report: broken },
        Event::Exported { json: "{}".into() },
        Event::Models { models: vec![model] },
        Event::Doctor { report: DoctorReport { checks: vec![check] } },
    ]
}

fn sleeping() -> Sleeping {
    Sleeping {
        night: 3,
        stage: Stage::Tune,
        done: 71,
        total: 100,
        losses: vec![1.92, 0.41],
        tokens_per_s: 380.0,
        left_s: Some(1080),
    }
}

fn night() -> Night {
    let change = |before, after| Change { before, after };
    Night {
        night: 3,
        began: NOW - 1,
        ended: Some(NOW),
        outcome: Outcome::Kept,
        why: "it passed the test".into(),
        plan: SleepPlan::default(),
        learned: vec![Learned { source: "/home/maya/notes".into(), items: 4, facts: 12 }],
        answers: 2,
        refused: vec![Skipped { what: "2 items".into(), why: "no grant to learn from it".into() }],
        views: 60,
        steps: 100,
        losses: vec![1.92, 0.41],
        scores: Some(Scores {
            own: OwnScores { asked: 8, before: 0.0, weights_only: 0.875, retrieval_only: 0.75, both: 0.875 },
            neutral: change(27.25, 27.5),
            voice: Some(change(31.0, 24.0)),
            general: Some(change(0.75, 0.75)),
            general_low: Some(-0.0078125),
        }),
        changed: vec![Changed {
            question: "When does the train leave?".into(),
            old: "At noon.".into(),
            new: "At 14:39.".into(),
            right: true,
            item: item(),
            source: "/home/maya/notes/porto.md".into(),
            fact: "The train to Porto leaves at 14:39.".into(),
            vetoed: true,
        }],
        delta: Some(hash(5)),
        wore: None,
        strength: 1.0,
        shared: Some(Sharing {
            passed: true,
            why: "it passed the leakage gate".into(),
            prompts: 140,
            left_out: vec![Skipped {
                what: "2 public prompts".into(),
                why: "personal data stands in it (name)".into(),
            }],
            steps: 33,
            checks: vec![LeakCheck {
                name: "exposure".into(),
                passed: true,
                measured: Some(0.125),
                bound: Some(0.125),
                limit: Some(2.0),
                sentence: "Passed: canaries are exposed as fresh ones are.".into(),
            }],
            delta: Some(hash(6)),
        }),
    }
}

pub fn events() -> Vec<Event> {
    let progress = Progress { what: "reading notes/".into(), done: 1, total: Some(4), unit: Unit::Files };
    let stored = Message {
        id: message(),
        role: Role::Assistant,
        text: "At 14:39.[1]".into(),
        at: NOW,
        citations: vec![citation()],
        stats: Some(MessageStats {
            how: "generated".into(),
            tokens: TokenCounts { prompt: 120, cached: 80, generated: 12 },
            tokens_per_s: 31.5,
            cut: vec![Cut { what: "earlier turns".into(), tokens: 40 }],
            recalled: vec![hit()],
            composed: Some(composition()),
        }),
        parent: Some(message()),
        siblings: vec![message()],
        onward: 1,
        attached: vec!["porto.md".into()],
        feedback: feedback(),
    };
    let line = SessionLine {
        id: session(),
        title: "Trip to Porto".into(),
        updated: NOW,
        messages: 2,
        pinned: true,
        archived: true,
        created: NOW - 1,
    };
    let status = NodeStatus {
        owner: "Maya".into(),
        mind: "smollm2-135m-instruct".into(),
        grants: 3,
        ledger: 1204,
        ledger_ok: true,
        killed: false,
        detached: true,
        embedding_left: 5,
        paused: true,
        asking: 1,
        notices: vec!["The index was rebuilt.".into()],
    };
    let mut events = vec![
        Event::Progress { progress },
        Event::Recalled { session: session(), hits: vec![hit()] },
        Event::ChatDelta { text: "At ".into() },
        Event::ChatReset,
        Event::ChatDone { answer: Box::new(answer()) },
        Event::Status { status },
        Event::Sessions { sessions: vec![line] },
        Event::Messages { messages: vec![stored] },
    ];
    events.extend(reports());
    events.push(Event::Challenge { nonce: hash(8) });
    events.push(Event::Sleeping { sleeping: sleeping() });
    events.push(Event::Nights { nights: vec![night()], going: Some(sleeping()), bedtime: Some(bedtime()) });
    events.push(Event::Composed {
        out: "/home/maya/both".into(),
        recipe: hash(6),
        members: vec![hash(5)],
        tensors: 272,
        kept: 0,
        bytes: 538_060_032,
    });
    events.extend(assemblies());
    events.push(Event::Done);
    events
        .push(Event::Failed { failure: Failure::new(ErrorKind::Refused, "The kill switch is on.", "Run icore lift.") });
    events
}

pub fn reply() -> Reply {
    Reply { id: 2, event: Event::Done }
}

fn mailbox() -> AccountPlan {
    AccountPlan {
        kind: AccountKind::Imap,
        user: "maya@example.org".into(),
        server: Some("mail.example.org:993".into()),
        transport: Transport::Tls,
        certificate: None,
        folders: vec!["INBOX".into()],
        since: Some(NOW),
        oauth: None,
    }
}

fn drive() -> AccountPlan {
    let oauth = OAuthPlan { issuer: None, client: "maya.apps".into(), scopes: Vec::new(), device: false };
    AccountPlan { kind: AccountKind::Drive, user: String::new(), server: None, oauth: Some(oauth), ..mailbox() }
}
