//! `icore consent`: grants. Giving one shows what it allows and needs fresh proof of the owner; taking one back does not.

use clap::{Args, Subcommand};
use hinet_protocol::{
    Asker, Asking, Capability, Event, Filter, Grant, GrantDraft, GrantId, Limits, Millis, Op, Scope, Verdict,
};
use jiff::Timestamp;

use super::clean;
use super::context::Context;
use super::end::End;
use super::line;
use super::output::Output;
use super::{moment, terms};

const EXAMPLES: &str = "\
Examples:
  icore consent grant --asker app:cursor --capability converse --scope folder:~/work \\
      --purpose 'coding help'
  icore consent grant --asker app:backup --capability retrieve --scope label:work,topic:invoices \\
      --purpose taxes --expires 30d --uses-per-hour 60
  icore consent list
  icore consent pending
  icore consent answer 1 once
  icore consent revoke 0199f3a2-…";

/// `icore consent`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Consent {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List grants, newest first
    List {
        /// Also those that were revoked or have run out
        #[arg(long)]
        all: bool,
    },
    /// Give a grant; needs fresh proof that you are the owner
    Grant(Box<Give>),
    /// Take a grant back, at once
    Revoke {
        /// The grant's id, as list prints it
        #[arg(value_name = "ID")]
        grant: GrantId,
    },
    /// Show what is waiting for your decision, byte for byte
    Pending,
    /// Decide what is waiting; all but `no` needs fresh proof that you are the owner
    Answer {
        /// Its number, as pending prints it
        #[arg(value_name = "ID")]
        id: u64,
        /// once: these bytes; hour, standing: this asker, from these sources, for an hour or until revoked; no: nothing
        #[arg(value_name = "VERDICT", value_parser = verdict)]
        verdict: Verdict,
    },
}

/// `icore consent grant`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Give {
    /// Who: own, app:NAME, peer:HEX, backend:HEX or replica:NAME
    #[arg(long, value_name = "ASKER", value_parser = terms::asker)]
    asker: Asker,
    /// What: ingest, converse, retrieve, train, compose, compute or replicate
    #[arg(long, value_name = "CAPABILITY", value_parser = terms::capability)]
    capability: Capability,
    /// On what: all, source:ID, folder:PATH, label:…, person:…, topic:…, after:TIME, before:TIME; comma separated or
    /// given several times
    #[arg(long, value_name = "SCOPE", required = true, value_parser = terms::scope)]
    scope: Vec<Scope>,
    /// What for, in your words
    #[arg(long, value_name = "WORDS")]
    purpose: String,
    /// When it ends: a date, a time or a span such as 30d
    #[arg(long, value_name = "TIME", value_parser = moment::ahead)]
    expires: Option<Millis>,
    /// At most so many uses in all
    #[arg(long, value_name = "N")]
    uses: Option<u64>,
    /// At most so many uses an hour
    #[arg(long, value_name = "N")]
    uses_per_hour: Option<u32>,
    /// At most so many bytes released in all
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// Kinds of personal data to take out: secret, email, iban, card, host, id, phone, birth, address, name; `*` is all
    /// of them, `none` none [default: all but name]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    withhold: Vec<String>,
    /// Drop a sentence with something to take out, instead of putting a placeholder in
    #[arg(long)]
    drop_sentences: bool,
}

impl Consent {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let out = &context.out;
        match self.what {
            What::List { all } => line::with(context, async |line| {
                let mut grants = grants(line.one(Op::Grants).await?)?;
                let now = Timestamp::now().as_millisecond();
                grants.retain(|grant| all || standing(grant, now).is_none());
                list(out, &grants, "There are no standing grants.")
            }),
            What::Pending => line::with(context, async |line| {
                let Event::Asking { asking } = line.one(Op::Pending).await? else {
                    return Err(End::unexpected("what is waiting"));
                };
                waiting(out, &asking)
            }),
            What::Answer { id, verdict } => line::with(context, async |line| {
                let op = Op::Answer { id, verdict };
                if verdict == Verdict::No {
                    line.one(op).await?
                } else {
                    line.prove(op).await?
                };
                if out.json() {
                    return out.document(&serde_json::json!({ "id": id, "verdict": verdict }));
                }
                out.line(match verdict {
                    Verdict::No => "Refused: nothing left.",
                    Verdict::Once => "Those bytes were disclosed, this once.",
                    Verdict::Hour => "Those bytes were disclosed; the grant runs out in an hour.",
                    Verdict::Standing => "Those bytes were disclosed; the grant stands until you revoke it.",
                })
            }),
            What::Revoke { grant } => line::with(context, async |line| {
                line.one(Op::Revoke { grant }).await?;
                if out.json() {
                    return out.document(&serde_json::json!({ "revoked": grant }));
                }
                out.line(format!("The grant {grant} is taken back."))
            }),
            What::Grant(give) => {
                let draft = give.draft()?;
                out.note(format!("You are about to allow:\n{}", sentences(&draft)));
                line::with(context, async |line| {
                    let mut given = grants(line.prove(Op::Grant { draft }).await?)?;
                    let Some(grant) = given.pop() else { return Err(End::unexpected("a grant")) };
                    if out.json() {
                        return out.document(&grant);
                    }
                    out.line(format!("Granted, as {}.", grant.id))?;
                    out.note(format!("`icore consent revoke {}` takes it back.", grant.id));
                    Ok(())
                })
            }
        }
    }
}

impl Give {
    fn draft(self) -> Result<GrantDraft, End> {
        let purpose = clean::one_line(&self.purpose);
        if purpose.is_empty() {
            return Err(End::usage("A grant without a purpose is not given.", "Say with --purpose what it is for."));
        }
        let mut scope = Scope::default();
        self.scope.into_iter().for_each(|more| terms::join(&mut scope, more));
        let withhold = match self.withhold.as_slice() {
            [] => Filter::default().withhold,
            [none] if none == "none" => Vec::new(),
            _ => self.withhold,
        };
        Ok(GrantDraft {
            asker: self.asker,
            capability: self.capability,
            scope,
            filter: Filter { withhold, placeholders: !self.drop_sentences },
            limits: Limits {
                expires: self.expires,
                uses: self.uses,
                uses_per_hour: self.uses_per_hour,
                bytes: self.bytes,
            },
            purpose,
        })
    }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    match text {
        "once" => Ok(Verdict::Once),
        "hour" => Ok(Verdict::Hour),
        "standing" => Ok(Verdict::Standing),
        "no" => Ok(Verdict::No),
        _ => Err("an answer is once, hour, standing or no".into()),
    }
}

/// What waits, with exactly what would leave.
fn waiting(out: &Output, asking: &[Asking]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "asking": asking }));
    }
    if asking.is_empty() {
        out.note("Nothing is waiting for your decision.");
    }
    for one in asking {
        let asker = out.bold(&clean::one_line(&one.asker.to_string()));
        out.line(format!("{}  {asker} asks to {}: {}", one.id, one.capability, clean::one_line(&one.about)))?;
        out.line(out.dim(&format!("    from {}", clean::one_line(&one.sources.join(", ")))))?;
        out.line(out.dim(&format!("    {}; {} before; until {}", one.learns, one.before, moment::show(one.until))))?;
        out.line(out.dim(&format!("    these {} bytes would leave:", one.text.len())))?;
        for line in one.text.lines() {
            out.line(format!("    | {line}"))?;
        }
    }
    Ok(())
}

fn grants(event: Event) -> Result<Vec<Grant>, End> {
    match event {
        Event::Grants { grants } => Ok(grants),
        _ => Err(End::unexpected("grants")),
    }
}

/// Why a grant no longer stands, if it does not.
fn standing(grant: &Grant, now: Millis) -> Option<String> {
    if let Some(at) = grant.revoked {
        return Some(format!("revoked {}", moment::show(at)));
    }
    grant.terms.limits.expires.filter(|at| *at <= now).map(|at| format!("ran out {}", moment::show(at)))
}

/// What a draft comes to, in full.
fn sentences(draft: &GrantDraft) -> String {
    let withheld = match draft.filter.withhold.as_slice() {
        [] => "nothing".to_owned(),
        kinds if *kinds == Filter::default().withhold => "personal data that is recognised, names aside".to_owned(),
        kinds if kinds.iter().any(|kind| kind == "*") => "all personal data that is recognised".to_owned(),
        kinds => kinds.join(", "),
    };
    let lines = [
        ("who", draft.asker.to_string()),
        ("what", draft.capability.to_string()),
        ("on", terms::show_scope(&draft.scope)),
        ("taken out", withheld),
        ("limits", limits(&draft.limits)),
        ("for", draft.purpose.clone()),
    ];
    lines.map(|(name, text)| format!("  {name:<10} {}", clean::one_line(&text))).join("\n")
}

fn limits(limits: &Limits) -> String {
    let parts = [
        limits.expires.map(|at| format!("until {}", moment::show(at))),
        limits.uses.map(|n| format!("{n} uses")),
        limits.uses_per_hour.map(|n| format!("{n} uses an hour")),
        limits.bytes.map(|n| format!("{n} bytes")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "until you revoke it".into() } else { parts.join(", ") }
}

fn list(out: &Output, grants: &[Grant], none: &str) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "grants": grants }));
    }
    if grants.is_empty() {
        out.note(none);
    }
    let now = Timestamp::now().as_millisecond();
    for grant in grants {
        let terms = &grant.terms;
        let state = standing(grant, now).unwrap_or_else(|| limits(&terms.limits));
        out.line(format!(
            "{}  {} may {}",
            grant.id,
            out.bold(&clean::one_line(&terms.asker.to_string())),
            terms.capability
        ))?;
        out.line(format!("    on {}", clean::one_line(&terms::show_scope(&terms.scope))))?;
        let purpose = clean::one_line(&terms.purpose);
        out.line(out.dim(&format!("    {purpose}; since {}; {state}", moment::show(grant.granted))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_said_in_full() {
        let draft = GrantDraft {
            asker: Asker::App("cursor".into()),
            capability: Capability::Converse,
            scope: terms::scope("label:work").unwrap(),
            filter: Filter::default(),
            limits: Limits { uses: Some(3), ..Limits::default() },
            purpose: "coding help".into(),
        };
        assert_eq!(
            sentences(&draft),
            "  who        app:cursor\n  what       converse\n  on         label:work\n  \
             taken out  personal data that is recognised, names aside\n  limits     3 uses\n  for        coding help"
        );
    }
}
