//! How well the memory finds evidence, as tables.

use hinet_node::retrieval::{Recall, Report};
use std::fmt::Write as _;

/// The tables of a run, as text for people.
#[must_use]
pub fn tables(report: &Report) -> String {
    let mut out = format!(
        "{} dialogues in one memory: {} turns in {} passages. Recall of the evidence within 1, 5, 10, 20 turns:\n",
        report.dialogues, report.turns, report.passages
    );
    for row in &report.rows {
        line(&mut out, &row.name, &row.all);
    }
    if let Some(whole) = report.rows.first() {
        out.push_str("By category, with everything:\n");
        for (name, recall) in &whole.categories {
            line(&mut out, name, recall);
        }
        out.push_str("By dialogue, with everything:\n");
        for (name, recall) in &whole.dialogues {
            line(&mut out, name, recall);
        }
    }
    let _ = writeln!(out, "Refusing: {:.3} of what can be answered is refused.", report.false_refusals);
    for refusal in &report.refusals {
        let _ = writeln!(
            out,
            "  {:<40} {} questions: AUROC {:.3}, {:.3} refused at 0.1 false refusals, {:.3} by the chat",
            refusal.name, refusal.questions, refusal.auroc, refusal.refused_at_tenth, refusal.refused
        );
    }
    let seconds: Vec<String> = report.seconds.iter().map(|(what, s)| format!("{what} {s:.1} s")).collect();
    let _ = write!(out, "({})", seconds.join(", "));
    out
}

fn line(out: &mut String, name: &str, recall: &Recall) {
    let [one, five, ten, twenty] = recall.at;
    let _ = writeln!(out, "  {name:<40} {one:.3} {five:.3} {ten:.3} {twenty:.3}  ({} questions)", recall.questions);
}
