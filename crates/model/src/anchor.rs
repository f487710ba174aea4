//! A model that writes: its weights, tokenizer and chat template, loaded once and shared by all sessions.

use crate::{
    Batch, BatchOptions, ChatTemplate, Config, Delta, ModelError, ModelPaths, Resident, Session, SessionOptions,
    Tokenizer, Turn,
    constrain::Forms,
    delta,
    gguf::Gguf,
    graph::Decoder,
    hf::Folder,
    kernels::{Crew, Kernel, Matrix, Running},
    kv::{KvPool, Shape},
    source::{Source, fits, free_memory},
    weights::{self, FastDecoder},
};
use hinet_protocol::Hash;
use std::{
    borrow::Cow,
    path::Path,
    sync::{Arc, OnceLock},
};

/// Threads used unless more are asked for: beyond this, a small model gains nothing.
const THREADS_MAX: usize = 8;
/// Tokens by which models of various makers end a turn or a text.
const ENDS: [&str; 8] =
    ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "</s>", "<|eom_id|>"];
/// Put inside a control token that somebody wrote into a text, so that it stays text (U+2060, word joiner).
const JOINER: char = '\u{2060}';

/// What must agree for two models to be composed by their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// The architecture's name.
    pub arch: String,
    /// Identifies everything that decides which tokens a text becomes.
    pub tokenizer: Hash,
    /// Identifies the weights.
    pub weights: Hash,
    /// The root it stands on, where it has one: a delta that is always there.
    pub root: Option<Hash>,
}

/// How to run a model. The results are the same for every number of threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Threads, the caller's included; `None` takes as many as the machine has, up to eight.
    pub threads: Option<usize>,
    /// Which kernels; `None` takes the fastest.
    pub kernel: Option<Kernel>,
}

/// A model that writes. Cloning is cheap: the weights are shared, and never change.
#[derive(Debug, Clone)]
pub struct Anchor(Arc<Inner>, Option<Arc<Root>>);

/// A delta that an anchor always has, under whatever else it is read with.
#[derive(Debug)]
struct Root {
    delta: Delta,
    resident: Resident,
    passport: Passport,
}

#[derive(Debug)]
struct Inner {
    decoder: FastDecoder,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    /// Tokens that end an answer.
    ends: Vec<u32>,
    /// The spellings of all control tokens.
    controls: Vec<String>,
    passport: Passport,
    crew: Arc<Crew>,
    running: Running,
    pool: KvPool,
    forms: OnceLock<Forms>,
}

/// What a model speaks with.
struct Chat<'a> {
    tokenizer: Tokenizer,
    template: Option<&'a str>,
    ends: Vec<u32>,
}

impl Anchor {
    /// Loads a model of the registry after checking the hash of its file.
    pub fn load(paths: &ModelPaths) -> Result<Self, ModelError> {
        Self::load_with(paths, LoadOptions::default())
    }

    /// The same, and says how to run it.
    pub fn load_with(paths: &ModelPaths, options: LoadOptions) -> Result<Self, ModelError> {
        Self::from_gguf(&Gguf::from_map(paths.open(".gguf")?)?, options)
    }

    /// Loads any GGUF file or folder of Hugging Face's, known or not.
    pub fn open(path: &Path, options: LoadOptions) -> Result<Self, ModelError> {
        if path.is_dir() {
            return Self::from_folder(&Folder::open(path)?, options);
        }
        Self::from_gguf(&Gguf::open(path)?, options)
    }

    /// Loads a parsed file. The file is not needed afterwards.
    pub fn from_gguf(file: &Gguf, options: LoadOptions) -> Result<Self, ModelError> {
        let config = Config::from_gguf(file)?;
        let tokenizer = Tokenizer::from_gguf(file)?;
        let ends = file.find_u64("tokenizer.ggml.eot_token_id").and_then(|id| u32::try_from(id).ok());
        let template = file.find_text("tokenizer.chat_template");
        let chat = Chat { tokenizer, template, ends: ends.into_iter().collect() };
        Self::build(file, config, chat, file.weights_hash()?, options)
    }

    fn from_folder(folder: &Folder, options: LoadOptions) -> Result<Self, ModelError> {
        let files = folder.chat()?;
        let tokenizer = Tokenizer::from_json(&folder.tokenizer()?, files.bos.as_deref(), files.eos.as_deref())?;
        let mut ends = files.ends;
        ends.extend(&folder.config.ends);
        let chat = Chat { tokenizer, template: files.template.as_deref(), ends };
        Self::build(folder, folder.config.config.clone(), chat, folder.weights_hash()?, options)
    }

    fn build(
        source: &dyn Source,
        config: Config,
        chat: Chat<'_>,
        weights: Hash,
        options: LoadOptions,
    ) -> Result<Self, ModelError> {
        let running = options.kernel.unwrap_or_else(Kernel::best).checked()?;
        fits(source.total_bytes(), free_memory())?;
        let Chat { tokenizer, template, mut ends } = chat;
        if tokenizer.vocabulary() > config.vocabulary {
            let problem = "it has more tokens than the model has rows for";
            return Err(ModelError::BadTokenizer { problem, source: None });
        }
        let arch = config.architecture.clone();
        let passport = Passport { arch, tokenizer: tokenizer.hash(), weights, root: None };
        let machine = || std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        ends.extend(ENDS.iter().filter_map(|name| tokenizer.special_id(name)).chain(tokenizer.eos()));
        let ids = 0..u32::try_from(tokenizer.vocabulary()).unwrap_or(u32::MAX);
        let controls = ids.filter(|id| tokenizer.is_control(*id));
        let controls = controls.filter_map(|id| tokenizer.special_text(id)).filter(|text| text.len() > 1);
        let mut decoder = weights::decoder(source, config)?;
        delta::number(&mut decoder, |matrix| &mut matrix.slot);
        let inner = Inner {
            controls: controls.map(str::to_owned).collect(),
            pool: KvPool::new(Shape::of(&decoder.config)),
            decoder,
            template: template.map(ChatTemplate::new).transpose()?,
            ends,
            tokenizer,
            passport,
            crew: Arc::new(Crew::new(options.threads.unwrap_or_else(machine))),
            running,
            forms: OnceLock::new(),
        };
        Ok(Self(Arc::new(inner), None))
    }

    /// The same anchor standing on `root`: every session, batch and reader of it has that delta too, and so has what is
    /// tuned on it. The weights are shared with this one.
    ///
    /// Refused for a delta of another anchor or with magnitudes (what a delta on top changes would no longer be what it
    /// was tuned to), and where there is a root already.
    pub fn rooted(&self, root: Delta) -> Result<Self, ModelError> {
        let unfit = |problem| Err(ModelError::BadRoot { problem });
        if self.1.is_some() {
            return unfit("there is a root already");
        }
        if root.iter().any(|(_, factors)| factors.magnitudes.is_some()) {
            return unfit("it gives rows a length (DoRA), and nothing can stand on that");
        }
        let resident = self.attach(&root)?;
        let passport = Passport { root: Some(resident.hash()), ..self.passport().clone() };
        Ok(Self(Arc::clone(&self.0), Some(Arc::new(Root { delta: root, resident, passport }))))
    }

    /// The delta this anchor stands on.
    #[must_use]
    pub fn root(&self) -> Option<&Delta> {
        self.1.as_deref().map(|root| &root.delta)
    }

    pub(crate) fn root_resident(&self) -> Option<&Resident> {
        self.1.as_deref().map(|root| &root.resident)
    }

    /// What decides with which models this one can be composed.
    #[must_use]
    pub fn passport(&self) -> &Passport {
        self.1.as_deref().map_or(&self.0.passport, |root| &root.passport)
    }

    /// The shape of the decoder.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.decoder.config
    }

    /// Tokens the model was trained to see at once.
    #[must_use]
    pub fn context(&self) -> usize {
        self.config().context
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// Which kernels run.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.0.running.kernel()
    }

    /// Threads that share the work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.crew.threads()
    }

    /// The tokens of a text. With `special`, spelled-out control tokens become those tokens: for rendered chats only.
    #[must_use]
    pub fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        self.0.tokenizer.encode(text, special)
    }

    /// The text of some tokens.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.0.tokenizer.decode(tokens)
    }

    /// Writes a conversation as the prompt the model was trained on; encode it with `special`.
    ///
    /// Control tokens that somebody wrote into a turn are broken up first, so that text can never end its turn and
    /// speak as someone else.
    pub fn render(&self, turns: &[Turn<'_>], add_generation_prompt: bool) -> Result<String, ModelError> {
        let template = self.0.template.as_ref().ok_or(ModelError::NoTemplate)?;
        let plain: Vec<Cow<'_, str>> = turns.iter().map(|turn| self.disarm(turn.content)).collect();
        let turns: Vec<Turn<'_>> =
            turns.iter().zip(&plain).map(|(turn, content)| Turn { role: turn.role, content }).collect();
        let tokenizer = &self.0.tokenizer;
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.special_text(id)).unwrap_or_default();
        template.render_turns(&turns, add_generation_prompt, text(tokenizer.bos()), text(tokenizer.eos()))
    }

    fn disarm<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for control in &self.0.controls {
            if text.contains(control.as_str()) {
                let first = control.chars().next().map_or(0, char::len_utf8);
                let broken = format!("{}{JOINER}{}", &control[..first], &control[first..]);
                text = Cow::Owned(text.replace(control.as_str(), &broken));
            }
        }
        text
    }

    /// A new conversation that holds up to `context` tokens.
    #[must_use]
    pub fn session(&self, context: usize) -> Session {
        self.session_with(SessionOptions { context, ..SessionOptions::default() })
    }

    /// The same, and says how its keys and values are kept and with whom they are shared.
    #[must_use]
    pub fn session_with(&self, options: SessionOptions) -> Session {
        Session::new(self, options)
    }

    /// Many sequences at once.
    #[must_use]
    pub fn batch(&self, options: BatchOptions) -> Batch {
        Batch::new(self, options)
    }

    /// The memory that the sequences of this anchor keep their keys and values in.
    #[must_use]
    pub fn kv_pool(&self) -> &KvPool {
        &self.0.pool
    }

    /// Whether a prompt can be read where `context` tokens are held.
    pub(crate) fn check_prompt(&self, prompt: &[u32], context: usize) -> Result<(), ModelError> {
        let vocabulary = self.config().vocabulary;
        if prompt.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        if prompt.len() > context {
            return Err(ModelError::PromptTooLong { tokens: prompt.len(), context });
        }
        match prompt.iter().find(|id| **id as usize >= vocabulary) {
            Some(&id) => Err(ModelError::UnknownToken { id, vocabulary }),
            None => Ok(()),
        }
    }

    /// The decoder and its weights, in the order of rows of the file they came from.
    #[must_use]
    pub fn decoder(&self) -> &Decoder<Matrix, Vec<f32>> {
        &self.0.decoder
    }

    /// Bytes that the weights take in memory, those of the root included.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let (mut matrices, mut gains) = (0, 0);
        self.decoder().map(|matrix| matrices += matrix.bytes(), |all| gains += size_of_val(all.as_slice()));
        matrices + gains + self.root_resident().map_or(0, Resident::bytes)
    }

    pub(crate) fn running(&self) -> Running {
        self.0.running
    }

    pub(crate) fn crew(&self) -> Arc<Crew> {
        Arc::clone(&self.0.crew)
    }

    /// Tokens that end an answer.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.0.ends
    }

    /// The token that stands for the end of an answer where a form admits one.
    pub(crate) fn end(&self) -> u32 {
        self.0.ends.first().copied().unwrap_or(u32::MAX)
    }

    /// What the vocabulary is to a grammar; made when it is first asked for.
    pub(crate) fn forms(&self) -> Result<&Forms, ModelError> {
        if self.0.ends.is_empty() {
            return Err(ModelError::Form { problem: "the model has no token that ends an answer".into() });
        }
        if self.0.forms.get().is_none() {
            let forms = Forms::new(self.tokenizer(), self.end())?;
            // Where two threads made it, one of both is kept.
            let _ = self.0.forms.set(forms);
        }
        self.0.forms.get().ok_or_else(|| ModelError::Form { problem: "the grammar could not be prepared".into() })
    }
}
