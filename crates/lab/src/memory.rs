//! The owner's iCore: a home of its own, whose memory is asked as anybody's is.

use crate::LabError;
use hinet_node::{
    Client, Settings, Unlock, connect,
    setup::{self, HomeState, InitOptions},
};
use hinet_protocol::{ChatParams, Event, Failure, Hit, Op, Turn};
use hinet_train::{TrainError, judge::Watch};
use std::{fs, path::Path};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// It seals nothing but made-up text.
const PASSPHRASE: &str = "a made-up owner sleeps on it";

/// The open home.
pub(crate) struct Memory {
    client: Client,
    runtime: Runtime,
}

impl Memory {
    /// Opens the home of `settings`, and makes it of these files where it is not there yet.
    pub fn open(settings: &Settings, folder: &Path, files: &[(String, String)]) -> Result<Self, LabError> {
        let disk = |source| LabError::Disk { path: folder.into(), source };
        let new = setup::state(settings)? == HomeState::Absent;
        if new {
            fs::create_dir_all(folder).map_err(disk)?;
            for (name, text) in files {
                fs::write(folder.join(name), text).map_err(disk)?;
            }
            setup::init(settings, InitOptions::made_up("Somebody", setup::NO_ROOT, PASSPHRASE))?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(disk)?;
        let unlock = Unlock::Passphrase(Zeroizing::new(PASSPHRASE.to_owned()));
        let client = runtime.block_on(connect(settings, &unlock))?;
        let memory = Self { client, runtime };
        // What is there already is not read twice.
        memory.one(Op::Ingest { paths: vec![folder.display().to_string()] })?;
        Ok(memory)
    }

    fn one(&self, op: Op) -> Result<Event, LabError> {
        Ok(self.runtime.block_on(self.client.one(op))?)
    }

    /// Has it answer with the delta of a folder.
    pub fn wear(&self, folder: &Path) -> Result<(), LabError> {
        let op = Op::DeltaImport { folder: folder.display().to_string(), name: None };
        let Event::Deltas { deltas } = self.one(op)? else { return Err(unexpected()) };
        let hash = deltas.first().map(|delta| delta.hash);
        self.one(Op::DeltaWear { hash }).map(drop)
    }

    /// Has the bare anchor answer.
    pub fn undress(&self) -> Result<(), LabError> {
        self.one(Op::DeltaWear { hash: None }).map(drop)
    }

    /// What it answers from its memory to each question, asked by itself. The watch is told of questions.
    pub fn ask(&self, questions: &[&str], watch: &mut Watch<'_>) -> Result<Vec<String>, LabError> {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            if !watch.goes_on(answers.len(), questions.len()) {
                return Err(TrainError::Unjudged.into());
            }
            let turn = Turn { incognito: Some(Vec::new()), ..Turn::default() };
            let params = ChatParams::default();
            let op = Op::Chat { session: None, text: (*question).to_owned(), turn, params };
            let Event::ChatDone { answer } = self.one(op)? else { return Err(unexpected()) };
            answers.push(answer.answer);
        }
        Ok(answers)
    }

    /// What it finds for each question, at most `most` passages, the best first. The watch is told of questions.
    pub fn find(&self, questions: &[&str], most: usize, watch: &mut Watch<'_>) -> Result<Vec<Vec<Hit>>, LabError> {
        let mut found = Vec::with_capacity(questions.len());
        for question in questions {
            if !watch.goes_on(found.len(), questions.len()) {
                return Err(TrainError::Unjudged.into());
            }
            let op = Op::Search { query: (*question).to_owned(), k: most };
            let Event::Hits { hits } = self.one(op)? else { return Err(unexpected()) };
            found.push(hits);
        }
        Ok(found)
    }

    /// Closes it.
    pub fn close(self) {
        self.runtime.block_on(self.client.close());
    }
}

fn unexpected() -> LabError {
    Failure::new(
        hinet_protocol::ErrorKind::Failed,
        "It answered something that was not asked for.",
        "This is a fault of the program.",
    )
    .into()
}
