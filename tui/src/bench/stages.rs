//! What is measured, one stage after the other, each through the terminal.

use hinet_node::{Presence, Settings, Unlock};
use hinet_protocol::{Failure, Op};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

use super::figures::{Figure, Goal, Report, ms};
use super::terminal::{Opening, Terminal};
use super::{PATIENCE, Plan, Say, Told, broken, home, process, stuck, texts};

/// Columns and rows of everything that is measured.
const SIZE: (u16, u16) = (120, 40);
/// Between two key presses, as a quick typist makes them.
const PACE: Duration = Duration::from_millis(30);
/// Longest a single key is waited for before it counts as this long.
const KEY_PATIENCE: Duration = Duration::from_secs(5);
/// Longest run of typed letters; then they are taken back one by one.
const WORD: usize = 24;
/// Letters that are typed: their runs occur in no text.
const LETTERS: &[u8] = b"qzxjwvkhqxzwjkvqhzxkwjvz";
/// Asks for much to be written, from the model's own weights.
const STORY: &str = "Write a very long story about a river and a mill, with many characters";
/// How long the screen must be quiet before idling is measured.
const QUIET: Duration = Duration::from_secs(3);
/// The lock screen's last line.
const LOCKED: &str = "Ctrl+Q quit";
/// What the top line says once the panes are there.
const OPEN: &str = "ledger ✓";
/// What is on the screen as long as an answer is being made.
const ANSWERING: &str = "Esc stops";
/// Files of one import; imports follow each other as long as one is wanted.
const IMPORT_FILES: usize = 400;
/// Nothing comes for so long after a whole frame.
const FRAME_PAUSE: Duration = Duration::from_millis(12);
/// Longer than the face takes to read one key, whatever else runs.
const ESC_PAUSE: Duration = Duration::from_millis(400);
/// Keys of the scrolling stage.
const PAGES: usize = 200;

/// All stages.
pub fn run(plan: &Plan, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    starts(plan, report, say)?;
    let mut face = open(plan, &[])?;
    unlock(plan, &mut face)?;
    idle(plan, &mut face, report, say)?;
    scrolling(&mut face, report, say)?;
    keys(plan, &mut face, report, say)?;
    leave(face)?;
    streaming(plan, report, say)
}

fn open(plan: &Plan, args: &[&str]) -> Result<Terminal, Failure> {
    let set = |name: &str, value: PathBuf| (name.to_owned(), value.into_os_string());
    let opening = Opening {
        program: plan.program.clone(),
        args: args.iter().map(Into::into).collect(),
        env: vec![
            set("ICORE_HOME", plan.settings.home.clone()),
            set("ICORE_MODELS", plan.settings.models.clone()),
            ("TERM".into(), "xterm-256color".into()),
            ("COLORTERM".into(), "truecolor".into()),
            ("LANG".into(), "C.UTF-8".into()),
        ],
        unset: ["LC_ALL", "LC_CTYPE", "ICORE_PASSPHRASE_FILE", "ICORE_LOG", "ICORE_THEME", "NO_COLOR"]
            .map(str::to_owned)
            .to_vec(),
        size: SIZE,
        keeps_bytes: false,
    };
    Terminal::open(&opening).map_err(broken)
}

fn shows(screen: &vt100::Screen, what: &str) -> bool {
    screen.contents().contains(what)
}

fn wait(face: &Terminal, what: &str) -> Result<Instant, Failure> {
    face.wait_until(PATIENCE, |screen| shows(screen, what)).ok_or_else(|| stuck(what, &face.text()))
}

/// From the Enter behind the passphrase until the panes are drawn.
fn unlock(plan: &Plan, face: &mut Terminal) -> Result<Duration, Failure> {
    wait(face, LOCKED)?;
    face.press(plan.passphrase.as_bytes()).map_err(broken)?;
    // The dots of the passphrase are drawn before the clock starts.
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    face.press("\r").map_err(broken)?;
    Ok(wait(face, OPEN)?.duration_since(begun))
}

fn leave(mut face: Terminal) -> Result<(), Failure> {
    face.press("\x11").map_err(broken)?;
    face.ended(PATIENCE).map(drop).ok_or_else(|| stuck("the end of icore", &face.text()))
}

fn starts(plan: &Plan, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    say(Told::Doing("Starting it again and again …"));
    let (mut first, mut opened) = (Vec::new(), Vec::new());
    for round in 0..plan.starts {
        let mut face = open(plan, &[])?;
        first.push(ms(wait(&face, LOCKED)?.duration_since(face.started())));
        if round < plan.starts.div_ceil(4) {
            opened.push(ms(unlock(plan, &mut face)?));
        }
        leave(face)?;
    }
    report.add(Figure::new("first frame after start (the lock screen)", "ms", first).promised(Goal::Max(100.0)), say);
    report.add(Figure::new("from the passphrase's Enter to the panes (stretching it included)", "ms", opened), say);
    Ok(())
}

/// Waits until nothing has come for a while.
fn quiet(face: &Terminal) {
    let until = Instant::now() + PATIENCE;
    let (mut bytes, mut since) = (face.bytes(), Instant::now());
    while since.elapsed() < QUIET && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
        if face.bytes() != bytes {
            (bytes, since) = (face.bytes(), Instant::now());
        }
    }
}

fn idle(plan: &Plan, face: &mut Terminal, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    say(Told::Doing(&format!("Doing nothing for {} seconds …", plan.idle_s)));
    quiet(face);
    let pid = face.pid().ok_or_else(|| broken("the face has no process"))?;
    let (bytes, time) = (face.bytes(), process::processor_time(pid));
    std::thread::sleep(Duration::from_secs(plan.idle_s));
    let drawn = (face.bytes() - bytes) as f64;
    let name = format!("bytes written to the terminal in {} idle seconds", plan.idle_s);
    report.add(Figure::new(name, "bytes", vec![drawn]).promised(Goal::Max(0.0)), say);
    if let (Some(before), Some(after)) = (time, process::processor_time(pid)) {
        let name = format!("processor time of the face with its node in {} idle seconds", plan.idle_s);
        report.add(Figure::new(name, "ms", vec![ms(after.saturating_sub(before))]), say);
    }
    Ok(())
}

fn scrolling(face: &mut Terminal, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    say(Told::Doing("Scrolling through the long conversation …"));
    // From a new conversation, and found by its title: in a home that is used again, others are newer.
    face.press("\x0e").map_err(broken)?;
    quiet(face);
    face.press("\x0f").map_err(broken)?;
    wait(face, "onversations")?;
    face.press(home::TITLE).map_err(broken)?;
    let listed = |screen: &vt100::Screen| screen.contents().matches(home::TITLE).count() >= 2;
    face.wait_until(PATIENCE, listed).ok_or_else(|| stuck("the long conversation in the list", &face.text()))?;
    quiet(face);
    let begun = Instant::now();
    face.press("\r").map_err(broken)?;
    let is_open =
        |screen: &vt100::Screen| shows(screen, &format!("chat · {}", home::TITLE)) && shows(screen, "icore  ");
    let there = face.wait_until(PATIENCE, is_open).ok_or_else(|| stuck("the long conversation", &face.text()))?;
    report.add(Figure::new("opening the long conversation", "ms", vec![ms(there.duration_since(begun))]), say);
    quiet(face);
    for (name, key) in [("PageUp", "\x1b[5~"), ("PageDown", "\x1b[6~")] {
        let mut samples = Vec::new();
        for _ in 0..PAGES {
            let before = face.text();
            let pressed = Instant::now();
            face.press(key).map_err(broken)?;
            let moved = face.wait_until(KEY_PATIENCE, |screen| screen.contents() != before);
            moved.ok_or_else(|| stuck(&format!("what {name} does"), &before))?;
            // To the last byte of the frame.
            samples.push(ms(face.settled(FRAME_PAUSE).duration_since(pressed)));
        }
        let rate = PAGES as f64 * 1_000.0 / samples.iter().sum::<f64>();
        let name = format!("{name} in the long conversation, key to screen");
        report.add(Figure::new(name, "ms", samples).promised(Goal::P99(16.0)), say);
        report.add(Figure::new("  pages a second that comes to", "pages/s", vec![rate]), say);
    }
    Ok(())
}

/// Typing, in the four states of the machine.
fn keys(plan: &Plan, face: &mut Terminal, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    // A new conversation: what is typed has nothing to do with how long the other is.
    face.press("\x0e").map_err(broken)?;
    quiet(face);
    let goal = Goal::P99(16.0);
    say(Told::Doing("Typing while nothing happens …"));
    let mut typist = Typist::default();
    let samples = typist.press(face, plan.presses, |_| true)?;
    typist.clear(face)?;
    report.add(Figure::new("key to screen, idle", "ms", samples).promised(goal), say);
    say(Told::Doing("Typing while the model writes …"));
    let samples = while_generating(plan, face)?;
    report.add(Figure::new("key to screen, the model writing", "ms", samples).promised(goal), say);
    say(Told::Doing("Typing while files are imported …"));
    let import = Import::start(plan)?;
    let samples = typist.press(face, plan.presses, |_| true)?;
    typist.clear(face)?;
    report.add(Figure::new("key to screen, an import running", "ms", samples).promised(goal), say);
    say(Told::Doing("Typing while both happen …"));
    let samples = while_generating(plan, face)?;
    report
        .add(Figure::new("key to screen, the model writing and an import running", "ms", samples).promised(goal), say);
    let files = import.stop()?;
    report.notes.push(format!("{files} files were imported, vectors included, while keys were pressed"));
    Ok(())
}

/// Asks for stories and types as long as they stream.
fn while_generating(plan: &Plan, face: &mut Terminal) -> Result<Vec<f64>, Failure> {
    let mut samples = Vec::new();
    while samples.len() < plan.presses {
        ask_for_story(face)?;
        let mut typist = Typist::default();
        let left = plan.presses - samples.len();
        samples.extend(typist.press(face, left, |screen| shows(screen, ANSWERING))?);
        // Not what streams: the next story is asked for at once.
        stop(face)?;
        typist.clear(face)?;
    }
    Ok(samples)
}

/// Stops an answer. Nothing is typed before it is over: an Esc and a key that come in one piece are Alt with that key.
fn stop(face: &mut Terminal) -> Result<(), Failure> {
    face.press("\x1b").map_err(broken)?;
    let over = face.wait_until(PATIENCE, |screen| !shows(screen, ANSWERING));
    over.map(drop).ok_or_else(|| stuck("the end of an answer", &face.text()))?;
    std::thread::sleep(ESC_PAUSE);
    Ok(())
}

fn ask_for_story(face: &mut Terminal) -> Result<(), Failure> {
    face.press(STORY).map_err(broken)?;
    wait(face, "many characters")?;
    face.press("\r").map_err(broken)?;
    wait(face, "answering")?;
    Ok(())
}

/// Types letters into the input and takes them back.
#[derive(Default)]
struct Typist {
    typed: String,
    back: bool,
}

impl Typist {
    /// At most `n` key presses, as long as the screen is as it should be; gives how long each took to be seen.
    fn press(
        &mut self,
        face: &mut Terminal,
        n: usize,
        goes_on: impl Fn(&vt100::Screen) -> bool,
    ) -> Result<Vec<f64>, Failure> {
        let mut samples = Vec::new();
        while samples.len() < n && face.look(&goes_on) {
            let before = self.typed.clone();
            self.back = if before.len() >= WORD { true } else { self.back && before.len() > 2 };
            let pressed = Instant::now();
            if self.back {
                self.typed.pop();
                face.press("\x7f").map_err(broken)?;
            } else {
                let letter = LETTERS[before.len() % LETTERS.len()];
                self.typed.push(char::from(letter));
                face.press([letter]).map_err(broken)?;
            }
            let (typed, back) = (self.typed.clone(), self.back);
            let seen = face.wait_until(KEY_PATIENCE, |screen| {
                let shown = last_rows(screen);
                if back { !shown.contains(&before) && shown.contains(&typed) } else { shown.contains(&typed) }
            });
            let seen = seen.ok_or_else(|| stuck(&format!("\"{typed}\" in the input"), &face.text()))?;
            samples.push(ms(seen.saturating_duration_since(pressed)));
            std::thread::sleep(PACE);
        }
        Ok(samples)
    }

    /// Takes everything back.
    fn clear(&mut self, face: &mut Terminal) -> Result<(), Failure> {
        let some = self.typed.clone();
        for _ in 0..self.typed.len() {
            face.press("\x7f").map_err(broken)?;
        }
        if some.len() > 1 {
            let gone = face.wait_until(PATIENCE, |screen| !last_rows(screen).contains(&some[..2]));
            gone.ok_or_else(|| stuck("the emptied input", &face.text()))?;
        }
        self.typed.clear();
        self.back = false;
        Ok(())
    }
}

/// The rows the input is in.
fn last_rows(screen: &vt100::Screen) -> String {
    let (rows, cols) = screen.size();
    let first = usize::from(rows.get().saturating_sub(12));
    screen.rows(0, cols.get()).skip(first).collect::<Vec<_>>().join("\n")
}

/// Imports that follow each other, asked for by a guest of the face's own node.
struct Import {
    stop: Arc<AtomicBool>,
    work: JoinHandle<Result<u64, Failure>>,
}

impl Import {
    fn start(plan: &Plan) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (settings, dir) = (Settings { presence: Presence::Brief, ..plan.settings.clone() }, plan.dir.clone());
        let (unlock, told) = (plan.unlock(), stop.clone());
        let (begun, begins) = std::sync::mpsc::channel();
        let work = std::thread::spawn(move || {
            let runtime = Runtime::new().map_err(broken)?;
            runtime.block_on(import(&settings, &unlock, &dir, &told, &begun))
        });
        // Where it could not begin, its own failure says so at the end.
        let _ = begins.recv_timeout(PATIENCE);
        Ok(Self { stop, work })
    }

    fn stop(self) -> Result<u64, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.work.join().map_err(|_| broken("the import ended by a fault"))?
    }
}

async fn import(
    settings: &Settings,
    unlock: &Unlock,
    dir: &Path,
    stop: &AtomicBool,
    begun: &std::sync::mpsc::Sender<()>,
) -> Result<u64, Failure> {
    let client = hinet_node::connect(settings, unlock).await?;
    // Each run has its own names, so that a home that is used again has something new to read.
    let mut seed = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    let mut files = 0;
    while !stop.load(Ordering::Relaxed) {
        let folder = dir.join("imports").join(seed.to_string());
        texts::write_notes(&folder, IMPORT_FILES, seed).map_err(broken)?;
        let path = folder.to_string_lossy().into_owned();
        let mut stream = client.call(Op::Ingest { paths: vec![path] }).await?;
        while let Some(event) = stream.next().await {
            let _ = begun.send(());
            if stop.load(Ordering::Relaxed) {
                // Dropped, the stream cancels its request; what was read is kept.
                break;
            }
            if let hinet_protocol::Event::Failed { failure } = event {
                return Err(failure);
            }
        }
        files += IMPORT_FILES as u64;
        seed += 1;
    }
    client.close().await;
    Ok(files)
}

/// Memory of the face alone over many streamed answers: the node runs apart, the face is attached to it.
fn streaming(plan: &Plan, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    if plan.minutes <= 0.0 {
        return Ok(());
    }
    say(Told::Doing(&format!("Streaming answers for {} minutes …", plan.minutes)));
    let mut node = open(plan, &["node"])?;
    wait(&node, "Passphrase")?;
    node.press(plan.passphrase.as_bytes()).and_then(|()| node.press("\r")).map_err(broken)?;
    wait(&node, "The node is running")?;
    let mut face = open(plan, &[])?;
    unlock(plan, &mut face)?;
    let pid = face.pid().ok_or_else(|| broken("the face has no process"))?;
    let until = Instant::now() + Duration::from_secs_f64(plan.minutes * 60.0);
    let (mut samples, mut stories, bytes) = (Vec::new(), 0u32, face.bytes());
    while Instant::now() < until {
        ask_for_story(&mut face)?;
        stories += 1;
        while Instant::now() < until && face.look(|screen| shows(screen, ANSWERING)) {
            std::thread::sleep(Duration::from_millis(500));
            samples.extend(process::resident_mb(pid));
        }
    }
    let drawn = (face.bytes() - bytes) as f64 / 1e6;
    report.notes.push(format!(
        "the stream: {stories} stories of the real model asked for one after the other in one conversation, {drawn:.1} MB \
         drawn"
    ));
    let quarter = |from: usize, to: usize| Figure::new("", "MB", samples[from..to].to_vec()).rank(0.5);
    if samples.len() >= 8 {
        let (second, last) =
            (quarter(samples.len() / 4, samples.len() / 2), quarter(samples.len() * 3 / 4, samples.len()));
        let hours = plan.minutes / 2.0 / 60.0;
        let name = "growth of the face's memory (medians of the second and the last quarter)";
        report.add(Figure::new(name, "MB/h", vec![(last - second) / hours]), say);
    }
    report.add(Figure::new("memory of the face, attached, over the stream", "MB", samples), say);
    stop(&mut face)?;
    leave(face)?;
    node.press("\x03").map_err(broken)?;
    node.ended(PATIENCE).map(drop).ok_or_else(|| stuck("the end of the node", &node.text()))
}
