//! What the end-to-end tests share: a made-up owner's home, and the built `icore` run as a person would run it.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(clippy::disallowed_types, reason = "the tests start the built icore and knock at its door")]

pub mod corpus;
pub mod office;
pub mod opened;
pub mod process;
pub mod screen;

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The passphrase of every test home.
pub const PASSPHRASE: &str = "a lantern over the estuary";

/// Where the models of this machine are.
pub fn models() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap();
    std::env::var_os("ICORE_MODELS").map_or_else(
        || std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), Into::into).join("hinet/models"),
        Into::into,
    )
}

/// A home in a temporary folder, gone with the value.
pub struct Person {
    /// The temporary folder: `home`, `files`, `passphrase`, `words`.
    pub dir: tempfile::TempDir,
}

impl Person {
    /// A folder with a passphrase file, and no home yet.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("icore-test-").tempdir().unwrap();
        std::fs::write(dir.path().join("passphrase"), PASSPHRASE).unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        Self { dir }
    }

    /// A person whose home is made and whose models are here.
    pub fn settled() -> Self {
        let person = Self::new();
        let made = person.run(
            ["init", "--name", "Maya", "--root", "general", "--passphrase-file"],
            [person.path("passphrase").as_os_str(), OsStr::new("--recovery-out"), person.path("words").as_os_str()],
        );
        assert!(made.status.success(), "init failed: {}", text(&made.stderr));
        person
    }

    /// A path in the person's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The home.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The folder of the person's documents.
    pub fn files(&self) -> PathBuf {
        self.path("files")
    }

    /// Writes a document.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.files().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `icore`, set up for this person: the one just built, or for a long trial the one `ICORE_BINARY` names.
    pub fn command(&self) -> Command {
        let built = std::env::var_os("ICORE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_icore").into());
        let mut command = Command::new(built);
        command
            .env("ICORE_HOME", self.home())
            .env("ICORE_PASSPHRASE_FILE", self.path("passphrase"))
            .env("TMPDIR", self.dir.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs `icore` with arguments and more arguments.
    pub fn run<A, B>(&self, arguments: impl IntoIterator<Item = A>, more: impl IntoIterator<Item = B>) -> Output
    where
        A: AsRef<OsStr>,
        B: AsRef<OsStr>,
    {
        self.command().args(arguments).args(more).output().expect("the built icore starts")
    }

    /// Runs `icore` and returns what it printed; fails the test where it fails.
    pub fn icore<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let arguments: Vec<_> = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let output = self.command().args(&arguments).output().expect("the built icore starts");
        assert!(
            output.status.success(),
            "icore {arguments:?} exited with {:?}\n{}\n{}",
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs `icore … --json` and parses what it printed.
    pub fn json<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Value {
        let mut arguments: Vec<_> = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        arguments.push("--json".into());
        let printed = self.icore(&arguments);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("icore {arguments:?} printed no JSON ({error}): {printed}"))
    }

    /// Starts `icore node` and waits until its socket answers.
    pub fn node(&self) -> RunningNode {
        self.start_node(Stdio::null(), "off")
    }

    /// [`Person::node`] with its own records turned up, for [`RunningNode::rest_of_log`].
    pub fn node_logging(&self) -> RunningNode {
        self.start_node(Stdio::piped(), "trace")
    }

    fn start_node(&self, log: Stdio, level: &str) -> RunningNode {
        let child =
            self.command().arg("node").env("ICORE_LOG", level).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut node = RunningNode { child, socket: socket(&self.home()) };
        for _ in 0..600 {
            if std::os::unix::net::UnixStream::connect(&node.socket).is_ok() {
                return node;
            }
            if let Some(status) = node.child.try_wait().unwrap() {
                panic!("icore node ended with {status}");
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("icore node did not open its socket")
    }
}

fn socket(home: &Path) -> PathBuf {
    home.join("node.sock")
}

/// An `icore node`, killed with the value.
pub struct RunningNode {
    /// The process.
    pub child: Child,
    /// Its socket.
    pub socket: PathBuf,
}

impl RunningNode {
    /// What it logged, once it has ended. A node that logs more than a pipe holds would wait: keep its work short.
    pub fn rest_of_log(&mut self) -> Vec<u8> {
        let mut log = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut log).unwrap();
        log
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A seeded xorshift, so that a run that failed can be repeated.
pub struct Dice(u64);

impl Dice {
    /// The same seed rolls the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `below`.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// A number from the environment, for trials that are longer than the tests.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every file below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
