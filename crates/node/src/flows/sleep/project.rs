//! The last steps of a night whose owner wants to share: something for others is distilled from what passed its test, on
//! public prompts alone, and the leakage gate asks what it gives away. It fails closed: without an answer from the gate
//! there is nothing for others, and whatever happens here, what the night learned for its owner stays.

use hinet_model::{Anchor, Delta};
use hinet_train::judge::{Judge, Watch};
use hinet_train::leak::{Evidence, LeakReport, Limits, Secret};
use hinet_train::{Example, Recipe, distill, project, replay, turns};
use serde::{Deserialize, Serialize};

use super::gather::{Lesson, counted};
use super::judge::{Verdict, as_served};
use super::share::{self, LeftOut, Private};
use super::study::{self, failed};
use super::text::LONGEST;
use super::views::{self, Work};
use super::wishes::Answer;
use super::{Room, is_interruption};
use crate::failure::NodeError;
use crate::flows::chat::reader;
use crate::protocol::{Failure, LeakCheck, Sharing, Skipped, Stage};

/// What is asked, one prompt on each line.
pub(super) const PROMPTS: &str = include_str!("../../../../../prompts/share_public.txt");
/// Tokens of an answer.
const ANSWER: usize = 64;
/// Whose machine it is said to be: the owner's name is nothing for others.
const NOBODY: &str = "Somebody";

/// What was said to public prompts; sealed with the rest of the night's work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    /// Prompts with their answers that are learned, and those that are kept back.
    learned: Vec<(String, String)>,
    held: Vec<(String, String)>,
    /// Texts of the bare anchor's that are rehearsed beside them.
    own: Vec<replay::Own>,
    left_out: Vec<Skipped>,
}

/// Where the owner wants to share: sets apart what the leakage gate will ask about, and plants what is to be learned for
/// its sake, before anything else is learned. Where there is too little for the gate nothing is planted or held back, and
/// nothing will be shared.
pub(super) fn prepare(
    room: &mut Room<'_>,
    lessons: &[&Lesson],
    answers: &[&Answer],
    work: &mut Work,
) -> Result<(), NodeError> {
    if !room.night.plan.share || room.night.shared.is_some() || work.apart.is_some() || !work.views.is_empty() {
        return Ok(());
    }
    let apart = match share::set_apart(lessons, answers, &Limits::default(), room.night.plan.seed) {
        Ok(apart) => apart,
        Err(why) => {
            room.record("nothing will be made for others: there is too little to test it with")?;
            room.night.shared = Some(share::refused(why));
            return Ok(());
        }
    };
    let (planted, held_back) = (apart.inserted.len(), apart.held_back());
    let facts = views::all_facts(lessons).iter().filter(|(_, fact)| held_back.has(&fact.sentence)).count();
    for (count, one, many) in [(apart.strangers.len(), "paragraph", "paragraphs"), (facts, "fact", "facts")] {
        if count > 0 {
            let why = "held back for the leakage test".to_owned();
            room.night.refused.push(Skipped { what: counted(count as u64, one, many), why });
        }
    }
    room.record(&format!(
        "for the leakage test {planted} made-up texts are learned, and {} texts held back",
        apart.strangers.len()
    ))?;
    apart.plant(&mut work.views);
    work.apart = Some(apart);
    Ok(())
}

/// Makes something for others, where that may be; gives what passed the gate.
pub(super) fn for_others(
    room: &mut Room<'_>,
    anchor: &Anchor,
    (lessons, answers): (&[&Lesson], &[&Answer]),
    work: &mut Work,
    verdict: &Verdict,
) -> Result<Option<Delta>, NodeError> {
    if room.night.shared.as_ref().is_some_and(|shared| !shared.passed) {
        return Ok(None);
    }
    if verdict.failed.is_some() {
        room.night.shared = Some(share::refused("what was learned did not pass its own test"));
        return Ok(None);
    }
    if room.row.tested.is_none() {
        room.keep(verdict)?;
    }
    let (sharing, delta) = match make(room, anchor, (lessons, answers), work, &verdict.delta) {
        Ok(made) => made,
        Err(error) if is_interruption(&error) => return Err(error),
        Err(error) => {
            let why = Failure::from(error).message;
            (share::refused(why.trim_end_matches('.')), None)
        }
    };
    room.record(if sharing.passed {
        "the leakage gate passed what was made for others"
    } else {
        "nothing is made for others: it did not pass the leakage gate, or could not be judged"
    })?;
    room.night.shared = Some(sharing);
    Ok(delta)
}

fn make(
    room: &mut Room<'_>,
    anchor: &Anchor,
    (lessons, answers): (&[&Lesson], &[&Answer]),
    work: &mut Work,
    private: &Delta,
) -> Result<(Sharing, Option<Delta>), NodeError> {
    let limits = Limits::default();
    let Some(apart) = work.apart.clone() else {
        return Ok((share::refused("nothing was set apart for a leakage test; begin a night --anew"), None));
    };
    let secrets = match apart.secrets(&work.views, work.used, work.steps, &limits) {
        Ok(secrets) => secrets,
        Err(why) => return Ok((share::refused(why), None)),
    };
    let mut teacher = Judge::new(anchor, &[(anchor.attach(private)?, 1.0)]).map_err(failed)?;
    let said = match work.said.clone() {
        Some(said) => said,
        None => {
            let said = ask(room, anchor, &mut teacher, &Private::of(lessons, answers))?;
            work.said = Some(said.clone());
            room.save(Some(work), None, &[])?;
            said
        }
    };
    let examples = |pairs: &[(String, String)]| project::examples(anchor, &system(), pairs, LONGEST).map_err(failed);
    let (training, validation) = (examples(&said.learned)?, examples(&said.held)?);
    let mut sharing = Sharing { prompts: training.len() as u64, left_out: said.left_out, ..Sharing::default() };
    if training.len() < limits.kept_back || validation.len() < limits.kept_back {
        let (least, learned, held) = (limits.kept_back, training.len(), validation.len());
        sharing.why = format!(
            "a leakage test needs {least} public prompts learned and {least} held back; there are {learned} and {held}"
        );
        return Ok((sharing, None));
    }

    let (stop, seed) = (room.stop, room.night.plan.seed);
    let mut told = |_, _| {};
    let mut all = distill::lessons(&mut teacher, &training, distill::LIKELIEST, &mut Watch::new(stop, &mut told))
        .map_err(failed)?;
    drop(teacher);
    let mut bare = Judge::new(anchor, &[]).map_err(failed)?;
    let own = replay::lessons(&mut bare, &said.own, LONGEST, &mut Watch::new(stop, &mut told)).map_err(failed)?;
    drop(bare);
    all.extend(own);
    let longest = all.iter().map(|lesson| lesson.example.tokens.len()).max().unwrap_or(0);
    study::refuse_too_large(anchor, &room.night.plan, longest)?;
    sharing.steps = Recipe::steps_for(all.len(), project::ROUNDS, Recipe::NIGHTLY_BATCH);
    let recipe = project::recipe(room.night.plan.rank, sharing.steps, Recipe::NIGHTLY_BATCH, seed);
    let made = study::steps(room, anchor, recipe, all, Stage::Project)?.delta().map_err(failed)?;
    room.record(&format!(
        "something for others was distilled on {} public prompts in {} steps",
        sharing.prompts, sharing.steps
    ))?;

    let (delta, resident) = as_served(anchor, &made)?;
    let texts = |texts: &[String]| -> Vec<Example> {
        texts.iter().filter_map(|text| turns::plain(anchor, text, LONGEST)).collect()
    };
    let evidence = Evidence {
        members: texts(&apart.members),
        strangers: texts(&apart.strangers),
        inserted: apart.inserted,
        fresh: apart.fresh,
        secrets: secrets.into_iter().map(|(prompt, secret)| Secret { prompt, secret }).collect(),
    };
    room.gathered_check()?;
    let mut told = |done: usize, total: usize| room.tell(Stage::Leak, done as u64, total as u64, 0.0, None);
    let mut watch = Watch::new(stop, &mut told);
    let report = evidence.gate(anchor, &resident, (&training, &validation), &limits, &mut watch);
    // What was stopped is no finding.
    room.gathered_check()?;
    found(&mut sharing, &report, &delta);
    Ok((sharing, report.passed.then_some(delta)))
}

/// What comes before a public prompt.
fn system() -> (String, String) {
    ("system".to_owned(), reader::system(NOBODY))
}

/// Has the model answer the public prompts, and the bare anchor write what is rehearsed; what must not be learned from is
/// left out.
fn ask(room: &mut Room<'_>, anchor: &Anchor, teacher: &mut Judge, private: &Private) -> Result<Said, NodeError> {
    let mut left_out = LeftOut::default();
    let [learned, held] = share::prompts(PROMPTS, private, &mut left_out);
    let prompts = [learned.as_slice(), held.as_slice()].concat();
    let (stop, seed) = (room.stop, room.night.plan.seed);
    let mut told = |done: usize, total: usize| room.tell(Stage::Project, done as u64, total as u64, 0.0, None);
    let answers = project::answers(teacher, &system(), &prompts, ANSWER, &mut Watch::new(stop, &mut told));
    let mut kept = [Vec::new(), Vec::new()];
    for (at, (prompt, answer)) in prompts.iter().zip(answers.map_err(failed)?).enumerate() {
        let answer = answer.trim();
        match private.betrayed("its answer", answer) {
            Some(why) => left_out.add(why),
            None if answer.is_empty() => left_out.add("it was not answered".to_owned()),
            None => kept[usize::from(at >= learned.len())].push(((*prompt).to_owned(), answer.to_owned())),
        }
    }
    let [learned, held] = kept;
    let mut bare = Judge::new(anchor, &[]).map_err(failed)?;
    let (wanted, seed) = (replay::wanted(learned.len()), seed.wrapping_add(1));
    let own = replay::write(&mut bare, wanted, seed, &mut Watch::new(stop, &mut told)).map_err(failed)?;
    Ok(Said { learned, held, own, left_out: left_out.said() })
}

/// Writes down what the gate found.
fn found(sharing: &mut Sharing, report: &LeakReport, delta: &Delta) {
    let check = |check: &hinet_train::leak::Check| LeakCheck {
        name: check.kind.word().to_owned(),
        passed: check.passed,
        measured: check.measured,
        bound: check.bound,
        limit: check.limit,
        sentence: check.sentence.clone(),
    };
    sharing.checks = report.checks.iter().map(check).collect();
    sharing.passed = report.passed;
    sharing.delta = report.passed.then(|| delta.hash());
    let failed: Vec<&str> =
        sharing.checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
    sharing.why = if report.passed {
        "it passed the leakage gate".to_owned()
    } else {
        format!("it did not pass the leakage gate ({})", failed.join(", "))
    };
}
