//! How the owner unlocks a command: a passphrase file, the keychain, or the question at the terminal.

use hinet_node::setup::{self, HomeState};
use hinet_node::{Client, Settings, Unlock};
use hinet_protocol::{ErrorKind, Failure};
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

use super::context::Context;
use super::end::End;
use super::prompt;

/// A passphrase is never longer than this; a file that is was meant for something else.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// What the home takes.
#[derive(Debug, Clone, Copy)]
struct Slots {
    passphrase: bool,
    keychain: bool,
}

/// How this command unlocks the home: from the passphrase file, else the keychain, else by asking.
pub fn obtain(context: &Context) -> Result<Unlock, End> {
    let slots = slots(context)?;
    if context.passphrase_file.is_some() {
        return passphrase_of_file(context);
    }
    if slots.keychain {
        return Ok(Unlock::Keychain);
    }
    ask(context)
}

/// A proof made now: the passphrase file, a passphrase typed for this command, or the keychain's own question.
/// `used` is how the command unlocked; a passphrase in it was given for this very command.
pub fn fresh(context: &Context, used: &Unlock) -> Result<Option<Unlock>, End> {
    if !matches!(used, Unlock::Keychain) || !slots(context)?.passphrase {
        return Ok(None);
    }
    if !prompt::can_ask_secret() {
        return Err(Failure::new(
            ErrorKind::Refused,
            "This needs fresh proof that you are the owner, and there is no terminal to ask in.",
            "Run it in a terminal, or set ICORE_PASSPHRASE_FILE.",
        )
        .into());
    }
    context.out.note("This needs fresh proof that you are the owner.");
    ask(context).map(Some)
}

/// Opens the home with `unlock`. A keychain that does not answer falls back to the passphrase where a person is there.
pub async fn connect(context: &Context, settings: &Settings, unlock: Unlock) -> Result<(Client, Unlock), End> {
    match hinet_node::connect(settings, &unlock).await {
        Ok(client) => Ok((client, unlock)),
        Err(failure) if falls_back(context, &unlock, &failure) => {
            context.out.note(format!("The keychain did not unlock it: {}", failure.message));
            let unlock = ask(context)?;
            Ok((hinet_node::connect(settings, &unlock).await?, unlock))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn falls_back(context: &Context, unlock: &Unlock, failure: &Failure) -> bool {
    matches!(unlock, Unlock::Keychain)
        && failure.kind == ErrorKind::Failed
        && failure.message.to_lowercase().contains("keychain")
        && prompt::can_ask_secret()
        && slots(context).is_ok_and(|slots| slots.passphrase)
}

fn slots(context: &Context) -> Result<Slots, End> {
    match setup::state(context.brief())? {
        HomeState::Ready { passphrase, keychain } => Ok(Slots { passphrase, keychain }),
        HomeState::Absent => Err(End::failed(
            format!("There is no iCore at {}.", context.home().display()),
            "Run `icore` in a terminal to make one, or see `icore init --help`.",
        )),
    }
}

fn ask(context: &Context) -> Result<Unlock, End> {
    let _ = context;
    if !prompt::can_ask_secret() {
        return Err(End::usage(
            "The memory is locked, and there is no terminal to ask for the passphrase in.",
            "Set ICORE_PASSPHRASE_FILE to a file that holds the passphrase.",
        ));
    }
    Ok(Unlock::Passphrase(prompt::secret("Passphrase: ")?))
}

fn passphrase_of_file(context: &Context) -> Result<Unlock, End> {
    if let Some(known) = context.passphrase.get() {
        return Ok(Unlock::Passphrase(known.clone()));
    }
    let Some(file) = &context.passphrase_file else { return ask(context) };
    let passphrase = read_passphrase(context, file, "ICORE_PASSPHRASE_FILE")?;
    let known = context.passphrase.get_or_init(|| passphrase);
    Ok(Unlock::Passphrase(known.clone()))
}

/// Reads a passphrase from a file, without its last newline. `named` is what the person calls the file.
pub fn read_passphrase(context: &Context, file: &Path, named: &str) -> Result<Zeroizing<String>, End> {
    read_secret(context, file, named, "passphrase")
}

/// Reads a secret from a file, as [`read_passphrase`] does. `what` is what the person calls the secret.
pub fn read_secret(context: &Context, file: &Path, named: &str, what: &str) -> Result<Zeroizing<String>, End> {
    let wrong = |why: String| {
        End::usage(
            format!("The {what} could not be read from {} ({named}): {why}.", file.display()),
            format!("It should be a small text file with the {what} and nothing else."),
        )
    };
    let opened = std::fs::File::open(file).map_err(|error| wrong(error.to_string()))?;
    warn_if_open(context, &opened, file);
    let mut text = Zeroizing::new(String::with_capacity(PASSPHRASE_BYTES_MAX as usize + 1));
    opened.take(PASSPHRASE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > PASSPHRASE_BYTES_MAX {
        return Err(wrong(format!("it is longer than {PASSPHRASE_BYTES_MAX} bytes")));
    }
    let kept = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text).len();
    text.truncate(kept);
    if text.is_empty() {
        return Err(wrong("it is empty".into()));
    }
    Ok(text)
}

/// Says so where other people of this machine can read a secret's file.
fn warn_if_open(context: &Context, opened: &std::fs::File, file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if opened.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o044 != 0) {
            let path = file.display();
            context.out.warn(format!("other people on this machine can read {path}; `chmod 600 {path}` shuts it."));
        }
    }
    #[cfg(not(unix))]
    let _ = (context, opened, file);
}
