//! `icore sleep schedule`: nights that begin by themselves, and the service in which they do.

use clap::Args;
use hinet_protocol::{Bedtime, Event, Op, SleepPlan};
use hinet_tui::app::words::hour;
use std::fs;
use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::end::End;
use super::line::Line;

const EXAMPLES: &str = "\
Examples:
  icore sleep schedule --from 01:00 --until 06:30 --minutes 60
  icore sleep schedule --service     (write the file that keeps a node running)
  icore sleep schedule               (what is set)
  icore sleep schedule --off

Nights begin in `icore node`, or in an open terminal, and only from what the grants allow.";

/// The service's file on Linux and on macOS.
const SYSTEMD: &str = include_str!("../../../assets/services/icore.service");
const LAUNCHD: &str = include_str!("../../../assets/services/org.hinet.icore.plist");

/// Minutes of quiet before a night, where nothing else is said.
const IDLE: u64 = 15;

/// `icore sleep schedule`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Schedule {
    /// From when on a night may begin
    #[arg(long, value_name = "HH:MM", value_parser = minute, requires = "until")]
    from: Option<u16>,
    /// When it is interrupted at the latest; it goes on the next time
    #[arg(long, value_name = "HH:MM", value_parser = minute, requires = "from")]
    until: Option<u16>,
    /// How long tuning may take
    #[arg(long, value_name = "N", requires = "from")]
    minutes: Option<u64>,
    /// Minutes in which nothing was asked for; 15 where it is left out
    #[arg(long, value_name = "N", requires = "from")]
    idle: Option<u64>,
    /// Also on battery
    #[arg(long, requires = "from")]
    on_battery: bool,
    /// Make something for others of what each night learned, where nothing of yours comes out of that
    #[arg(long, requires = "from")]
    share: bool,
    /// No nights by themselves any more
    #[arg(long, conflicts_with_all = ["from", "until", "service"])]
    off: bool,
    /// Write the service's file, which keeps a node running
    #[arg(long)]
    service: bool,
}

/// `HH:MM` as minutes after midnight.
fn minute(text: &str) -> Result<u16, String> {
    let wrong = || format!("\"{text}\" is no time of day; write it as 01:30");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |part: &str, below: u16| {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|number| digits && *number < below).ok_or_else(wrong)
    };
    Ok(number(hour, 24)? * 60 + number(minute, 60)?)
}

impl Schedule {
    /// Does what was asked.
    pub async fn run(self, line: &Line<'_>) -> Result<(), End> {
        let context = line.context;
        let bedtime = match (self.from, self.until, self.off) {
            (_, _, true) => bedtime(line.one(Op::Bedtime { bedtime: None }).await?)?,
            (Some(from), Some(until), _) => {
                let plan = SleepPlan::default();
                let plan = SleepPlan { minutes: self.minutes.unwrap_or(plan.minutes), share: self.share, ..plan };
                let wish =
                    Bedtime { plan, from, until, idle_minutes: self.idle.unwrap_or(IDLE), mains: !self.on_battery };
                bedtime(line.one(Op::Bedtime { bedtime: Some(wish) }).await?)?
            }
            _ => bedtime(line.one(Op::Nights { limit: 1 }).await?)?,
        };
        let service = if self.service { Some(write_service(context)?) } else { None };
        let out = &context.out;
        if out.json() {
            let service = service.as_ref().map(|(path, _)| path.display().to_string());
            return out.document(&serde_json::json!({ "bedtime": bedtime, "service": service }));
        }
        match &bedtime {
            None => out.line("No night begins by itself.")?,
            Some(it) => {
                let power = if it.mains { ", on mains power" } else { "" };
                let quiet = match it.idle_minutes {
                    0 => String::new(),
                    n => format!(", when nothing was asked for {n} minutes"),
                };
                let (from, until) = (hour(it.from), hour(it.until));
                let share =
                    if it.plan.share { " Something for others is made of it too, where it tells nothing." } else { "" };
                out.line(format!(
                    "A night begins by itself from {from} to {until}{quiet}{power}; tuning takes {} minutes at most.{share}",
                    it.plan.minutes
                ))?;
            }
        }
        if let Some((path, next)) = service {
            out.line(format!("The service's file is {}.", path.display()))?;
            out.line(format!("Start it with: {next}"))?;
            if context.passphrase_file.is_none() {
                out.note(
                    "The node unlocks with the keychain; where there is none, set ICORE_PASSPHRASE_FILE and write the file again.",
                );
            }
        } else if bedtime.is_some() && !line.is_attached() {
            out.note(
                "No node is running now: nights begin in `icore node` or in an open terminal. `--service` keeps one.",
            );
        }
        Ok(())
    }
}

fn bedtime(event: Event) -> Result<Option<Bedtime>, End> {
    match event {
        Event::Nights { bedtime, .. } => Ok(bedtime),
        _ => Err(End::unexpected("the schedule")),
    }
}

/// Writes the service's file where the system looks for it. Gives its path, and what starts it.
fn write_service(context: &Context) -> Result<(PathBuf, String), End> {
    let base = etcetera::home_dir().map_err(|_| End::usage("There is no home folder.", "Set HOME."))?;
    let (path, text, next) = if cfg!(target_os = "macos") {
        let path = base.join("Library/LaunchAgents/org.hinet.icore.plist");
        let next = format!("launchctl load {}", path.display());
        (path, LAUNCHD, next)
    } else {
        let config = std::env::var_os("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
        let config = config.map_or_else(|| base.join(".config"), PathBuf::from);
        (config.join("systemd/user/icore.service"), SYSTEMD, "systemctl --user enable --now icore".to_owned())
    };
    let passphrase = context.passphrase_file.as_deref().map(context::path_text).transpose()?;
    let program = context::path_text(&context.brief().extractor.program)?;
    let (home, models) = (context::path_text(context.home())?, context::path_text(&context.brief().models)?);
    let filled = fill(text, &program, &home, &models, passphrase.as_deref()).ok_or_else(|| {
        let hint = "Move icore and its home to plain paths, or write the file by hand (assets/services).";
        End::failed("A path holds a character that the service's file cannot carry.", hint)
    })?;
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| replace(&path, &filled));
    written.map_err(|error| {
        let hint = "Make the folder yours, or write the file by hand (assets/services).";
        End::failed(format!("{} could not be written: {error}.", path.display()), hint)
    })?;
    Ok((path, next))
}

/// The text with the paths filled in; `None` where a path has signs that would mean something in it.
fn fill(text: &str, program: &str, home: &str, models: &str, passphrase: Option<&str>) -> Option<String> {
    let all = [program, home, models].into_iter().chain(passphrase);
    if all.into_iter().any(|path| path.chars().any(|c| c.is_control() || "\"\\<>&%$@".contains(c))) {
        return None;
    }
    let xml = text.starts_with("<?xml");
    let passphrase = passphrase.map_or(String::new(), |path| match xml {
        true => format!("    <key>ICORE_PASSPHRASE_FILE</key>\n    <string>{path}</string>"),
        false => format!("Environment=\"ICORE_PASSPHRASE_FILE={path}\""),
    });
    let filled = text
        .replace("@PROGRAM@", program)
        .replace("@HOME@", home)
        .replace("@MODELS@", models)
        .replace("@PASSPHRASE@\n", &if passphrase.is_empty() { passphrase } else { passphrase + "\n" });
    Some(filled)
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, text)?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        for (text, minutes) in [("00:00", 0), ("1:30", 90), ("06:05", 365), ("23:59", 1439)] {
            assert_eq!(minute(text), Ok(minutes), "{text}");
        }
        for text in ["", "6", "24:00", "12:60", "+1:00", "1:-5", "100:00", "a:b", "1:2:3"] {
            assert!(minute(text).unwrap_err().contains("01:30"), "{text}");
        }
    }

    #[test]
    fn both_services_are_filled_in_and_paths_cannot_say_more() {
        for text in [SYSTEMD, LAUNCHD] {
            let filled =
                fill(text, "/opt/icore", "/home/maya/my icore", "/home/maya/.cache/hinet", Some("/run/secret"))
                    .unwrap();
            assert!(
                !filled.contains('@') && filled.contains("/opt/icore") && filled.contains("/run/secret"),
                "{filled}"
            );
            let filled = fill(text, "/opt/icore", "/home/maya", "/c", None).unwrap();
            assert!(!filled.contains('@') && !filled.contains("PASSPHRASE"), "{filled}");
            for path in ["/a\"b", "/a\nExecStart=/evil", "/a<b", "/a%h", "/a\\b"] {
                assert_eq!(fill(text, path, "/h", "/c", None), None, "{path:?}");
            }
        }
    }
}
