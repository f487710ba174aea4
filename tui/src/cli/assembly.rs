//! `icore assembly`: deltas that answer together where the memory cannot, who answered what, and how one leaves.

use clap::{Args, Subcommand};
use hinet_protocol::{
    AssemblyLine, Competence, Composition, Event, MemberLine, Mode, Op, PremergeLine, Receipt, Tally,
};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::end::End;
use super::line::{self, Line};
use super::output::{Output, count, grouped};
use super::{clean, delta, moment};

const EXAMPLES: &str = "\
Examples:
  icore delta import ~/from-ana/kitchen
  icore assembly add house kitchen --about kitchen.txt --published \"the house's handbook\"
  icore assembly add house garden --signature ~/from-tom/garden.json
  icore assembly try house Where is the fuse box?      (who would answer, and why)
  icore ask --assembly house Where is the fuse box?
  icore assembly premerge house --member kitchen --member garden
  icore assembly leave house kitchen
  icore assembly receipts

A file for --about has a public question or sentence on each line, at least five; what is to be answered may stand
behind a tab, and the member must then answer better than the anchor does.";

/// Bytes read from a file of prompts or a signature.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Receipts that are listed.
const LISTED: usize = 20;

/// `icore assembly`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Assembly {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the assemblies
    List,
    /// Say who takes part in one, what each knows and what its test found
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        assembly: String,
    },
    /// Test a delta and have it take part; the assembly is made where there is none of that name
    Add {
        /// The assembly's name
        #[arg(value_name = "NAME")]
        assembly: String,
        /// The delta's name, or the beginning of its hash
        #[arg(value_name = "DELTA", required_unless_present = "member_home", conflicts_with = "member_home")]
        delta: Option<String>,
        /// A file of public prompts about what it knows; `-` reads it from stdin
        #[arg(
            long,
            value_name = "FILE",
            required_unless_present_any = ["signature", "member_home"],
            conflicts_with_all = ["signature", "member_home"]
        )]
        about: Option<PathBuf>,
        /// Where these prompts are published
        #[arg(
            long,
            value_name = "WHERE",
            required_unless_present_any = ["signature", "member_home"],
            conflicts_with_all = ["signature", "member_home"]
        )]
        published: Option<String>,
        /// The signature that its owner made with `icore delta sign`, instead of prompts
        #[arg(long, value_name = "FILE", conflicts_with = "member_home")]
        signature: Option<PathBuf>,
        /// Instead of a delta another home on this machine, whose node is running: it answers by excerpts that its owner
        /// grants to this home's identity
        #[arg(long, value_name = "DIR")]
        member_home: Option<PathBuf>,
        /// What to call that home; its folder's name where nothing is said
        #[arg(long, value_name = "NAME", requires = "member_home")]
        called: Option<String>,
    },
    /// Have a member leave: the assembly is then one that never had it
    Leave {
        /// The assembly's name
        #[arg(value_name = "NAME")]
        assembly: String,
        /// The delta's name or the beginning of its hash, or what another home is called
        #[arg(value_name = "MEMBER")]
        delta: String,
    },
    /// Make one delta of several members, which answers where exactly these would be mixed, and goes with whoever leaves
    Premerge {
        /// The assembly's name
        #[arg(value_name = "NAME")]
        assembly: String,
        /// A member, by its delta's name or the beginning of its hash; once for each. Where none is named, those that were
        /// mixed most often, else all
        #[arg(long = "member", value_name = "DELTA")]
        members: Vec<String>,
    },
    /// Say who would answer a question, and why; nothing is answered
    Try {
        /// The assembly's name
        #[arg(value_name = "NAME")]
        assembly: String,
        /// The question
        #[arg(value_name = "QUESTION", required = true)]
        question: Vec<String>,
    },
    /// The signed receipts of what was answered, and what they add up to for each member
    Receipts {
        /// Only of this assembly, as it is now
        #[arg(value_name = "NAME")]
        assembly: Option<String>,
        /// So many are listed; all are added up
        #[arg(long, value_name = "N", default_value_t = LISTED)]
        limit: usize,
    },
}

impl Assembly {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| {
            let out = &line.context.out;
            match self.what {
                What::List => list(out, &all(line).await?),
                What::Show { assembly } => {
                    let all = all(line).await?;
                    let found = all.iter().find(|line| line.name == assembly).ok_or_else(|| {
                        End::usage(format!("There is no assembly {assembly}."), "`icore assembly list` shows them.")
                    })?;
                    show(out, found)
                }
                What::Add { assembly, member_home: Some(home), called, .. } => {
                    let home = std::path::absolute(&home).unwrap_or(home).display().to_string();
                    let op = Op::AssemblyJoinHome { assembly, home, name: called };
                    let said = assemblies(line.one(op).await?)?;
                    show(out, said.first().ok_or_else(|| End::unexpected("an assembly"))?)?;
                    out.note("It hands out what its owner grants there: `icore consent grant --help`.");
                    Ok(())
                }
                What::Add { assembly, delta, about, published, signature, .. } => {
                    let delta = delta.unwrap_or_default();
                    let competence = match (&about, &signature) {
                        (_, Some(file)) => Competence::Signature { signature: read(file, out)? },
                        (Some(file), None) => Competence::Prompts {
                            prompts: prompts(&read(file, out)?),
                            published: published.unwrap_or_default(),
                        },
                        (None, None) => return Err(End::usage("Nothing says what it knows.", "Give --about FILE.")),
                    };
                    let delta = delta::find(line, &delta).await?.hash;
                    let said = line.one(Op::AssemblyJoin { assembly, delta, competence }).await?;
                    let assemblies = assemblies(said)?;
                    let made = assemblies.first().ok_or_else(|| End::unexpected("an assembly"))?;
                    show(out, made)?;
                    out.note(format!("`icore ask --assembly {} …` asks it.", clean::one_line(&made.name)));
                    Ok(())
                }
                What::Leave { assembly, delta } => {
                    let here = all(line).await?;
                    let mut homes = here.iter().filter(|line| line.name == assembly).flat_map(|line| &line.homes);
                    if let Some(home) = homes.find(|home| home.name == delta) {
                        let (identity, name) = (home.identity, clean::one_line(&home.name));
                        let op = Op::AssemblyLeaveHome { assembly: assembly.clone(), identity };
                        let left = assemblies(line.one(op).await?)?;
                        if out.json() {
                            let rest = left.iter().find(|line| line.name == assembly);
                            return out.document(&serde_json::json!({ "left": identity, "assembly": rest }));
                        }
                        return out.line(format!("{name} has left {assembly}; it is not asked any more."));
                    }
                    let delta = delta::find(line, &delta).await?;
                    let left = assemblies(
                        line.one(Op::AssemblyLeave { assembly: assembly.clone(), delta: delta.hash }).await?,
                    )?;
                    let rest = left.iter().find(|line| line.name == assembly);
                    if out.json() {
                        return out.document(&serde_json::json!({ "left": delta.hash, "assembly": rest }));
                    }
                    let name = clean::one_line(&delta.name);
                    out.line(match rest {
                        Some(rest) => {
                            let many = count(rest.members.len() as u64, "member");
                            format!(
                                "{name} has left {assembly}, which has {many} now and the hash {}.",
                                short(&rest.hash)
                            )
                        }
                        None => format!("{name} has left {assembly}; nobody takes part any more, so there is none."),
                    })
                }
                What::Premerge { assembly, members } => {
                    let mut deltas = Vec::with_capacity(members.len());
                    for member in &members {
                        deltas.push(delta::find(line, member).await?.hash);
                    }
                    let said = assemblies(line.one(Op::AssemblyPremerge { assembly, members: deltas }).await?)?;
                    show(out, said.first().ok_or_else(|| End::unexpected("an assembly"))?)
                }
                What::Try { assembly, question } => {
                    let op = Op::AssemblyTry { assembly, text: question.join(" ") };
                    let Event::Tried { composition } = line.one(op).await? else {
                        return Err(End::unexpected("a composition"));
                    };
                    tried(out, &composition)
                }
                What::Receipts { assembly, limit } => {
                    let Event::Receipts { receipts, tallies } = line.one(Op::Receipts { assembly, limit }).await?
                    else {
                        return Err(End::unexpected("receipts"));
                    };
                    said(out, &receipts, &tallies)
                }
            }
        })
    }
}

fn assemblies(event: Event) -> Result<Vec<AssemblyLine>, End> {
    match event {
        Event::Assemblies { assemblies } => Ok(assemblies),
        _ => Err(End::unexpected("the list of assemblies")),
    }
}

async fn all(line: &Line<'_>) -> Result<Vec<AssemblyLine>, End> {
    assemblies(line.one(Op::Assemblies).await?)
}

/// A small file, or stdin.
pub(super) fn read(file: &Path, out: &Output) -> Result<String, End> {
    let failed = |error: std::io::Error| {
        End::failed(format!("{} cannot be read ({error}).", file.display()), "Name a file of UTF-8 text.")
    };
    let mut text = String::new();
    if file == Path::new("-") && out.piped_in() {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(End::failed(format!("{} is larger than 16 MB.", file.display()), "It is no such file."));
    }
    Ok(text)
}

/// A prompt on each line.
pub(super) fn prompts(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn short(hash: &hinet_protocol::Hash) -> String {
    hash.to_string().chars().take(12).collect()
}

fn list(out: &Output, all: &[AssemblyLine]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "assemblies": all }));
    }
    if all.is_empty() {
        out.note("There is no assembly: your iCore answers alone. `icore assembly add --help` shows how one is made.");
        return Ok(());
    }
    let row = |line: &AssemblyLine| {
        let members: Vec<String> = line.members.iter().map(|member| clean::one_line(&member.name)).collect();
        vec![clean::one_line(&line.name), members.join(", "), short(&line.hash)]
    };
    out.table(&all.iter().map(row).collect::<Vec<_>>())
}

fn show(out: &Output, line: &AssemblyLine) -> Result<(), End> {
    if out.json() {
        return out.document(line);
    }
    let taking_part = count((line.members.len() + line.homes.len()) as u64, "member");
    out.line(format!("{} ({taking_part})", out.bold(&clean::one_line(&line.name))))?;
    out.line(format!("  {}", line.hash))?;
    let several = match line.members.len() {
        0 | 1 => String::new(),
        _ => format!("; whoever is within {:.2} of the nearest does too", line.margin),
    };
    if !line.members.is_empty() {
        out.line(format!("  a member answers from a similarity of {:.2} on{several}", line.floor))?;
    }
    line.members.iter().try_for_each(|member| tell(out, member))?;
    line.premerges.iter().try_for_each(|made| standing(out, line, made))?;
    line.homes.iter().try_for_each(|home| {
        out.line("")?;
        let (name, path) = (clean::one_line(&home.name), clean::one_line(&home.path));
        out.line(format!("  {}  {}", out.bold(&name), out.dim(&short(&home.identity))))?;
        out.line(format!("    another home at {path}, asked for excerpts where your memory has no answer"))?;
        out.line(format!("    {}", count(home.answers, "answer")))
    })
}

/// What was made of several members beforehand.
fn standing(out: &Output, line: &AssemblyLine, made: &PremergeLine) -> Result<(), End> {
    let name = |delta: &hinet_protocol::Hash| {
        let member = line.members.iter().find(|member| member.delta == *delta);
        member.map_or_else(|| short(delta), |member| clean::one_line(&member.name))
    };
    let parts: Vec<String> = made.members.iter().map(|(delta, part)| format!("{} {part:.2}", name(delta))).collect();
    out.line("")?;
    out.line(format!("  one delta of {}  {}", parts.join(", "), out.dim(&short(&made.hash))))?;
    out.line(format!(
        "    made {}, {} bytes; it answers where exactly these would be mixed",
        moment::show(made.at),
        grouped(made.bytes)
    ))
}

fn tell(out: &Output, member: &MemberLine) -> Result<(), End> {
    out.line("")?;
    out.line(format!("  {}  {}", out.bold(&clean::one_line(&member.name)), out.dim(&short(&member.delta))))?;
    let by = if member.own { "you".to_owned() } else { format!("the key {}", short(&member.by)) };
    out.line(format!(
        "    {} from {}, vouched for by {by}",
        count(member.prompts, "public prompt"),
        clean::one_line(&member.published)
    ))?;
    let mut found = vec![format!("neutral text {:+.1} %", member.admitted.neutral * 100.0)];
    found.extend(member.admitted.known.map(|(alone, with)| format!("its own prompts {alone:.2} → {with:.2} nats")));
    found.extend(member.admitted.length.map(|times| format!("{times:.1} times the median member's length")));
    out.line(format!("    tested: {}", found.join(", ")))?;
    out.line(format!("    {}", count(member.answers, "answer")))
}

/// How an answer was composed, on one line.
pub(super) fn composed(composition: &Composition) -> String {
    let name = clean::one_line(&composition.assembly);
    let parts = composition.near.iter().filter(|share| share.weight > 0.0);
    let parts: Vec<String> =
        parts.map(|share| format!("{} {:.2}", clean::one_line(&share.name), share.weight)).collect();
    match composition.mode {
        Mode::Own => format!("{name}: own, because {}", clean::one_line(&composition.why)),
        mode => {
            format!("{name}: {} · {} ({})", mode.word(), parts.join(", "), clean::one_line(&composition.why))
        }
    }
}

fn tried(out: &Output, composition: &Composition) -> Result<(), End> {
    if out.json() {
        return out.document(composition);
    }
    out.line(composed(composition))?;
    let row = |share: &hinet_protocol::Share| {
        vec![
            format!("  {}", clean::one_line(&share.name)),
            format!("similarity {:.2}", share.similarity),
            if share.weight > 0.0 { format!("weight {:.2}", share.weight) } else { "does not answer".into() },
        ]
    };
    out.table(&composition.near.iter().map(row).collect::<Vec<_>>())
}

fn said(out: &Output, receipts: &[Receipt], tallies: &[Tally]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "receipts": receipts, "members": tallies }));
    }
    if receipts.is_empty() && tallies.is_empty() {
        out.note(
            "There are no receipts: no assembly was asked, or not as it is now. `icore assembly receipts` has all.",
        );
        return Ok(());
    }
    let name = |hash: &hinet_protocol::Hash| {
        let known = tallies.iter().find(|tally| tally.delta == *hash).map(|tally| clean::one_line(&tally.name));
        known.filter(|name| !name.is_empty()).unwrap_or_else(|| short(hash))
    };
    let row = |receipt: &Receipt| {
        let body = &receipt.body;
        let members: Vec<String> =
            body.members.iter().map(|(delta, weight)| format!("{} {weight:.2}", name(delta))).collect();
        vec![
            receipt.n.to_string(),
            moment::show(body.at),
            body.mode.word().to_owned(),
            if members.is_empty() { "your iCore".to_owned() } else { members.join(", ") },
            format!("{} read, {} written", grouped(body.read), grouped(body.written)),
            if receipt.holds { String::new() } else { "its signature does not hold".to_owned() },
        ]
    };
    out.table(&receipts.iter().map(row).collect::<Vec<_>>())?;
    if tallies.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line("In all, tokens counted with each member's weight:")?;
    let row = |tally: &Tally| {
        vec![
            format!("  {}", name(&tally.delta)),
            count(tally.answers, "answer"),
            format!("{:.0} read, {:.0} written", tally.read, tally.written),
        ]
    };
    out.table(&tallies.iter().map(row).collect::<Vec<_>>())
}
