//! What is said after a slash about the conversation.

use super::{attach, find, keys};
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::keys::{act, forget, to_chat};
use crate::app::msg::Tag;
use crate::app::overlay::{Overlay, Question, question::About};
use crate::app::state::{Focus, State};
use crate::app::view::areas;
use crate::app::words;
use crate::text;
use hinet_protocol::{ForgetTarget, Op, Role, SessionChange, Thumb};

/// The conversation as Markdown, for a file.
fn document(state: &State) -> String {
    let mut out = format!("# {}\n", state.chat.title);
    for turn in &state.chat.turns {
        let who = if turn.role == Role::User { "You" } else { "icore" };
        let at = words::date_and_time(turn.at, &state.place.zone);
        out.push_str(&format!("\n## {who} · {at}\n\n{}\n", turn.text.trim_end()));
        for (i, citation) in turn.citations.iter().enumerate() {
            out.push_str(&format!("\n[{}] {}\n", i + 1, citation.source));
        }
    }
    out
}

fn stored(state: &mut State) -> Option<hinet_protocol::SessionId> {
    if state.chat.session.is_none() {
        state.toast = Some("This conversation is not stored yet.".into());
    }
    state.chat.session
}

fn change(state: &mut State, change: SessionChange, said: &str) -> Vec<Effect> {
    let Some(session) = stored(state) else { return vec![] };
    state.toast = Some(said.to_owned());
    vec![Effect::call(Tag::SessionChange, Op::SessionChange { session, change })]
}

/// `/title`
pub fn title(state: &mut State, title: &str) -> Vec<Effect> {
    let named = SessionChange { title: Some(title.to_owned()), ..SessionChange::default() };
    let effects = change(state, named, "it has a new title");
    if !effects.is_empty() {
        title.clone_into(&mut state.chat.title);
    }
    effects
}

/// `/pin`
pub fn pin(state: &mut State, how: &str) -> Vec<Effect> {
    let pinned = how != "off";
    let said = if pinned { "pinned to the top of the list" } else { "no longer pinned" };
    change(state, SessionChange { pinned: Some(pinned), ..SessionChange::default() }, said)
}

/// `/archive`: put away, and a new one begins.
pub fn archive(state: &mut State, _: &str) -> Vec<Effect> {
    let away = SessionChange { archived: Some(true), ..SessionChange::default() };
    let mut effects = change(state, away, "put away; Ctrl+O and Tab show it");
    if !effects.is_empty() {
        effects.extend(state.chat.begin());
    }
    effects
}

/// `/forget`: the whole conversation, with a preview first.
pub fn forget_it(state: &mut State, _: &str) -> Vec<Effect> {
    let Some(session) = stored(state) else { return vec![] };
    let title = state.chat.title.clone();
    forget(state, ForgetTarget::Session { session }, title)
}

/// `/find`
pub fn find_here(state: &mut State, words: &str) -> Vec<Effect> {
    let areas = areas(state);
    find::begin(state, &areas);
    if state.chat.find.is_some() {
        state.focus = Focus::Reading;
        find::paste(state, &areas, words);
    }
    vec![]
}

/// `/find-all`
pub fn find_all(state: &mut State, words: &str) -> Vec<Effect> {
    let mut effects = act(state, Action::Sessions);
    if let Some(Overlay::Sessions(list)) = state.overlays.last_mut() {
        list.field.insert(words);
        effects.extend(list.look());
    }
    effects
}

fn in_conversation(state: &mut State, action: Action) -> Vec<Effect> {
    to_chat(state);
    if !keys::enter(state) {
        state.toast = Some("There is nothing said yet.".into());
        return vec![];
    }
    let effects = keys::in_conversation(state, action);
    if state.focus == Focus::Reading && state.overlays.is_empty() {
        keys::leave(state);
    }
    effects
}

/// `/fork`
pub fn fork(state: &mut State, _: &str) -> Vec<Effect> {
    in_conversation(state, Action::Fork)
}

/// `/rewind`: to before the last question.
pub fn rewind(state: &mut State, _: &str) -> Vec<Effect> {
    let Some(turn) = state.chat.last_question() else {
        state.toast = Some("There is nothing to go back to.".into());
        return vec![];
    };
    state.chat.rewind(turn).unwrap_or_default()
}

/// `/onward`
pub fn onward(state: &mut State, _: &str) -> Vec<Effect> {
    in_conversation(state, Action::Onward)
}

/// `/code`: copies the code of the last answer.
pub fn code(state: &mut State, _: &str) -> Vec<Effect> {
    in_conversation(state, Action::CopyCode)
}

/// `/good`, `/bad`
pub fn thumb(state: &mut State, thumb: Thumb) -> Vec<Effect> {
    let last = state.chat.turns.iter().rposition(|turn| turn.role == Role::Assistant);
    let effects = last.map(|turn| state.chat.feedback(turn, |feedback| feedback.thumb = Some(thumb)));
    state.toast = Some(if effects.as_ref().is_some_and(|e| !e.is_empty()) {
        "noted, for you alone".into()
    } else {
        "There is no stored answer to say that of.".into()
    });
    effects.unwrap_or_default()
}

/// `/attach`
pub fn attach_path(state: &mut State, path: &str) -> Vec<Effect> {
    attach::path(state, path)
}

/// `/run`
pub fn run(state: &mut State, command: &str) -> Vec<Effect> {
    attach::command(state, command)
}

/// `/memory off|on`
pub fn memory(state: &mut State, how: &str) -> Vec<Effect> {
    if state.chat.forgo != (how == "off") {
        return act(state, Action::Forgo);
    }
    vec![]
}

/// `/voice`: a draft in the owner's voice.
pub fn voice(state: &mut State, text: &str) -> Vec<Effect> {
    let now = state.now;
    state.chat.draft_in_voice(text.to_owned(), now).unwrap_or_else(|| {
        state.toast = Some("There is an answer being made; ask for the draft when it is there.".into());
        vec![]
    })
}

/// Has an assembly asked where the memory has no answer, from here on, or none any more.
pub fn ask_assembly(state: &mut State, assembly: Option<String>) {
    state.toast = Some(match &assembly {
        Some(name) => {
            format!("{} is asked where your memory has no answer; /assembly off stops it", text::fit(name, 40))
        }
        None => "no assembly is asked any more".into(),
    });
    state.chat.assembly = assembly;
}

/// `/assembly NAME|off`, and alone: which one is asked.
pub fn assembly(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "" => {
            state.toast = Some(match &state.chat.assembly {
                Some(name) => format!("{} is asked; /assembly off stops it", text::fit(name, 40)),
                None => "no assembly is asked; /assembly NAME asks one".into(),
            });
            vec![]
        }
        "off" => {
            ask_assembly(state, None);
            vec![]
        }
        name => {
            ask_assembly(state, Some(name.to_owned()));
            // Whether there is one of that name, the node says.
            vec![Effect::call(Tag::Assemblies, Op::Assemblies)]
        }
    }
}

/// `/export`: writes the conversation to a file, after the question what that means.
pub fn export(state: &mut State, path: &str) -> Vec<Effect> {
    let path = words::expand(path, &state.place.home_dir);
    if state.chat.turns.is_empty() || !path.starts_with('/') {
        state.toast = Some(if state.chat.turns.is_empty() {
            "There is nothing said yet.".into()
        } else {
            "Give the file's path from its root: /… or ~/…".into()
        });
        return vec![];
    }
    let text = document(state);
    let effect = format!(
        "{}\n\nThe conversation is written there as Markdown, {} of plain text that everyone who can read the file can read. \
         It is written into the ledger that this was done.",
        words::tilde(&path, &state.place.home_dir),
        text::bytes(text.len() as u64)
    );
    state.overlays.push(Overlay::Question(Question { about: About::Export { path, text }, effect }));
    vec![]
}
