//! `icore memory people`: who is who, and putting it right.

use clap::{Args, Subcommand};
use hinet_protocol::{Event, Op, PersonLine};

use super::clean;
use super::end::End;
use super::line::Line;
use super::moment;
use super::output::{Output, count};

const EXAMPLES: &str = "\
Examples:
  icore memory people ana
  icore memory people merge \"Ana Costa\" ac@work.example
  icore memory people split ac@work.example
  icore memory people undo";

/// `icore memory people`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct People {
    #[command(subcommand)]
    what: Option<What>,
    /// Words of a name or an address
    #[arg(value_name = "NAME")]
    name: Vec<String>,
    /// How many at most
    #[arg(short = 'k', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: u16,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Two are one person
    Merge {
        /// A spelling or an address of one, or words that mean nobody else
        #[arg(value_name = "ONE")]
        one: String,
        /// The same of the other
        #[arg(value_name = "OTHER")]
        other: String,
    },
    /// Set a spelling apart from the person it is one of, or an address with all its spellings
    Split {
        /// The spelling, the address or the telephone number, as the list shows it
        #[arg(value_name = "SPELLING")]
        spelling: String,
    },
    /// Take the last merge or split back
    Undo,
}

impl People {
    /// Does what was asked.
    pub async fn run(self, line: &Line<'_>) -> Result<(), End> {
        let (op, said) = match self.what {
            None => (Op::People { name: self.name.join(" "), limit: usize::from(self.k) }, None),
            Some(What::Merge { one, other }) => {
                (Op::PersonMerge { one, other }, Some("Everything by either of them is by one person now."))
            }
            Some(What::Split { spelling }) => (Op::PersonSplit { spelling }, Some("These are two people now.")),
            Some(What::Undo) => (Op::PersonUndo, Some("The last merge or split is taken back.")),
        };
        let Event::People { people, total } = line.one(op).await? else { return Err(End::unexpected("people")) };
        let out = &line.context.out;
        if out.json() {
            return out.document(&serde_json::json!({ "people": people, "total": total }));
        }
        match said {
            Some(said) => out.note(said),
            None if people.is_empty() => out.note("Nobody in your memory is called that."),
            None => {}
        }
        people.iter().try_for_each(|person| show(out, person))?;
        let more = total.saturating_sub(people.len() as u64);
        if more > 0 {
            out.note(format!("… and {more} more; -k shows them."));
        }
        Ok(())
    }
}

fn show(out: &Output, person: &PersonLine) -> Result<(), End> {
    let facts = format!("  {}, last {}", count(person.items, "item"), moment::show(person.last));
    out.line(format!("{}{}", out.bold(&clean::one_line(&person.name)), out.dim(&facts)))?;
    let reached = person.addresses.iter().chain(&person.phones);
    for (what, list) in [("as", words(person.spellings.iter())), ("at", words(reached))] {
        if !list.is_empty() {
            out.line(out.dim(&format!("    {what} {list}")))?;
        }
    }
    Ok(())
}

fn words<'a>(list: impl Iterator<Item = &'a String>) -> String {
    list.map(|text| clean::one_line(text)).collect::<Vec<_>>().join("; ")
}
