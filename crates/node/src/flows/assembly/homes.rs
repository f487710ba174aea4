//! Other homes on this machine as members: they answer by excerpts that their own consent lets out (retrieval-union).
//!
//! What is believed of a home is the identity that answered when it was added. It is asked at its own node's socket
//! ([`crate::peer`]); its owner has granted this home's identity excerpts or is asked there, and every excerpt is a line in
//! its ledger. The question itself leaves this home: the owner's own word, by asking this assembly, and a line in the ledger
//! here before it goes. Whoever is locked, not there or unwilling is said, and the others answer.

use std::path::{Path, PathBuf};

use hinet_consent::{EntryKind, Note};
use hinet_vault::records::HomeRow;

use super::join::{proper, refused};
use super::{homes_of, list, one};
use crate::door;
use crate::failure::NodeError;
use crate::peer::{ABOUT_MAX, Said};
use crate::protocol::{ErrorKind, Event, Hash};
use crate::state::{Node, now};

/// Homes of one assembly, at most: each is waited for.
const HOMES_MAX: usize = 4;

/// Characters of what another home says that are repeated here.
const TOLD_MAX: usize = 200;

/// Bytes of what one home hands out that are read and kept; its excerpts are a few sentences each.
const EXCERPTS_MAX: usize = 8 << 10;

/// A member that answers by excerpts of its own memory.
pub(crate) trait Member {
    /// Whose memory that is.
    fn identity(&self) -> Hash;

    /// What it is called here.
    fn name(&self) -> &str;

    /// Excerpts about something, in the bytes that its consent let out. The error is the end of a sentence that begins with
    /// its name.
    fn excerpts(&self, about: &str) -> impl Future<Output = Result<String, String>> + Send;
}

/// Another home on this machine, asked at its own node's socket.
pub(crate) struct LocalHome {
    node: Node,
    row: HomeRow,
}

impl Member for LocalHome {
    fn identity(&self) -> Hash {
        self.row.identity
    }

    fn name(&self) -> &str {
        &self.row.name
    }

    async fn excerpts(&self, about: &str) -> Result<String, String> {
        let (to, path) = (Some(self.row.identity), Path::new(&self.row.path));
        match door::ask_home(&self.node, path, to, Some(about.to_owned())).await? {
            (_, Said::Excerpts { text }) if text.len() > EXCERPTS_MAX => Err("handed out more than is read".to_owned()),
            (_, Said::Excerpts { text }) if !text.trim().is_empty() => Ok(text),
            (_, Said::Refused { message }) => Err(format!("refuses ({})", told(&message))),
            _ => Err("said nothing".to_owned()),
        }
    }
}

/// What another home says, as part of a sentence of ours.
fn told(message: &str) -> String {
    let said: String = message.chars().filter(|c| !c.is_control()).take(TOLD_MAX).collect();
    said.trim_end_matches('.').to_owned()
}

/// What one of them handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Who.
    pub(crate) identity: Hash,
    /// What it is called here.
    pub(crate) name: String,
    /// The bytes.
    pub(crate) text: String,
}

/// What all of them handed out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Union {
    /// In the order of the members.
    pub(crate) excerpts: Vec<Excerpt>,
    /// Of each that handed nothing out, why, in a sentence without its full stop.
    pub(crate) silent: Vec<String>,
}

/// Asks all of them at once. One that fails is no failure of the others, and one that hangs holds up nobody twice.
pub(crate) async fn union<M: Member + Sync>(members: &[M], about: &str) -> Union {
    let mut found = Union::default();
    let asked = members.iter().map(|member| member.excerpts(about));
    for (member, said) in members.iter().zip(futures_util::future::join_all(asked).await) {
        let (identity, name) = (member.identity(), member.name().to_owned());
        match said {
            Ok(text) => found.excerpts.push(Excerpt { identity, name, text }),
            Err(why) => found.silent.push(format!("{name} {why}")),
        }
    }
    found
}

/// As much of a question as is put to others: its end, where what is asked stands.
fn bounded(text: &str) -> String {
    let mut start = text.len().saturating_sub(ABOUT_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// Asks the homes of an assembly for excerpts about something, after the ledger's line. Nobody is asked where there is none.
pub(crate) async fn ask(node: &Node, assembly: &str, text: &str) -> Result<Union, NodeError> {
    let assembly = assembly.to_owned();
    let rows = node.apart("the assembly", move |node| homes_of(node, &assembly)).await?;
    if rows.is_empty() {
        return Ok(Union::default());
    }
    let about = bounded(text);
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let said = format!("a question of {} bytes was put to other homes: {}", about.len(), names.join(", "));
    node.apart("the ledger", move |node| node.record(EntryKind::LetOut, &said)).await?;
    let members: Vec<LocalHome> = rows.into_iter().map(|row| LocalHome { node: node.clone(), row }).collect();
    Ok(union(&members, &about).await)
}

/// [`crate::protocol::Op::AssemblyJoinHome`].
pub(crate) async fn join_home(
    node: &Node,
    assembly: String,
    home: String,
    name: Option<String>,
) -> Result<Event, NodeError> {
    let (assembly, path) = (proper(&assembly, "An assembly's name")?, PathBuf::from(&home));
    let folder = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = proper(&name.unwrap_or_else(folder), "A home's name")?;
    if !path.is_absolute() {
        return Err(refused("A home is named by its absolute path.", "Give the whole path of its folder."));
    }
    let (identity, _) = door::ask_home(node, &path, None, None).await.map_err(|why| {
        NodeError::said(
            ErrorKind::Failed,
            format!("The home {name} {why}, so it cannot be asked who it is."),
            format!("Its owner unlocks it with `icore --home {home} node`."),
        )
    })?;
    if identity.0 == node.vault.identity() {
        return Err(refused(
            "That home has the identity of this one.",
            "What the owner's other home knows is read from its folders, as here.",
        ));
    }
    let anchor = node.mind.about().await?.weights;
    let _one = node.memory_work.lock().await;
    node.apart("the assembly", move |node| {
        let others = homes_of(node, &assembly)?;
        if others.iter().filter(|row| row.identity != identity).count() >= HOMES_MAX {
            return Err(refused(
                format!("The assembly {assembly} has {HOMES_MAX} other homes already, as many as are asked."),
                "Have one leave, or make a second assembly.",
            ));
        }
        let row = HomeRow { assembly, identity, anchor, at: now(), name, path: home };
        node.vault.write(|tx| {
            tx.put_home(&row)?;
            let said = format!("the home {} takes part in the assembly {}, by its excerpts", row.name, row.assembly);
            node.consent.record(tx, EntryKind::AssemblyJoined, vec![Note::say(said)], now())?;
            Ok::<_, NodeError>(())
        })?;
        one(node, &row.assembly)
    })
    .await
}

/// [`crate::protocol::Op::AssemblyLeaveHome`].
pub(crate) async fn leave_home(node: &Node, assembly: String, identity: Hash) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    // An answer under way is stored, or not begun, before it has left.
    let _silence = node.answering.write().await;
    node.apart("the assembly", move |node| {
        let found = homes_of(node, &assembly)?.into_iter().find(|row| row.identity == identity);
        let row = found.ok_or_else(|| {
            refused(
                format!("That home takes no part in the assembly {assembly}."),
                "`icore assembly show` lists its members.",
            )
        })?;
        node.vault.write(|tx| {
            tx.delete_home(&row.assembly, row.identity)?;
            let said = format!("the home {} has left the assembly {}", row.name, row.assembly);
            node.consent.record(tx, EntryKind::AssemblyLeft, vec![Note::say(said)], now())?;
            Ok::<_, NodeError>(())
        })?;
        list(node)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that hands this out, or says why not.
    struct Neighbour(&'static str, Result<&'static str, &'static str>);

    impl Member for Neighbour {
        fn identity(&self) -> Hash {
            Hash(*blake3::hash(self.0.as_bytes()).as_bytes())
        }

        fn name(&self) -> &str {
            self.0
        }

        async fn excerpts(&self, about: &str) -> Result<String, String> {
            self.1.map(|text| format!("{about}: {text}")).map_err(str::to_owned)
        }
    }

    #[tokio::test]
    async fn one_that_is_silent_is_said_and_the_others_answer() {
        let members =
            [Neighbour("ana", Ok("at noon")), Neighbour("tom", Err("is locked")), Neighbour("eva", Ok("at one"))];
        let found = union(&members, "the train").await;
        let said: Vec<(&str, &str)> =
            found.excerpts.iter().map(|excerpt| (excerpt.name.as_str(), excerpt.text.as_str())).collect();
        assert_eq!(said, [("ana", "the train: at noon"), ("eva", "the train: at one")]);
        assert_eq!(found.excerpts[1].identity, members[2].identity());
        assert_eq!(found.silent, ["tom is locked"]);
        assert_eq!(union::<Neighbour>(&[], "the train").await, Union::default());
    }

    #[test]
    fn what_another_home_says_is_short_and_on_one_line() {
        assert_eq!(told("Nothing was\n disclosed."), "Nothing was disclosed");
        assert_eq!(told(&"x".repeat(10_000)).len(), TOLD_MAX);
    }

    #[test]
    fn a_long_question_is_cut_between_letters() {
        assert_eq!(bounded("short"), "short");
        let long = "é".repeat(ABOUT_MAX);
        assert_eq!(bounded(&long).len(), ABOUT_MAX);
        assert_eq!(bounded(&format!("{long}a")).len(), ABOUT_MAX - 1);
    }
}
