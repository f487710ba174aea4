//! Attaching: a file, a folder, a saved page, what a command printed. It is read into the memory as an import, and the
//! next question is answered from it.

use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::overlay::{Overlay, Question, question::About};
use crate::app::pane::composer::Chip;
use crate::app::state::State;
use crate::app::words;
use crate::text;
use hinet_protocol::{Attachment, Event, Failure, Op};

/// Attaches the file or folder at a typed path. A folder ends in `/`, or is found to be one by the node.
pub fn path(state: &mut State, typed: &str) -> Vec<Effect> {
    let path = words::expand(typed, &state.place.home_dir);
    if !path.starts_with('/') {
        state.toast = Some("Give a path from its root: /… or ~/…".into());
        return vec![];
    }
    let folder = path.ends_with('/');
    let path = if folder && path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path };
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let what = if folder { Attachment::Folder { path } } else { Attachment::File { path } };
    begin(state, what, name)
}

fn begin(state: &mut State, what: Attachment, name: String) -> Vec<Effect> {
    let number = state.next_serial();
    let name = text::fit(&name, 40);
    state.chat.composer.chips.push(Chip { name, within: None, token: None, number });
    vec![Effect::call(Tag::Attach(number), Op::Attach { what })]
}

/// The command of a line like `!git log -3`; `!!` sends an exclamation mark as text.
#[must_use]
pub fn typed_command(text: &str) -> Option<String> {
    let command = text.strip_prefix('!')?.trim();
    (!command.is_empty() && !command.starts_with('!') && !command.contains('\n')).then(|| command.to_owned())
}

/// Asks whether a command is to be run.
pub fn command(state: &mut State, command: &str) -> Vec<Effect> {
    let command = command.trim().to_owned();
    if command.is_empty() {
        state.toast = Some("Write the command after it.".into());
        return vec![];
    }
    let effect = format!(
        "{}\n\nThis runs in your shell, as you. What it prints is read into your memory and attached to your next question.",
        text::clean(&command)
    );
    state.overlays.push(Overlay::Question(Question { about: About::Command(command), effect }));
    vec![]
}

/// A command has ended: what it printed is attached.
pub fn ran(state: &mut State, command: String, result: Result<String, Failure>) -> Vec<Effect> {
    state.chat.running = None;
    match result {
        Ok(output) if output.trim().is_empty() => {
            state.notice(format!("`{command}` printed nothing; nothing was attached."));
            vec![]
        }
        Ok(text) => begin(state, Attachment::Text { name: command.clone(), text }, command),
        Err(failure) => {
            state.notice(words::failure(&failure));
            vec![]
        }
    }
}

/// An attachment was read, or was not.
pub fn attached(state: &mut State, number: u32, event: Event) -> Vec<Effect> {
    let chips = &mut state.chat.composer.chips;
    let Some(at) = chips.iter().position(|chip| chip.number == number) else { return vec![] };
    match event {
        Event::Attached { attached } => {
            chips[at].name = text::fit(&attached.name, 40);
            chips[at].within = Some(attached.within);
            state.toast =
                Some(format!("attached {}; your next question is answered from it", text::fit(&attached.name, 40)));
            state.sources.enter()
        }
        Event::Failed { failure } => {
            chips.remove(at);
            state.notice(words::failure(&failure));
            vec![]
        }
        _ => vec![],
    }
}
