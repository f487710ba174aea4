//! `icore memory`: what is remembered, and making it forget.

use clap::{ArgGroup, Args, Subcommand};
use hinet_protocol::{
    Event, ForgetReport, ForgetTarget, Hit, ItemId, ItemLine, ItemView, Millis, Op, ScoreParts, SourceId, Stats, Trust,
};
use serde::Serialize;

use super::clean;
use super::context::Context;
use super::end::End;
use super::line::{self, Line};
use super::output::{Output, count, grouped, size};
use super::people::People;
use super::{moment, prompt};

/// Characters of a hit's text that a list shows.
const HIT_CHARS: usize = 200;

const EXAMPLES: &str = "\
Examples:
  icore memory search deploy keys -k 5
  icore memory search 'from:ana after:2026-03 \"the late train\"'
  icore memory timeline label:work
  icore memory show 0199f3a2-…
  icore memory people ana
  icore memory forget --item 0199f3a2-…
  icore memory forget --from 2026-03-01 --to 2026-04-01 --dry-run";

/// `icore memory`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Memory {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Find passages by their words and their meaning; from:, source:, before:, after:, type:, label:, is:pinned and
    /// "an exact phrase" confine the search
    Search {
        /// What to look for
        #[arg(value_name = "QUERY", required = true)]
        query: Vec<String>,
        /// How many hits at most
        #[arg(short = 'k', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=200))]
        k: u16,
    },
    /// Show an item with its text
    Show {
        /// The item's id, as search prints it
        #[arg(value_name = "ITEM")]
        item: ItemId,
    },
    /// List items by when they were last changed, newest first; confined as a search is
    Timeline {
        /// Operators, and words that must occur
        #[arg(value_name = "QUERY")]
        query: Vec<String>,
        /// How many items at most, beside the pinned ones
        #[arg(short = 'k', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        k: u16,
    },
    /// Pin an item: it comes first in the timeline and a little higher in a search
    Pin {
        /// The item's id
        #[arg(value_name = "ITEM")]
        item: ItemId,
        /// Take the pin away
        #[arg(long)]
        off: bool,
    },
    /// Give an item these labels in place of those it has; without any, take them away
    Label {
        /// The item's id
        #[arg(value_name = "ITEM")]
        item: ItemId,
        /// The labels
        #[arg(value_name = "LABEL")]
        labels: Vec<String>,
    },
    /// Who is who, with all spellings and addresses; merge, split and undo put it right
    People(People),
    /// Take nothing new in until it is resumed: no source is read or watched; what is remembered is still found
    Pause,
    /// Read and watch again
    Resume,
    /// Forget an item, a source or a span of time, for good
    Forget(Forget),
    /// Count what is remembered
    Stats,
}

/// Whether to ask before something goes for good.
#[derive(Debug, Clone, Copy, Args)]
pub struct Sure {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

/// `icore memory forget`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).multiple(true).args(["item", "source", "from", "to"]))]
#[command(after_help = FORGET, override_usage = USAGE)]
struct Forget {
    /// One item
    #[arg(long, value_name = "ITEM", conflicts_with_all = ["source", "from", "to"])]
    item: Option<ItemId>,
    /// A source and everything that came from it
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    source: Option<SourceId>,
    /// What changed or was said at this time or later: 2026-03-01, 2026-03-01T09:30, or 7d for a week ago
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    from: Option<Millis>,
    /// … and before this time
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    to: Option<Millis>,
    #[command(flatten)]
    sure: Sure,
}

const USAGE: &str = "icore memory forget [OPTIONS] (--item ITEM | --source ID | --from TIME --to TIME)";
const FORGET: &str = "\
When the command returns, the text, its chunks, vectors and index entries, cached prompts and every stored answer that \
quotes it are gone. Your own files are never touched. It cannot be undone.";

impl Memory {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let out = &context.out;
        line::with(context, async |line| match self.what {
            What::Search { query, k } => {
                let op = Op::Search { query: query.join(" "), k: usize::from(k) };
                let Event::Hits { hits } = line.one(op).await? else { return Err(End::unexpected("a search")) };
                list(out, &hits)
            }
            What::Show { item } => {
                let Event::Item { item } = line.one(Op::Show { item }).await? else {
                    return Err(End::unexpected("an item"));
                };
                show(out, &item)
            }
            What::Timeline { query, k } => {
                let op = Op::Timeline { query: query.join(" "), before: None, limit: usize::from(k) };
                let Event::Items { items } = line.one(op).await? else { return Err(End::unexpected("a timeline")) };
                timeline(out, &items)
            }
            What::Pin { item, off } => mark(line, Op::Mark { item, pinned: Some(!off), labels: None }).await,
            What::Label { item, labels } => mark(line, Op::Mark { item, pinned: None, labels: Some(labels) }).await,
            What::People(people) => people.run(line).await,
            What::Pause => pause(line, true).await,
            What::Resume => pause(line, false).await,
            What::Forget(forget) => forget.run(line).await,
            What::Stats => {
                let Event::Stats { stats } = line.one(Op::Stats).await? else { return Err(End::unexpected("counts")) };
                totals(out, &stats)
            }
        })
    }
}

impl Forget {
    async fn run(self, line: &Line<'_>) -> Result<(), End> {
        let (target, what) = match (self.item, self.source) {
            (Some(item), _) => (ForgetTarget::Item { item }, format!("the item {item}")),
            (_, Some(source)) => (ForgetTarget::Source { source }, format!("the source {source}")),
            _ => {
                let (from, to) = (self.from.unwrap_or(moment::FIRST), self.to.unwrap_or(moment::LAST));
                if from >= to {
                    return Err(End::usage("The time ends before it begins.", "--from must be earlier than --to."));
                }
                (ForgetTarget::Time { from, to }, span(self.from, self.to))
            }
        };
        forget(line, target, &what, self.sure).await
    }
}

/// A span of time in words.
fn span(from: Option<Millis>, to: Option<Millis>) -> String {
    let words =
        [from.map(|at| format!("from {}", moment::show(at))), to.map(|at| format!("before {}", moment::show(at)))];
    format!("everything {}", words.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}

/// Says what would go, asks once, and makes it go.
pub async fn forget(line: &Line<'_>, target: ForgetTarget, what: &str, sure: Sure) -> Result<(), End> {
    let out = &line.context.out;
    if !sure.yes {
        let preview = forgotten(line, target.clone(), true).await?;
        if sure.dry_run {
            return report(out, what, &preview);
        }
        if !out.can_ask() {
            return Err(End::usage(
                format!("Forgetting {what} cannot be undone, and there is no terminal to ask in."),
                "Add --yes to do it, or --dry-run to see what would go.",
            ));
        }
        prompt::say(&format!("This forgets {what}: {}. Your files stay.", amounts(&preview)));
        if !prompt::confirm("Forget it for good?")? {
            out.note("Nothing was forgotten.");
            return Err(End::Said(1));
        }
    }
    let done = forgotten(line, target, false).await?;
    report(out, what, &done)
}

async fn forgotten(line: &Line<'_>, target: ForgetTarget, dry_run: bool) -> Result<ForgetReport, End> {
    match line.one(Op::Forget { target, dry_run }).await? {
        Event::Forgotten { report } => Ok(report),
        _ => Err(End::unexpected("forgetting")),
    }
}

fn amounts(report: &ForgetReport) -> String {
    let verb = if report.answers == 1 { "quotes" } else { "quote" };
    let them = if report.items == 1 { "it" } else { "them" };
    let mut said = format!(
        "{}, {}, {} that {verb} {them}",
        count(report.items, "item"),
        count(report.chunks, "chunk"),
        count(report.answers, "stored answer")
    );
    if report.messages > 0 {
        said.push_str(&format!(", {}", count(report.messages, "message")));
    }
    said
}

fn report(out: &Output, what: &str, report: &ForgetReport) -> Result<(), End> {
    if out.json() {
        return out.document(report);
    }
    let verb = if report.done { "Forgot" } else { "Would forget" };
    out.line(format!("{verb} {what}: {}.", amounts(report)))
}

/// `icore memory search --json`: exactly what scripts were promised, whatever else a hit carries.
#[derive(Serialize)]
struct Found<'a> {
    hits: Vec<HitLine<'a>>,
}

#[derive(Serialize)]
struct HitLine<'a> {
    item: ItemId,
    source: &'a str,
    title: &'a str,
    text: &'a str,
    score: f32,
    parts: ScoreParts,
}

impl<'a> From<&'a Hit> for HitLine<'a> {
    fn from(hit: &'a Hit) -> Self {
        let Hit { item, source, title, text, score, parts, .. } = hit;
        Self { item: *item, source, title, text, score: *score, parts: *parts }
    }
}

fn list(out: &Output, hits: &[Hit]) -> Result<(), End> {
    if out.json() {
        return out.document(&Found { hits: hits.iter().map(HitLine::from).collect() });
    }
    if hits.is_empty() {
        out.note("Nothing in your memory comes close to that.");
    }
    for (n, hit) in hits.iter().enumerate() {
        let title = clean::one_line(&hit.title);
        out.line(format!(
            "{} {}",
            out.bold(&format!("{:>2}  {title}", n + 1)),
            out.dim(&clean::one_line(&hit.source))
        ))?;
        out.line(format!("    {}", clean::excerpt(&hit.text, HIT_CHARS)))?;
        let parts = &hit.parts;
        out.line(out.dim(&format!(
            "    words {:.2}  meaning {:.2}  recent {:.2}  {}  item {}",
            parts.bm25,
            parts.vector,
            parts.recency,
            moment::show(hit.modified),
            hit.item
        )))?;
    }
    Ok(())
}

async fn mark(line: &Line<'_>, op: Op) -> Result<(), End> {
    let Event::Item { item } = line.one(op).await? else { return Err(End::unexpected("an item")) };
    let out = &line.context.out;
    if out.json() {
        return out.document(&serde_json::json!({ "item": item.item, "pinned": item.pinned, "labels": item.labels }));
    }
    out.line(format!("{}{}", clean::one_line(&item.title), marks(item.pinned, &item.labels)))
}

async fn pause(line: &Line<'_>, paused: bool) -> Result<(), End> {
    line.one(Op::MemoryPause { paused }).await?;
    let out = &line.context.out;
    if out.json() {
        return out.document(&serde_json::json!({ "paused": paused }));
    }
    out.line(if paused {
        "Remembering is paused: nothing new is taken in. `icore memory resume` goes on."
    } else {
        "Remembering goes on."
    })
}

/// What the owner said about an item, to follow its title.
fn marks(pinned: bool, labels: &[String]) -> String {
    let pin = if pinned { "  pinned" } else { "" };
    let labels: String = labels.iter().map(|label| format!("  [{}]", clean::one_line(label))).collect();
    format!("{pin}{labels}")
}

fn timeline(out: &Output, items: &[ItemLine]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "items": items }));
    }
    if items.is_empty() {
        out.note("Nothing in your memory is like that.");
    }
    for item in items {
        let title = out.bold(&clean::one_line(&item.title));
        out.line(format!("{}  {title}{}", moment::show(item.modified), marks(item.pinned, &item.labels)))?;
        out.line(out.dim(&format!("    {}  item {}", clean::one_line(&item.source), item.item)))?;
    }
    Ok(())
}

fn show(out: &Output, item: &ItemView) -> Result<(), End> {
    if out.json() {
        return out.document(item);
    }
    let trust = match item.trust {
        Trust::Own => "your own",
        Trust::Untrusted => "someone else's words",
    };
    out.line(format!("{}{}", out.bold(&clean::one_line(&item.title)), marks(item.pinned, &item.labels)))?;
    out.line(out.dim(&clean::one_line(&item.source)))?;
    let (modified, ingested) = (moment::show(item.modified), moment::show(item.ingested));
    let facts = format!("{}, {trust}; changed {modified}, remembered {ingested}", item.kind);
    out.line(out.dim(&facts))?;
    if !item.filed.is_empty() {
        out.line(out.dim(&format!("filed under {}", clean::one_line(&item.filed.join(", ")))))?;
    }
    if let Some(thread) = &item.thread {
        out.line(out.dim(&clean::one_line(&hinet_tui::thread::said(thread))))?;
    }
    out.line(out.dim(&format!("item {} of source {}", item.item, item.source_id)))?;
    out.line("")?;
    out.line(item.text.trim_end())
}

fn totals(out: &Output, stats: &Stats) -> Result<(), End> {
    if out.json() {
        return out.document(stats);
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let embedded = match stats.chunks.saturating_sub(stats.embedded) {
        0 if stats.chunks == 0 => String::new(),
        0 => ", all with vectors".to_owned(),
        left => format!(", {} still without a vector", grouped(left)),
    };
    out.table(&[
        row("items", grouped(stats.items)),
        row("text", size(stats.text_bytes)),
        row("chunks", format!("{}{embedded}", grouped(stats.chunks))),
        row("sources", grouped(stats.sources)),
        row("conversations", format!("{}, {}", grouped(stats.sessions), count(stats.messages, "message"))),
        row("ledger entries", grouped(stats.ledger)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_full() {
        let one = ForgetReport { items: 1, chunks: 1, answers: 1, messages: 0, done: true };
        assert_eq!(amounts(&one), "1 item, 1 chunk, 1 stored answer that quotes it");
        let more = ForgetReport { items: 2, chunks: 3, answers: 2, messages: 4, done: true };
        assert_eq!(amounts(&more), "2 items, 3 chunks, 2 stored answers that quote them, 4 messages");
    }
}
