//! Keys of the assembly pane.

use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::keys::movement;
use crate::app::overlay::question::About;
use crate::app::overlay::{Overlay, Question};
use crate::app::pane::chat::commands;
use crate::app::state::State;
use crate::app::words;
use crate::text;

/// Does what an action says in this pane.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::TryQuestion => return try_question(state),
        Action::UseAssembly => use_it(state),
        Action::NextMember => {
            if !state.assembly.next_member() {
                state.toast = Some("there is no member to go to".into());
            }
        }
        Action::MemberLeaves => leave(state),
        Action::Premerge => return state.assembly.premerge(),
        Action::PageUp | Action::PageDown => state.assembly.scroll(if action == Action::PageUp { -10 } else { 10 }),
        action => state.assembly.select(movement(action, 10).unwrap_or(0)),
    }
    vec![]
}

/// The question that stands in the chat's input, else the last one that was asked.
fn question(state: &State) -> Option<String> {
    let typed = state.chat.composer.text();
    let typed = typed.trim();
    if !typed.is_empty() && !typed.starts_with(['/', '!']) {
        return Some(typed.to_owned());
    }
    let asked = state.chat.last_question()?;
    Some(state.chat.turns[asked].text.clone())
}

fn try_question(state: &mut State) -> Vec<Effect> {
    match question(state) {
        Some(question) => state.assembly.try_question(question),
        None => {
            state.toast = Some("write a question in the chat; t here says who would answer it".into());
            vec![]
        }
    }
}

fn use_it(state: &mut State) {
    let Some(name) = state.assembly.current().map(|line| line.name.clone()) else { return };
    let used = state.chat.assembly.as_ref() == Some(&name);
    commands::ask_assembly(state, (!used).then_some(name));
}

fn leave(state: &mut State) {
    let Some((line, member)) = state.assembly.looked_at() else {
        state.toast = Some("m goes to a member; l there has it leave".into());
        return;
    };
    let (who, assembly, delta) = (words::called(&member.name, &member.delta), line.name.clone(), member.delta);
    let left = match line.members.len().saturating_sub(1) {
        0 => "It is the last member, so the assembly goes with it.".to_owned(),
        n => format!("The assembly is then one that never had it, of {}.", words::some(n as u64, "member")),
    };
    let effect = format!(
        "{who} leaves the assembly {}. {left}\n\nWhat it answered stays, and so do the receipts and the delta itself. It is \
         written into the ledger, and {who} can join again.",
        text::fit(&assembly, 40)
    );
    state.overlays.push(Overlay::Question(Question { about: About::Leave { assembly, delta }, effect }));
}

/// Stops asking an assembly that the node does not name.
pub fn settle(state: &mut State) {
    let Some(all) = state.assembly.list.get() else { return };
    if let Some(name) = state.chat.assembly.take_if(|name| !all.iter().any(|line| line.name == *name)) {
        let name = text::fit(&name, 40);
        state.notice(format!("There is no assembly {name}; your own iCore answers alone. /assemblies shows them."));
    }
}
