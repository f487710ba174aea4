//! `icore sleep`: nights in which the iCore learns from what it may, proves that it got better, or stays as it was.

use clap::{Args, Subcommand, ValueEnum};
use hinet_protocol::{Change, Event, Night, Op, Outcome, SleepPlan, Sleeping, Tuning};
use hinet_tui::app::words::{for_others, outcome};
use hinet_tui::sparkline::sparkline;
use hinet_tui::text::percent;

use super::context::Context;
use super::end::End;
use super::line::{self, Line};
use super::output::{Output, count};
use super::schedule::Schedule;
use super::{clean, moment};

const EXAMPLES: &str = "\
Examples:
  icore consent grant --asker own --capability train --scope all --purpose sleep
  icore sleep run                  (half an hour of tuning at most; Ctrl-C interrupts, the next run goes on)
  icore sleep run --minutes 10 --rank 8
  icore sleep run --share          (and make something for others of it, where nothing of yours comes out of that)
  icore sleep schedule --from 01:00 --until 06:30
  icore sleep history
  icore sleep show 3
  icore sleep veto 2               (what is behind the second changed answer is not learned any more)
  icore sleep rollback 2           (be again as after night 2; 0 is before the first)";

/// Characters of an answer in a report.
const ANSWER_SHOWN: usize = 100;
/// Columns of the curve of losses.
const CURVE: usize = 40;

/// `icore sleep`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sleep {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Low-rank factors
    Lora,
    /// Low-rank factors, and the length of every row apart from its direction
    Dora,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Learn now from what the grants allow, test it, and answer with it where it passes
    Run {
        /// What changes
        #[arg(long, value_enum, default_value = "lora")]
        method: Method,
        /// Its rank
        #[arg(long, default_value_t = 16, value_name = "N")]
        rank: usize,
        /// How long tuning may take; what does not fit waits for another night
        #[arg(long, default_value_t = 30, value_name = "N")]
        minutes: u64,
        /// Exactly so many steps instead, which makes the same bytes each time
        #[arg(long, value_name = "N")]
        steps: Option<u64>,
        /// Decides every draw
        #[arg(long, default_value_t = 0, value_name = "N")]
        seed: u64,
        /// Begin anew, also where a night was interrupted
        #[arg(long)]
        anew: bool,
        /// Also make something that others may have: distilled on public prompts, and kept only where it gives nothing of
        /// yours away. It takes 800 paragraphs that you wrote yourself, half of which are not learned
        #[arg(long)]
        share: bool,
    },
    /// How far the night is that goes on, or how the last one ended
    Status,
    /// Interrupt the night that goes on in a node; the next run goes on with it
    Stop,
    /// List the nights
    History {
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Everything about one night: what it learned from, the test, the answers that changed
    Show {
        /// Which; the last one where it is left out
        #[arg(value_name = "NIGHT")]
        night: Option<u64>,
    },
    /// Have the sentence behind a changed answer not learned from the next night on
    Veto {
        /// The changed answer's number in the report
        #[arg(value_name = "LINE")]
        line: u64,
        /// Of which night; the last one where it is left out
        #[arg(long, value_name = "N")]
        night: Option<u64>,
        /// Let it be learned again
        #[arg(long)]
        back: bool,
    },
    /// Have nights begin by themselves, in hours of yours
    Schedule(Schedule),
    /// Be again as after a night; 0 is before the first
    Rollback {
        /// Which
        #[arg(value_name = "NIGHT")]
        night: u64,
    },
}

impl Sleep {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| {
            let out = &line.context.out;
            match self.what {
                What::Run { method, rank, minutes, steps, seed, anew, share } => {
                    let method = match method {
                        Method::Lora => Tuning::Lora,
                        Method::Dora => Tuning::Dora,
                    };
                    let plan = SleepPlan { method, rank, minutes, steps, seed, share };
                    let (nights, _) = nights(line.one(Op::Sleep { plan, anew }).await?)?;
                    let Some(night) = nights.first() else { return Err(End::unexpected("a night")) };
                    show(out, night)
                }
                What::Status => status(line).await,
                What::Stop => {
                    line.one(Op::Wake).await?;
                    if out.json() {
                        return out.document(&serde_json::json!({ "stopped": true }));
                    }
                    out.line("The night is interrupted; `icore sleep run` goes on with it.")
                }
                What::History { limit } => {
                    let (nights, _) = nights(line.one(Op::Nights { limit }).await?)?;
                    history(out, &nights)
                }
                What::Show { night } => {
                    let limit = if night.is_some() { usize::MAX } else { 1 };
                    let (nights, _) = nights(line.one(Op::Nights { limit }).await?)?;
                    let wanted = nights.iter().find(|it| night.is_none_or(|night| it.night == night));
                    let none = || End::usage("There was no such night.", "`icore sleep history` lists them.");
                    show(out, wanted.ok_or_else(none)?)
                }
                What::Veto { line: number, night, back } => {
                    let (nights, _) = nights(line.one(Op::Nights { limit: 1 }).await?)?;
                    let night = night
                        .or(nights.first().map(|night| night.night))
                        .ok_or_else(|| End::usage("There was no night yet.", "`icore sleep run` begins one."))?;
                    line.one(Op::Veto { night, line: number, vetoed: !back }).await?;
                    if out.json() {
                        return out.document(&serde_json::json!({ "night": night, "line": number, "vetoed": !back }));
                    }
                    out.line(if back {
                        "It may be learned again.".to_owned()
                    } else {
                        "The next night does not learn it. Until then what was learned answers; `icore sleep run` sleeps \
                         again without it."
                            .to_owned()
                    })
                }
                What::Schedule(schedule) => schedule.run(line).await,
                What::Rollback { night } => {
                    line.one(Op::Rollback { night }).await?;
                    if out.json() {
                        return out.document(&serde_json::json!({ "night": night }));
                    }
                    out.line(match night {
                        0 => "The anchor answers as before the first night.".to_owned(),
                        night => format!("The anchor answers as after night {night}."),
                    })
                }
            }
        })
    }
}

fn nights(event: Event) -> Result<(Vec<Night>, Option<Sleeping>), End> {
    match event {
        Event::Nights { nights, going, .. } => Ok((nights, going)),
        _ => Err(End::unexpected("the nights")),
    }
}

async fn status(line: &Line<'_>) -> Result<(), End> {
    let out = &line.context.out;
    let (nights, going) = nights(line.one(Op::Nights { limit: 1 }).await?)?;
    if out.json() {
        return out.document(&serde_json::json!({ "going": going, "last": nights.first() }));
    }
    if let Some(going) = going {
        return out.line(super::meter::night(&going).what + &format!(", {} of {}", going.done, going.total));
    }
    match nights.first() {
        Some(night) if night.outcome == Outcome::Open => out.line(format!(
            "Night {} was interrupted after {}; `icore sleep run` goes on with it.",
            night.night,
            count(night.steps, "step")
        )),
        Some(night) => {
            out.line(summary(night))?;
            night.shared.as_ref().map_or(Ok(()), |shared| out.line(clean::one_line(&for_others(shared))))
        }
        None => {
            out.note("No night yet. `icore sleep run` begins one; `icore sleep --help` says what it needs.");
            Ok(())
        }
    }
}

fn summary(night: &Night) -> String {
    format!("Night {} of {}: {}, {}.", night.night, moment::show(night.began), outcome(night.outcome), night.why)
}

fn history(out: &Output, nights: &[Night]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "nights": nights }));
    }
    if nights.is_empty() {
        out.note("No night yet. `icore sleep run` begins one.");
        return Ok(());
    }
    let row = |night: &Night| {
        let own = night.scores.map(|scores| scores.own).filter(|own| own.asked > 0);
        vec![
            night.night.to_string(),
            moment::show(night.began),
            outcome(night.outcome).to_owned(),
            own.map_or_else(String::new, |own| {
                format!("own facts {} → {}", percent(own.before), percent(own.weights_only))
            }),
            sparkline(&night.losses, CURVE / 2),
            night.delta.map(|hash| hash.to_string().chars().take(12).collect()).unwrap_or_default(),
            night.shared.as_ref().map_or("", |shared| if shared.passed { "shared" } else { "not shared" }).to_owned(),
        ]
    };
    out.table(&nights.iter().map(row).collect::<Vec<_>>())
}

/// The morning report.
fn show(out: &Output, night: &Night) -> Result<(), End> {
    if out.json() {
        return out.document(night);
    }
    out.line(out.bold(&summary(night)))?;
    for learned in &night.learned {
        let (items, facts) = (count(learned.items, "item"), count(learned.facts, "fact"));
        out.line(format!("  learned from {}: {items}, {facts}", clean::one_line(&learned.source)))?;
    }
    if night.answers > 0 {
        out.line(format!("  learned from {} that you took", count(night.answers, "answer")))?;
    }
    for refused in &night.refused {
        out.line(format!("  not from {}: {}", clean::one_line(&refused.what), clean::one_line(&refused.why)))?;
    }
    out.line(format!("  {}, {}", count(night.views, "training text"), count(night.steps, "step")))?;
    if let (Some(first), Some(last)) = (night.losses.first(), night.losses.last()) {
        out.line(format!("  loss {first:.2} {} {last:.2}", sparkline(&night.losses, CURVE)))?;
    }
    if let Some(scores) = &night.scores {
        let own = &scores.own;
        if own.asked > 0 {
            out.line(format!(
                "  your facts ({}): the anchor alone {}, what it learned {}, the memory {}, both {}",
                count(own.asked, "question"),
                percent(own.before),
                percent(own.weights_only),
                percent(own.retrieval_only),
                percent(own.both)
            ))?;
        }
        let change = |name: &str, change: &Change| format!("  {name}: {:.1} → {:.1}", change.before, change.after);
        out.line(change("perplexity of neutral text", &scores.neutral))?;
        if let Some(voice) = &scores.voice {
            out.line(change("perplexity of your own words", voice))?;
        }
        if let (Some(general), Some(low)) = (&scores.general, scores.general_low) {
            out.line(format!(
                "  general questions: {} → {} (95 % certain: at least {:+.1} points)",
                percent(general.before),
                percent(general.after),
                100.0 * low
            ))?;
        }
        if night.outcome == Outcome::Kept && night.strength < 1.0 {
            out.line(format!("  used at {}: all of it would have harmed the rest", percent(night.strength)))?;
        }
    }
    if let Some(shared) = &night.shared {
        out.line(format!("  {}", clean::one_line(&for_others(shared))))?;
        if shared.steps > 0 {
            let prompts = count(shared.prompts, "public prompt");
            out.line(format!("    distilled on {prompts} in {}", count(shared.steps, "step")))?;
        }
        for left_out in &shared.left_out {
            let why = clean::one_line(&left_out.why);
            out.line(format!("    without {}: {why}", clean::one_line(&left_out.what)))?;
        }
        for check in &shared.checks {
            out.line(format!("    {}: {}", check.name, clean::one_line(&check.sentence)))?;
        }
        if let Some(hash) = shared.delta {
            out.line(format!("    {hash}"))?;
        }
    }
    for (at, changed) in night.changed.iter().enumerate() {
        let vetoed = if changed.vetoed { " (vetoed)" } else { "" };
        let mark = if changed.right { "✓" } else { "·" };
        out.line(format!("{:>3} {mark} {}{vetoed}", at + 1, clean::one_line(&changed.question)))?;
        out.line(out.dim(&format!("      before  {}", clean::excerpt(&changed.old, ANSWER_SHOWN))))?;
        out.line(format!("      after   {}", clean::excerpt(&changed.new, ANSWER_SHOWN)))?;
        out.line(out.dim(&format!("      from    {}", clean::one_line(&changed.source))))?;
    }
    Ok(())
}
