//! Reports that somebody made up, and what becomes of hypotheses about them.

use super::super::{Gated, Mode, OptOut, Routed, Shares, Sizes};
use super::*;
use hinet_train::judge::Interval;

/// Questions of each of two packs; all of them say whose fact they ask for.
const EACH: usize = 20;

/// A row in which the first so many questions of each pack are right.
fn row(name: &str, right: usize, neutral: Option<f64>) -> Row {
    let pack = "1".repeat(right) + &"0".repeat(EACH - right);
    let share = f64::from(u32::try_from(right).unwrap()) / 20.0;
    let interval = Interval { mean: share, low: share, high: share, items: 2 * EACH };
    Row {
        name: name.into(),
        choice: share,
        choice_interval: interval,
        exact: share,
        exact_interval: interval,
        neutral,
        by_pack: vec![share; 2],
        by_sort: [].into(),
        chosen: pack.repeat(2),
        recalled: pack.repeat(2),
    }
}

fn report(rows: Vec<Row>) -> Report {
    let shares = Shares { own: 0.0, one: 1.0, few: 0.0 };
    let mode = |row: &Row| Mode { row: row.name.clone(), choice: row.choice, exact: row.exact, ppl: row.neutral };
    Report {
        seed: 2,
        sizes: Sizes::small(),
        tuning: Tuning::Lora,
        packs: vec!["a".into(), "b".into()],
        made_up: true,
        facts: 40,
        questions: 40,
        neutral_tokens: 100,
        anchor: String::new(),
        kernel: String::new(),
        singles: Vec::new(),
        modes: rows.iter().take(1).map(|row| ("mode".to_owned(), mode(row))).collect(),
        rows,
        routed: Routed { right: 1.0, least_inside: 1.0, most_outside: 0.0 },
        gated: Gated { floor: 0.5, margin: 0.1, right: 1.0, questions: shares, sentences: shares },
        sent: Vec::new(),
        asked: vec![[EACH; 2]; 2],
        opt_out: None,
        verdict: None,
    }
}

/// A registration with one hypothesis.
fn registered(hypothesis: &str) -> String {
    format!(
        "tunings = [\"lora\"]\n[seeds]\nchoosing = [1, 2]\ndeciding = [7]\n[least]\npacks = 2\nquestions = 40\n\
         neutral_tokens = 100\n[[hypothesis]]\nid = \"one\"\nsays = \"It is so.\"\n{hypothesis}\n"
    )
}

fn found(hypothesis: &str, report: &Report) -> Finding {
    let verdict = Hypotheses::read(&registered(hypothesis)).unwrap().verdict(report).unwrap();
    assert_eq!(verdict.hypotheses.len(), 1);
    verdict.hypotheses[0].clone()
}

/// What becomes of a single claim about the row `left`.
fn outcome(claim: &str, report: &Report) -> Outcome {
    found(&format!("any = [\"left\"]\nclaims = [{{ {claim} }}]"), report).outcome
}

#[test]
fn each_comparison_passes_and_is_falsified() {
    let report = report(vec![row("right", 10, Some(20.0)), row("left", 18, Some(21.0)), row("twin", 18, Some(21.0))]);
    let cases = [
        (r#"column = "choice", is = "at_least", than = "right", plus = 0.4, test = "point""#, Outcome::Pass),
        (r#"column = "choice", is = "at_least", than = "right", plus = 0.41, test = "point""#, Outcome::Falsified),
        (r#"column = "exact", is = "at_least", than = "right", times = 1.8, test = "point""#, Outcome::Pass),
        (r#"column = "exact", is = "at_least", than = "right", times = 1.9, test = "point""#, Outcome::Falsified),
        (r#"column = "exact", is = "more_than", than = "twin", test = "point""#, Outcome::Falsified),
        (r#"column = "exact", is = "at_least", than = "twin", test = "point""#, Outcome::Pass),
        (r#"column = "ppl", is = "at_most", than = "right", times = 1.05, test = "point""#, Outcome::Pass),
        (r#"column = "ppl", is = "at_most", than = "right", times = 1.04, test = "point""#, Outcome::Falsified),
        (r#"column = "choice", is = "at_least", plus = 0.9, test = "point""#, Outcome::Pass),
        (r#"column = "choice", is = "at_least", plus = 0.91, test = "point""#, Outcome::Falsified),
        // Of forty questions sixteen more are right, which is 0.4 and surely more than 0.2; that it is 0.4 is not sure.
        (r#"column = "choice", is = "more_than", than = "right", plus = 0.2, test = "bootstrap""#, Outcome::Pass),
        (r#"column = "choice", is = "at_least", than = "right", plus = 0.4, test = "bootstrap""#, Outcome::Falsified),
        (r#"column = "exact", is = "at_most", than = "right", times = 4.0, test = "bootstrap""#, Outcome::Pass),
        (r#"column = "exact", is = "at_most", than = "right", times = 1.8, test = "bootstrap""#, Outcome::Falsified),
        (r#"column = "exact", is = "more_than", than = "twin", test = "bootstrap""#, Outcome::Falsified),
        (r#"column = "exact", is = "at_least", than = "twin", test = "bootstrap""#, Outcome::Pass),
        // A mode stands for its row, which is the first one here; and a claim may name another row than the candidate.
        (r#"column = "exact", is = "more_than", than = "mode", test = "bootstrap""#, Outcome::Pass),
        (r#"row = "right", column = "exact", is = "more_than", than = "twin", test = "point""#, Outcome::Falsified),
    ];
    for (claim, expected) in cases {
        assert_eq!(outcome(claim, &report), expected, "{claim}");
    }
}

#[test]
fn what_was_not_measured_is_not_run() {
    let mut report = report(vec![row("left", 18, None)]);
    for claim in [
        r#"column = "exact", is = "more_than", than = "absent", test = "point""#,
        r#"row = "absent", column = "exact", is = "at_least", plus = 0.5, test = "point""#,
        r#"column = "ppl", is = "at_most", plus = 30.0, test = "point""#,
        r#"column = "byte_equal", is = "at_least", plus = 1.0, test = "point""#,
    ] {
        assert_eq!(outcome(claim, &report), Outcome::NotRun, "{claim}");
    }
    let claim = r#"column = "byte_equal", is = "at_least", plus = 1.0, test = "point""#;
    for (byte_equal, expected) in [(true, Outcome::Pass), (false, Outcome::Falsified)] {
        report.opt_out = Some(OptOut { byte_equal });
        assert_eq!(outcome(claim, &report), expected);
    }
}

#[test]
fn one_candidate_is_enough_or_all_have_to_meet_every_claim() {
    let report = report(vec![row("right", 10, None), row("left", 18, None), row("poor", 4, None)]);
    let claims = r#"claims = [
        { column = "choice", is = "more_than", than = "right", test = "bootstrap" },
        { column = "exact", is = "at_least", plus = 0.5, test = "point" },
    ]"#;
    let of = |candidates: &str| found(&format!("{candidates}\n{claims}"), &report);
    assert_eq!(of(r#"any = ["poor", "left"]"#).outcome, Outcome::Pass);
    assert_eq!(of(r#"any = ["poor", "right"]"#).outcome, Outcome::Falsified);
    assert_eq!(of(r#"any = ["poor", "absent"]"#).outcome, Outcome::NotRun);
    assert_eq!(of(r#"any = ["left", "absent"]"#).outcome, Outcome::Pass);
    assert_eq!(of(r#"all = ["poor", "left"]"#).outcome, Outcome::Falsified);
    assert_eq!(of(r#"all = ["poor", "absent"]"#).outcome, Outcome::Falsified);
    assert_eq!(of(r#"all = ["left", "absent"]"#).outcome, Outcome::NotRun);
    assert_eq!(of(r#"all = ["left"]"#).outcome, Outcome::Pass);
    // What decided is said, claim by claim.
    let why = of(r#"any = ["poor", "left"]"#).why;
    assert!(why.contains("left: 0.900 is > 0.500") && why.contains("≥ 0.500") && !why.contains("poor"), "{why}");
}

#[test]
fn reports_that_are_not_the_experiment_get_no_verdict() {
    let claim = r#"column = "choice", is = "at_least", plus = 0.5, test = "point""#;
    let whole = || report(vec![row("left", 18, None)]);
    assert_eq!(outcome(claim, &whole()), Outcome::Pass);
    let spoilt: [fn(&mut Report); 5] = [
        |report| report.tuning = Tuning::Full,
        |report| report.made_up = false,
        |report| report.questions = 39,
        |report| report.neutral_tokens = 99,
        |report| report.packs.truncate(1),
    ];
    for spoil in spoilt {
        let mut report = whole();
        spoil(&mut report);
        assert_eq!(outcome(claim, &report), Outcome::NotRun);
    }
    let eight = format!("members = 8\nany = [\"left\"]\nclaims = [{{ {claim} }}]");
    let found = found(&eight, &whole());
    assert!(found.outcome == Outcome::NotRun && found.why.contains("8 members"), "{found:?}");
}

#[test]
fn what_ships_is_read_and_what_is_broken_is_named() {
    let shipped = Hypotheses::shipped().unwrap();
    let verdict = shipped.verdict(&report(Vec::new())).unwrap();
    assert_eq!((verdict.preregistration.len(), verdict.seed), (64, Use::Choosing));
    assert!(verdict.hypotheses.iter().all(|found| found.outcome == Outcome::NotRun), "{verdict:?}");
    assert!(verdict.hypotheses.len() >= 8);
    for seed in &shipped.registered.seeds.deciding {
        assert!(!shipped.registered.seeds.choosing.contains(seed));
    }

    let refused = |text: &str, word: &str| {
        let error = Hypotheses::read(text).unwrap_err().to_string();
        assert!(error.contains("pre-registration") && error.contains(word), "{error}");
    };
    let claim = r#"{ column = "choice", is = "at_least", plus = 0.5, test = "point" }"#;
    let good = registered(&format!("any = [\"left\"]\nclaims = [{claim}]"));
    Hypotheses::read(&good).unwrap();
    refused("tunings = [", "");
    refused(&good.replace("least]", "most]"), "most");
    refused(&good.replace("\"choice\"", "\"luck\""), "luck");
    refused(&good.replace("any = [\"left\"]", ""), "candidates");
    refused(&good.replace("any = [\"left\"]", "any = [\"left\"]\nall = [\"left\"]"), "candidates");
    refused(&good.replace(claim, ""), "claims");
    refused(&good.replace("\"point\"", "\"bootstrap\""), "draw again");
    refused(&good.replace("0.5", "nan"), "finite");
}
