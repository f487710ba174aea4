//! Saying it: the model reads one passage at a time, as many as it can be trusted with; what it says is held against
//! the passage, and the passage is quoted where the words cannot be grounded.

use hinet_index::read::{Grounding, Intent, Question, ground, only_asks, quote};
use hinet_model::registry::SamplingDefaults;
use hinet_model::{Sampling, StopReason};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::prompt::{self, Prompt};
use super::reader::{NOT_IN_MEMORY, cited};
use super::{Asked, ChatParams, Citation, Cut, Event, Message, Node, Recalled, Sink, TokenCounts};
use super::{members, union, voice};
use crate::failure::NodeError;
use crate::flows::assembly::Composed;
use crate::mind::{About, Spoken};
use crate::protocol::{Hash, Hit, Mode, Span};

/// Tokens of an answer from the memory, where the caller names no number.
const ANSWER_TOKENS: usize = 96;
/// Evidence so strong is shown word for word where a root finds no answer in it.
const SURE: f32 = 0.55;
/// Readings, of as many passages as the anchor reads at once, before the best passage is quoted.
const TRIES: usize = 2;

/// Tokens guessed ahead while an answer is written from passages, which it repeats: of 2, 4 and 8 this was the quickest
/// (`cargo run --release -p hinet-model --example reading`).
const GUESSES: usize = 4;

/// Temperature of an answer that is made again, at least: a greedy one would only be the same once more.
const AGAIN_TEMPERATURE: f32 = 0.7;
/// Tokens below this share of the best one's probability are not tried then either.
const AGAIN_MIN_P: f32 = 0.1;

/// What icore says of itself: true whatever model answers.
const ABOUT: &str = include_str!("../../../../../prompts/about.md");
/// The same, where there is no memory yet.
const NOTHING_READ: &str = "That is not in your memory: nothing has been read yet. Open a folder first, in the \
     sources pane or with `icore sources add FOLDER`.";

/// An answer before it is stored.
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) how: &'static str,
    pub(super) citations: Vec<Citation>,
    pub(super) cut: Vec<Cut>,
    pub(super) tokens: TokenCounts,
    pub(super) tokens_per_s: f32,
    pub(super) context: f32,
    pub(super) deltas: Vec<Hash>,
    /// Who answered, where an assembly was asked.
    pub(super) composed: Option<Composed>,
}

/// What is the same for every try of one turn.
pub(super) struct Turn<'a> {
    pub(super) node: &'a Node,
    pub(super) text: &'a str,
    pub(super) history: &'a [Message],
    pub(super) params: &'a ChatParams,
    pub(super) again: bool,
    pub(super) sink: &'a Sink,
    pub(super) cancel: &'a CancellationToken,
}

/// Answers one message.
pub(super) async fn answer(
    node: &Node,
    asked: &Asked,
    recalled: &Recalled,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Reply, NodeError> {
    let Asked { text, params, again, .. } = asked;
    // A small reader is led astray by earlier turns it does not need.
    let history = if recalled.follows { &asked.history[..] } else { &[] };
    let turn = Turn { node, text, history, params, again: *again, sink, cancel };
    let Some(assembly) = &asked.turn.assembly else { return alone(&turn, asked, recalled).await };
    // The memory comes first: what it answers needs nobody else.
    let open = matches!(recalled.question.intent, Intent::Recall | Intent::Converse) && !asked.turn.voice;
    let mut composed = members::alone(&turn, assembly, open).await?;
    let nothing = recalled.passages().next().is_none();
    if open && nothing {
        let question = recalled.question.intent == Intent::Recall;
        let mut silent = Vec::new();
        if question {
            match union::answer(&turn, asked, assembly, &recalled.question, false).await? {
                Ok(reply) => return Ok(reply),
                Err(why) => silent = why,
            }
        }
        composed = members::choose(&turn, assembly).await?;
        union::note(&mut composed, &silent);
        if let Some(reply) = members::answer(&turn, &mut composed, question).await? {
            return Ok(reply);
        }
    }
    let mut reply = alone(&turn, asked, recalled).await?;
    if open && !nothing && reply.how == "not_in_memory" {
        let silent = match union::answer(&turn, asked, assembly, &recalled.question, true).await? {
            Ok(reply) => return Ok(reply),
            Err(why) => why,
        };
        composed = members::choose(&turn, assembly).await?;
        union::note(&mut composed, &silent);
        if composed.said.mode != Mode::Own {
            sink.send_until(Event::ChatReset, cancel).await;
        }
        if let Some(reply) = members::answer(&turn, &mut composed, true).await? {
            return Ok(reply);
        }
    }
    reply.composed = Some(composed);
    Ok(reply)
}

/// Answers one message without others.
async fn alone(turn: &Turn<'_>, asked: &Asked, recalled: &Recalled) -> Result<Reply, NodeError> {
    let &Turn { node, sink, cancel, .. } = turn;
    if asked.turn.voice {
        return draft(turn, &asked.turn).await;
    }
    match recalled.question.intent {
        Intent::Recall => {}
        Intent::Converse | Intent::Greet => return talk(turn).await,
        Intent::About => {
            sink.send(Event::ChatDelta { text: ABOUT.trim().into() }).await;
            return Ok(said(ABOUT.trim().into(), "about"));
        }
    }
    let about = tokio::select! {
        about = turn.node.mind.about() => about?,
        // Another answer is being made, and this one is no longer wanted.
        () = cancel.cancelled() => return Err(crate::mind::not_begun()),
    };
    let readings = recalled.readings(about.passages, TRIES);
    if readings.is_empty() {
        let empty = node.vault.read(|r| r.counts())?.items == 0;
        let text = if empty { NOTHING_READ } else { NOT_IN_MEMORY };
        sink.send_until(Event::ChatDelta { text: text.into() }, cancel).await;
        return Ok(said(text.into(), "not_in_memory"));
    }
    read(turn, &about, &recalled.question, &readings, (recalled.strongest(), &recalled.near[..])).await
}

/// Reads passages, as many at a time as each reading has, until an answer is grounded in one; else quotes the best of them, or
/// believes a root that finds none in doubtful evidence. `near` is how near each sentence of the best one is in meaning.
pub(super) async fn read(
    turn: &Turn<'_>,
    about: &About,
    question: &Question,
    readings: &[Vec<&Hit>],
    (strongest, near): (f32, &[f32]),
) -> Result<Reply, NodeError> {
    let &Turn { text, sink, cancel, .. } = turn;
    let passages: Vec<&Hit> = readings.iter().flatten().copied().collect();
    let (mut last, mut refusals) = (None, 0);
    for group in readings {
        let (spoken, cut) = say(turn, group).await?;
        let written = spoken.generated.text.trim();
        let named = cited(written).filter(|_| about.cites);
        let mut reply = reply(&spoken, cut);
        let stopped = spoken.generated.stopped == StopReason::Cancelled;
        let refused = about.cites && reply.text.starts_with(NOT_IN_MEMORY);
        let support = if refused { None } else { supporting(&reply.text, group, text, named) };
        if stopped || support.is_some() {
            reply.how = if stopped { "stopped" } else { "generated" };
            if let Some(n) = support.filter(|_| !stopped) {
                mark(turn, &mut reply, written, n).await;
            }
            reply.citations = group.iter().map(|hit| cite(hit)).collect();
            return Ok(reply);
        }
        sink.send_until(Event::ChatReset, cancel).await;
        refusals += usize::from(refused);
        last = Some(reply);
    }
    let (Some(tried), Some(best)) = (last, passages.first()) else {
        return Ok(said(NOT_IN_MEMORY.into(), "not_in_memory"));
    };
    // A root that found no answer is believed where the evidence is doubtful too; where it is not, the owner sees the words.
    if refusals == readings.len() && strongest < SURE {
        sink.send_until(Event::ChatDelta { text: NOT_IN_MEMORY.into() }, cancel).await;
        return Ok(Reply { text: NOT_IN_MEMORY.into(), how: "not_in_memory", ..tried });
    }
    // What was measured are the sentences of the best passage.
    let quoted = |at: usize, hit: &Hit| {
        let near = if at == 0 { near } else { &[] };
        hit.text[quote(question, &hit.title, &hit.text, near)].trim().to_owned()
    };
    let mut all = passages.iter().enumerate().map(|(at, hit)| (at, quoted(at, hit)));
    // Somebody's question is no answer, where another passage says something.
    let (at, words) = all.find(|(_, words)| !only_asks(words)).unwrap_or_else(|| (0, quoted(0, best)));
    let text = format!("“{words}” [{}]", at + 1);
    sink.send_until(Event::ChatDelta { text: text.clone() }, cancel).await;
    let citations = passages.iter().map(|hit| cite(hit)).collect();
    Ok(Reply { text, how: "quoted", citations, ..tried })
}

/// Ends an answer with the number of its passage, where what the reader wrote does not already.
async fn mark(turn: &Turn<'_>, reply: &mut Reply, written: &str, n: usize) {
    let mark = format!(" [{}]", n + 1);
    let whole = format!("{}{mark}", reply.text);
    if written == reply.text {
        turn.sink.send_until(Event::ChatDelta { text: mark }, turn.cancel).await;
    } else if written != whole {
        // It named another passage, or none at the end.
        turn.sink.send_until(Event::ChatReset, turn.cancel).await;
        turn.sink.send_until(Event::ChatDelta { text: whole.clone() }, turn.cancel).await;
    }
    reply.text = whole;
}

/// Which passage of the prompt an answer is grounded in; the one that the reader named, where it is.
fn supporting(answer: &str, group: &[&Hit], question: &str, named: Option<usize>) -> Option<usize> {
    let grounded = |n: usize| {
        group.get(n).is_some_and(|hit| ground(answer, &hit.title, &hit.text, question) == Grounding::Grounded)
    };
    let named = named.and_then(|number| number.checked_sub(1));
    named.into_iter().chain(0..group.len()).find(|n| grounded(*n))
}

/// Free talk: the model answers from its weights, and no citation is shown.
async fn talk(turn: &Turn<'_>) -> Result<Reply, NodeError> {
    let (spoken, cut) = say(turn, &[]).await?;
    let mut reply = reply(&spoken, cut);
    if spoken.generated.stopped == StopReason::Cancelled {
        reply.how = "stopped";
    }
    Ok(reply)
}

/// A draft in the owner's voice, with the owner's own passages that it follows.
async fn draft(turn: &Turn<'_>, wanted: &super::Turn) -> Result<Reply, NodeError> {
    let samples = voice::samples(turn.node, turn.text, wanted).await?;
    let about = turn.node.mind.about().await?;
    let mut sampling = sampling(turn.params, &about.sampling, false, turn.again);
    sampling.max_tokens = turn.params.max_tokens.unwrap_or(voice::DRAFT_TOKENS);
    sampling.stop = voice::ENDS.map(str::to_owned).to_vec();
    let (sampling, reserved) = room(sampling, about.context);
    let built = voice::build(turn.node, turn.text, &samples, about.context, reserved).await?;
    let (spoken, cut) = stream(turn, built, sampling, Vec::new()).await?;
    let mut reply = reply(&spoken, cut);
    reply.how = if spoken.generated.stopped == StopReason::Cancelled { "stopped" } else { "draft" };
    reply.citations = samples.iter().map(cite).collect();
    Ok(reply)
}

fn said(text: String, how: &'static str) -> Reply {
    Reply {
        text,
        how,
        citations: Vec::new(),
        cut: Vec::new(),
        tokens: TokenCounts::default(),
        tokens_per_s: 0.0,
        context: 0.0,
        deltas: Vec::new(),
        composed: None,
    }
}

pub(super) fn reply(spoken: &Spoken, cut: Vec<Cut>) -> Reply {
    let made = &spoken.generated;
    let tokens = TokenCounts { prompt: made.prompt, cached: made.cached, generated: made.generated };
    let tokens_per_s =
        if made.decode_ms > 0.0 { (made.generated as f64 * 1000.0 / made.decode_ms) as f32 } else { 0.0 };
    let context = (made.prompt + made.generated) as f32 / spoken.context.max(1) as f32;
    let deltas = spoken.deltas.iter().map(|(hash, _)| *hash).collect();
    Reply { cut, tokens, tokens_per_s, context, deltas, ..said(prompt::unmarked(made.text.trim()), "generated") }
}

fn cite(hit: &Hit) -> Citation {
    let (source, text) = (hit.source.clone(), hit.text.clone());
    Citation { item: hit.item, source, span: Span { ..hit.span }, text, member: None }
}

/// What the caller asked for, else the anchor's own defaults; reading a passage has one right answer, so it is greedy.
/// An answer that is made again is drawn more freely; what it says is held against its passage all the same.
pub(super) fn sampling(params: &ChatParams, defaults: &SamplingDefaults, from_memory: bool, again: bool) -> Sampling {
    let talk = |value: f32, memory: f32| if from_memory { memory } else { value };
    let freely = |value: f32, least: f32| if again { value.max(least) } else { value };
    Sampling {
        temperature: params.temperature.unwrap_or(freely(talk(defaults.temperature, 0.0), AGAIN_TEMPERATURE)),
        top_p: params.top_p.unwrap_or(talk(defaults.top_p, 1.0)),
        min_p: params.min_p.unwrap_or(freely(talk(defaults.min_p, 0.0), AGAIN_MIN_P)),
        repeat_penalty: params.repeat_penalty.unwrap_or(talk(defaults.repeat_penalty, 1.0)),
        seed: params.seed.unwrap_or(0),
        max_tokens: params.max_tokens.unwrap_or(if from_memory { ANSWER_TOKENS } else { defaults.max_tokens }),
        stop: if from_memory { vec!["\n".into()] } else { Vec::new() },
        drafts: if from_memory { GUESSES } else { 0 },
        ..Sampling::default()
    }
}

/// One generation, streamed.
async fn say(turn: &Turn<'_>, passages: &[&Hit]) -> Result<(Spoken, Vec<Cut>), NodeError> {
    let about = turn.node.mind.about().await?;
    let sampling = sampling(turn.params, &about.sampling, !passages.is_empty(), turn.again);
    let (sampling, reserved) = room(sampling, about.context);
    let built =
        prompt::build(turn.node, turn.text, (passages, about.cites), turn.history, about.context, reserved).await?;
    stream(turn, built, sampling, Vec::new()).await
}

/// An answer may take half of what can be held; the rest is for what it is made from. Gives what is kept free for it too.
pub(super) fn room(mut sampling: Sampling, context: usize) -> (Sampling, usize) {
    sampling.max_tokens = sampling.max_tokens.min(context / 2);
    let reserved = sampling.max_tokens + 64;
    (sampling, reserved)
}

/// Generates from a prompt that is built, with the delta that is worn or with a cast; the words go out as they come.
pub(super) async fn stream(
    turn: &Turn<'_>,
    built: Prompt,
    sampling: Sampling,
    cast: Vec<(Hash, f32)>,
) -> Result<(Spoken, Vec<Cut>), NodeError> {
    let (words, mut heard) = mpsc::channel::<String>(64);
    let (sink, cancel) = (turn.sink.clone(), turn.cancel.clone());
    let streaming = tokio::spawn(async move {
        while let Some(text) = heard.recv().await {
            if !sink.send_until(Event::ChatDelta { text }, &cancel).await {
                break;
            }
        }
    });
    let spoken = turn.node.mind.generate(built.turns, sampling, cast, words, turn.cancel.clone()).await?;
    // All words are out before anything is said about them.
    let _ = streaming.await;
    Ok((spoken, built.cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_made_again_is_drawn_where_the_first_was_greedy() {
        let (defaults, nothing_asked) = (SamplingDefaults::default(), ChatParams::default());
        assert_eq!(sampling(&nothing_asked, &defaults, true, false).temperature, 0.0);
        let again = sampling(&nothing_asked, &defaults, true, true);
        assert_eq!((again.temperature, again.min_p), (AGAIN_TEMPERATURE, AGAIN_MIN_P));
        // What is asked for holds, also when it is greedy.
        let asked = ChatParams { temperature: Some(0.0), seed: Some(7), ..ChatParams::default() };
        let again = sampling(&asked, &defaults, true, true);
        assert_eq!((again.temperature, again.seed), (0.0, 7));
        let warm = SamplingDefaults { temperature: 0.9, ..defaults };
        assert_eq!(sampling(&nothing_asked, &warm, false, true).temperature, 0.9);
    }
}
