//! Runs the built binary in a place of its own: no terminal, no variables of this machine, no models.

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The binary under test.
pub const ICORE: &str = env!("CARGO_BIN_EXE_icore");
/// The passphrase of every home here.
pub const PASSPHRASE: &str = "a plain phrase for tests";

/// A machine with nothing on it.
pub struct Place {
    dir: TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.path("user")).unwrap();
        std::fs::write(place.path("pass"), format!("{PASSPHRASE}\n")).unwrap();
        private(&place.path("pass"));
        place
    }

    /// A place with a home in it, made without a terminal.
    pub fn with_home() -> Self {
        let place = Self::new();
        let (pass, words) = (place.text("pass"), place.text("words"));
        let ran =
            place.run(&["init", "--name", "Maya", "--passphrase-file", &pass, "--recovery-out", &words, "--no-models"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file below this place.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command with nothing said yet but where things are.
    pub fn command(&self) -> Command {
        let mut command = Command::new(ICORE);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("user")).env("COLUMNS", "100").env("TZ", "UTC").env("TMPDIR", self.dir.path());
        command.env("ICORE_HOME", self.path("home")).env("ICORE_MODELS", self.path("models"));
        command
    }

    /// Runs with the home unlocked.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command().env("ICORE_PASSPHRASE_FILE", self.path("pass")).args(args))
    }

    /// Runs with nothing to unlock with.
    pub fn run_locked(&self, args: &[&str]) -> Ran {
        Ran::of(self.command().args(args))
    }

    /// Runs with `--json` and reads what it printed.
    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {ran:?}"))
    }
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The failure printed with `--json`.
    pub fn failure(&self) -> Value {
        let printed: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let error = printed["error"].clone();
        for field in ["kind", "message", "hint"] {
            assert!(error[field].is_string(), "{field}: {printed}");
        }
        error
    }
}

/// Shuts a file against everyone else.
pub fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The names of an object's fields, sorted.
pub fn fields(value: &Value) -> Vec<String> {
    let mut names: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    names
}
