//! `icore sources add imap|gmail|drive|calendar`: accounts on servers, and `icore sources verify`.

use clap::{Args, Subcommand, ValueEnum};
use hinet_protocol::{
    AccountKind, AccountPlan, Event, Millis, OAuthPlan, Op, Secret, SourceLine, Transport, Verification,
};
use std::path::PathBuf;

use super::clean;
use super::context::Context;
use super::end::End;
use super::ingest;
use super::line::Line;
use super::moment;
use super::output::{Output, grouped};
use super::prompt;
use super::unlock;

/// Largest certificate file that is read, in bytes.
const CERTIFICATE_MAX: u64 = 1 << 20;

/// An account to open.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// A mailbox on any mail server, by IMAP; nothing is changed there
    Imap {
        /// The server, such as mail.example.org or 127.0.0.1:1143
        #[arg(value_name = "SERVER")]
        server: String,
        /// Who you are there
        #[arg(long, value_name = "NAME")]
        user: String,
        /// Read only this folder and those in it; may be given again
        #[arg(long = "folder", value_name = "NAME")]
        folders: Vec<String>,
        /// How the connection is protected
        #[arg(long, value_enum, default_value_t = Cover::Tls)]
        tls: Cover,
        /// A file that holds the password (`-` is standard input); asked for where absent
        #[arg(long, value_name = "FILE", conflicts_with = "client")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        login: Login,
    },
    /// Your mail at Google
    Gmail {
        /// Read only messages with this label; may be given again
        #[arg(long = "label", value_name = "NAME")]
        labels: Vec<String>,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        login: Login,
    },
    /// Your own files at Google Drive
    Drive {
        /// Read only this folder and what is in it; may be given again
        #[arg(long = "folder", value_name = "NAME")]
        folders: Vec<String>,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        login: Login,
    },
    /// Your calendars at Google
    Calendar {
        /// Read only this calendar; may be given again
        #[arg(long = "calendar", value_name = "NAME")]
        calendars: Vec<String>,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        login: Login,
    },
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Cover {
    /// TLS from the first byte
    Tls,
    /// TLS after a greeting
    Starttls,
    /// None; for a server on this machine only
    Plain,
}

/// What any account may be told.
#[derive(Debug, Args)]
pub struct Common {
    /// Only what is not older than this: 2024-01-31, or 2y
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    since: Option<Millis>,
    /// A certificate (PEM) to trust besides the public authorities
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// A login in the browser, with an OAuth client of your own.
#[derive(Debug, Args)]
pub struct Login {
    /// The id of your own OAuth client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// A file that holds the client's secret, where it has one
    #[arg(long, value_name = "FILE", requires = "client")]
    client_secret_file: Option<PathBuf>,
    /// Log in with a code on another device, where the provider allows that
    #[arg(long, requires = "client")]
    device: bool,
    /// Who issues the login, where it is not Google
    #[arg(long, value_name = "URL", requires = "client")]
    issuer: Option<String>,
    /// What to ask the issuer for, where the usual is not right; may be given again
    #[arg(long = "ask-for", value_name = "SCOPE", requires = "client")]
    scopes: Vec<String>,
    /// Where the interface is, where it is not Google's own
    #[arg(long, value_name = "URL", requires = "client")]
    api: Option<String>,
}

impl Account {
    /// Opens the account and reads it for the first time.
    pub async fn add(self, line: &Line<'_>) -> Result<(), End> {
        let context = line.context;
        let (plan, secret) = self.plan(context)?;
        let out = &context.out;
        let op = Op::AccountAdd { plan: Box::new(plan), secret };
        let outcome = line
            .hear(op, |event| {
                if let Event::LoginPage { page } = event {
                    let url = clean::one_line(&page.url);
                    let open = match &page.code {
                        Some(code) => format!("Open {url} on any device and type {} there.", clean::one_line(code)),
                        None => format!("Open this page in a browser on this machine to log in:\n\n  {url}\n"),
                    };
                    out.needed(&open, &serde_json::json!({ "login": page }));
                    out.note("Waiting for the login; Ctrl-C stops.");
                }
                Ok(())
            })
            .await?;
        match outcome.event {
            Event::Indexed { report } => ingest::show(out, &report, "item"),
            _ => Err(End::unexpected("opening an account")),
        }
    }

    fn plan(self, context: &Context) -> Result<(AccountPlan, Option<Secret>), End> {
        match self {
            Self::Imap { server, user, folders, tls, password_file, common, login } => {
                let mut plan = common.plan(AccountKind::Imap, folders)?;
                plan.user = user;
                plan.server = Some(server);
                plan.transport = match tls {
                    Cover::Tls => Transport::Tls,
                    Cover::Starttls => Transport::Starttls,
                    Cover::Plain => Transport::Plain,
                };
                if login.client.is_some() {
                    let secret = login.put(context, &mut plan)?;
                    return Ok((plan, secret));
                }
                let password = match password_file {
                    Some(file) if file.as_os_str() == "-" => {
                        unlock::read_secret(context, std::path::Path::new("/dev/stdin"), "--password-file", "password")?
                    }
                    Some(file) => unlock::read_secret(context, &file, "--password-file", "password")?,
                    None if prompt::can_ask_secret() => prompt::secret(&format!(
                        "Password of {} at {}: ",
                        plan.user,
                        plan.server.as_deref().unwrap_or("")
                    ))?,
                    None => {
                        return Err(End::usage(
                            "There is no terminal to ask for the password in.",
                            "Give a file that holds it with --password-file.",
                        ));
                    }
                };
                Ok((plan, Some(Secret::new(password.as_str().to_owned()))))
            }
            Self::Gmail { labels: folders, common, login } => {
                login.plan(context, common.plan(AccountKind::Gmail, folders)?)
            }
            Self::Drive { folders, common, login } => login.plan(context, common.plan(AccountKind::Drive, folders)?),
            Self::Calendar { calendars: folders, common, login } => {
                login.plan(context, common.plan(AccountKind::Calendar, folders)?)
            }
        }
    }
}

impl Common {
    fn plan(self, kind: AccountKind, folders: Vec<String>) -> Result<AccountPlan, End> {
        let certificate = self.certificate.as_deref().map(|file| {
            let wrong =
                |why: String| End::usage(format!("{} cannot be read: {why}.", file.display()), "Give a PEM file.");
            let meta = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?;
            if meta.len() > CERTIFICATE_MAX {
                return Err(wrong("it is too large for a certificate".into()));
            }
            std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))
        });
        Ok(AccountPlan {
            kind,
            user: String::new(),
            server: None,
            transport: Transport::Tls,
            certificate: certificate.transpose()?,
            folders,
            since: self.since,
            oauth: None,
        })
    }
}

impl Login {
    fn plan(self, context: &Context, mut plan: AccountPlan) -> Result<(AccountPlan, Option<Secret>), End> {
        if self.client.is_none() {
            return Err(End::usage(
                "Google lets only registered programs in, and yours is your own: there is no client to log in with.",
                "Make an OAuth client (the README says how) and give its id with --client.",
            ));
        }
        let secret = self.put(context, &mut plan)?;
        Ok((plan, secret))
    }

    fn put(self, context: &Context, plan: &mut AccountPlan) -> Result<Option<Secret>, End> {
        let Self { client, client_secret_file, device, issuer, scopes, api } = self;
        if plan.kind != AccountKind::Imap {
            plan.server = api;
        }
        plan.oauth = Some(OAuthPlan { issuer, client: client.unwrap_or_default(), scopes, device });
        let secret = client_secret_file
            .map(|file| unlock::read_secret(context, &file, "--client-secret-file", "client's secret"))
            .transpose()?;
        Ok(secret.map(|secret| Secret::new(secret.as_str().to_owned())))
    }
}

/// Compares an account with its server. Fails where something is missing.
pub async fn verify(line: &Line<'_>, source: &SourceLine) -> Result<(), End> {
    let event = line.one(Op::SourceVerify { source: source.id }).await?;
    let Event::SourceVerified { verification } = event else { return Err(End::unexpected("the comparison")) };
    show(&line.context.out, &verification)
}

fn show(out: &Output, found: &Verification) -> Result<(), End> {
    if out.json() {
        return out.document(found);
    }
    let mut differ = false;
    let mut rows = Vec::new();
    for folder in &found.folders {
        let known = folder.here + folder.skipped;
        differ |= known != folder.there;
        rows.push(vec![
            clean::one_line(&folder.name),
            format!("{} there", grouped(folder.there)),
            format!("{} here", grouped(folder.here)),
            format!("{} left out", grouped(folder.skipped)),
            match known.cmp(&folder.there) {
                std::cmp::Ordering::Equal => "complete".into(),
                std::cmp::Ordering::Less => format!("{} missing", grouped(folder.there - known)),
                std::cmp::Ordering::Greater => format!("{} gone there", grouped(known - folder.there)),
            },
        ]);
    }
    out.table(&rows)?;
    if differ {
        out.note("`icore sources sync` reads what is new. What you had forgotten counts as missing: it stays out.");
    }
    Ok(())
}
