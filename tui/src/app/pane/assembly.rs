//! Assemblies: who takes part and what their test found, who would answer a question, and the receipts of what was
//! answered.

pub mod keys;
mod view;

use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::step;
use crate::app::state::Loaded;
use crate::app::words;
use hinet_protocol::{AssemblyLine, Composition, Event, Failure, Hash, MemberLine, Mode, Op, Receipt, Tally};

pub use view::{rows, view};

/// Receipts that are asked for.
const RECEIPTS_MAX: usize = 50;

/// What was signed about answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Receipts {
    /// Newest first.
    pub latest: Vec<Receipt>,
    /// What all of them add up to, the member with the most first.
    pub tallies: Vec<Tally>,
}

/// A question of which it was asked who would answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Which assembly was asked.
    pub assembly: String,
    /// The question.
    pub question: String,
    /// Who would answer; none while that is not known.
    pub composition: Option<Composition>,
}

/// The pane.
#[derive(Default)]
pub struct Assembly {
    /// The assemblies, by name.
    pub list: Loaded<Vec<AssemblyLine>>,
    /// The selected one.
    pub selected: usize,
    /// The member of it that is looked at.
    pub member: Option<usize>,
    /// Lines below the list that are above the pane, while no member is looked at.
    pub scrolled: usize,
    /// The receipts.
    pub receipts: Loaded<Receipts>,
    /// The question that was tried.
    pub tried: Option<Tried>,
    /// Why the last act failed.
    pub failed: Option<Failure>,
    /// Whether one delta is being made of several members.
    pub making: bool,
    /// The number of the last question that was tried.
    tries: u32,
}

impl Assembly {
    /// Asks for the assemblies and the receipts.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.list.ask();
        vec![Effect::call(Tag::Assemblies, Op::Assemblies), self.ask_receipts()]
    }

    fn ask_receipts(&mut self) -> Effect {
        self.receipts.ask();
        Effect::call(Tag::Receipts, Op::Receipts { assembly: None, limit: RECEIPTS_MAX })
    }

    /// The selected assembly.
    #[must_use]
    pub fn current(&self) -> Option<&AssemblyLine> {
        self.list.get()?.get(self.selected)
    }

    /// The member that is looked at, and its assembly.
    #[must_use]
    pub fn looked_at(&self) -> Option<(&AssemblyLine, &MemberLine)> {
        let line = self.current()?;
        Some((line, line.members.get(self.member?)?))
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.list.get().map_or(0, Vec::len));
        (self.scrolled, self.member) = (0, None);
    }

    /// Moves what is below the list.
    pub fn scroll(&mut self, delta: isize) {
        self.scrolled = self.scrolled.saturating_add_signed(delta);
        self.member = None;
    }

    /// Goes to the next member of the selected assembly, after the last one to the first. False where there is none.
    pub fn next_member(&mut self) -> bool {
        let many = self.current().map_or(0, |line| line.members.len());
        self.member = (many > 0).then(|| self.member.map_or(0, |at| (at + 1) % many));
        self.member.is_some()
    }

    /// Asks who of the selected assembly would answer a question.
    pub fn try_question(&mut self, question: String) -> Vec<Effect> {
        let Some(assembly) = self.current().map(|line| line.name.clone()) else { return vec![] };
        self.tries = self.tries.wrapping_add(1);
        (self.scrolled, self.member, self.failed) = (0, None, None);
        let op = Op::AssemblyTry { assembly: assembly.clone(), text: question.clone() };
        self.tried = Some(Tried { assembly, question, composition: None });
        vec![Effect::call(Tag::AssemblyTry(self.tries), op)]
    }

    /// Has one delta made of several members of the selected assembly: of those who would be mixed for the question that was
    /// tried, else of those the node finds. Nothing while one is being made.
    pub fn premerge(&mut self) -> Vec<Effect> {
        let Some(assembly) = self.current().map(|line| line.name.clone()).filter(|_| !self.making) else {
            return vec![];
        };
        let tried = self.tried.as_ref().filter(|tried| tried.assembly == assembly);
        let mixed = tried.and_then(|tried| tried.composition.as_ref()).filter(|found| found.mode == Mode::Mix);
        let near = mixed.into_iter().flat_map(|found| &found.near).filter(|share| share.weight > 0.0);
        let members: Vec<Hash> = near.map(|share| share.delta).collect();
        (self.making, self.scrolled, self.member, self.failed) = (true, 0, None, None);
        vec![Effect::call(Tag::AssemblyPremerge, Op::AssemblyPremerge { assembly, members })]
    }

    /// The node went away, and with it what was asked of it.
    pub fn lost(&mut self) {
        self.making = false;
        self.tried = self.tried.take().filter(|tried| tried.composition.is_some());
    }

    /// What people call a delta here: as a member, else as one that has left.
    #[must_use]
    pub fn called(&self, delta: Hash) -> String {
        let members = self.list.get().into_iter().flatten().flat_map(|line| &line.members);
        let member = members.filter(|member| member.delta == delta).map(|member| member.name.as_str());
        let homes = self.list.get().into_iter().flatten().flat_map(|line| &line.homes);
        let home = homes.filter(|home| home.identity == delta).map(|home| home.name.as_str());
        let tallies = self.receipts.get().into_iter().flat_map(|receipts| &receipts.tallies);
        let tally = tallies.filter(|tally| tally.delta == delta).map(|tally| tally.name.as_str());
        words::called(member.chain(home).chain(tally).next().unwrap_or_default(), &delta)
    }

    /// Answers that members of an assembly gave, as it is now; with a `+` where only the latest receipts are known.
    #[must_use]
    pub fn answers(&self, line: &AssemblyLine) -> String {
        let Some(receipts) = self.receipts.get() else { return "·".to_owned() };
        let given =
            |receipt: &&Receipt| receipt.holds && receipt.body.assembly == line.hash && receipt.body.mode != Mode::Own;
        let more = if receipts.latest.len() < RECEIPTS_MAX { "" } else { "+" };
        format!("{}{more}", receipts.latest.iter().filter(given).count())
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) -> Vec<Effect> {
        match (tag, event) {
            (Tag::Assemblies | Tag::AssemblyLeave, Event::Assemblies { assemblies }) => {
                // The selected one stays selected, wherever it is in the list now.
                let name = self.current().map(|line| line.name.clone());
                let at = name.and_then(|name| assemblies.iter().position(|line| line.name == name));
                self.selected = at.unwrap_or(self.selected).min(assemblies.len().saturating_sub(1));
                self.list = Loaded::Full(assemblies);
                if tag == Tag::AssemblyLeave {
                    (self.member, self.failed) = (None, None);
                    return vec![self.ask_receipts()];
                }
            }
            (Tag::Assemblies, Event::Failed { failure }) => self.list = Loaded::Failed(failure),
            (Tag::AssemblyLeave, Event::Failed { failure }) => {
                (self.scrolled, self.member, self.failed) = (0, None, Some(failure));
            }
            (Tag::AssemblyPremerge, Event::Assemblies { assemblies }) => {
                self.making = false;
                if let Loaded::Full(all) = &mut self.list {
                    for made in assemblies {
                        if let Some(line) = all.iter_mut().find(|line| line.name == made.name) {
                            *line = made;
                        }
                    }
                }
            }
            (Tag::AssemblyPremerge, Event::Failed { failure }) => {
                (self.making, self.scrolled, self.member, self.failed) = (false, 0, None, Some(failure));
            }
            (Tag::Receipts, Event::Receipts { receipts, tallies }) => {
                self.receipts = Loaded::Full(Receipts { latest: receipts, tallies });
            }
            (Tag::Receipts, Event::Failed { failure }) => self.receipts = Loaded::Failed(failure),
            (Tag::AssemblyTry(number), Event::Tried { composition }) if number == self.tries => {
                if let Some(tried) = &mut self.tried {
                    tried.composition = Some(composition);
                }
            }
            (Tag::AssemblyTry(number), Event::Failed { failure }) if number == self.tries => {
                (self.tried, self.failed) = (None, Some(failure));
            }
            _ => {}
        }
        vec![]
    }
}
