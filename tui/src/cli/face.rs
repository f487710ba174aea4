//! The terminal face, opened by plain `icore`: onboarding where there is no home yet, then the chat.

use hinet_node::setup::{self, HomeState};

use super::context::Context;
use super::end::End;
use super::{line, unlock};

/// Opens it. The face asks for the passphrase itself, unless a file holds it.
pub fn open(context: &Context) -> Result<(), End> {
    let settings = context.lasting();
    let unlock = match (&context.passphrase_file, setup::state(&settings)?) {
        (Some(_), HomeState::Ready { .. }) => Some(unlock::obtain(context)?),
        _ => None,
    };
    line::block_on(async { Ok(hinet_tui::app::run(&settings, unlock).await?) })
}
