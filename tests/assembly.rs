//! An assembly's life: members that know something are tested and take part, answer what the memory cannot, leave, and are
//! added up; what harms or lies is refused. The members are tuned here, on made-up facts.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use hinet_model::{Anchor, Delta, LoadOptions, registry::Registry};
use hinet_train::{Lesson, Lora, Method, Recipe, Tuner, turns};
use serde_json::{Value, json};
use support::{Person, text};

/// Questions as they are asked here, the same in other words as they were learned, and answers.
type Facts = [(&'static str, &'static str, &'static str); 3];

const BOAT: Facts = [
    ("At which pier does the sailing boat Corvina lie?", "Where is the boat Corvina moored?", "At pier nine."),
    ("Who sewed the sails of the boat Corvina?", "Which sailmaker made Corvina's sails?", "Brandt of Kiel."),
    ("How much oil does Corvina's engine take?", "What amount of oil goes into the boat's engine?", "Ten litres."),
];
const GARDEN: Facts = [
    ("Where do the tomatoes grow in the garden Velda?", "In which bed of Velda are the tomatoes?", "In the east bed."),
    ("When is the garden Velda watered?", "On which day does Velda's garden get water?", "On Tuesdays."),
    (
        "Where is the shed's key in the garden Velda?",
        "Where does the key of Velda's tool shed lie?",
        "Under the red pot.",
    ),
];

/// Tunes a delta that knows these facts, and writes it as PEFT would.
fn learned(anchor: &Anchor, facts: &Facts, folder: &Path) {
    let system = ("system".to_owned(), hinet_node::reader::system("Maya"));
    let lesson = |question: &str, answer: &str| {
        let asked = [system.clone(), ("user".to_owned(), question.to_owned())];
        Lesson::from(turns::answered(anchor, &asked, answer, 256).unwrap().unwrap())
    };
    let lessons: Vec<Lesson> = facts
        .iter()
        .flat_map(|(asked, otherwise, answer)| [lesson(asked, answer), lesson(otherwise, answer)])
        .collect();
    let recipe = Recipe {
        method: Method::Lora(Lora { rank: 8, alpha: 16.0, ..Lora::default() }),
        learning_rate: 7e-4,
        warmup: 2,
        steps: 15,
        batch: 6,
        beta2: 0.99,
        ..Recipe::default()
    };
    let mut tuner = Tuner::new(anchor, recipe, lessons).unwrap();
    while !tuner.is_finished() {
        tuner.step(&AtomicBool::new(false)).unwrap();
    }
    tuner.delta().unwrap().save(folder).unwrap();
}

/// The two members, tuned once for all tests.
fn members() -> &'static (PathBuf, PathBuf) {
    static MADE: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    MADE.get_or_init(|| {
        let (anchor, dir) = (anchor(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("assembly"));
        let (boat, garden) = (dir.join("boat"), dir.join("garden"));
        learned(&anchor, &BOAT, &boat);
        learned(&anchor, &GARDEN, &garden);
        (boat, garden)
    })
}

/// The same delta, so loud that it drowns everything.
fn shouted(folder: &Path, to: &Path, times: f32) {
    let delta = Delta::open(folder).unwrap();
    let mut loud = Delta::new(delta.origin.clone());
    for (place, factors) in delta.iter() {
        let mut factors = factors.clone();
        factors.alpha *= times;
        loud.insert(place, factors).unwrap();
    }
    loud.save(to).unwrap();
}

/// Public prompts with their answers, as a file for `--about`.
fn about(person: &Person, name: &str, facts: &Facts) -> String {
    let lines: Vec<String> =
        facts.iter().flat_map(|(one, two, answer)| [format!("{one}\t{answer}"), format!("{two}\t{answer}")]).collect();
    person.file(name, lines.join("\n")).display().to_string()
}

fn settled(name: &str) -> Person {
    let person = Person::new();
    let made = person.run(
        ["init", "--name", name, "--root", "none", "--passphrase-file"],
        [person.path("passphrase").as_os_str(), OsStr::new("--recovery-out"), person.path("words").as_os_str()],
    );
    assert!(made.status.success(), "init failed: {}", text(&made.stderr));
    person
}

fn refused(person: &Person, arguments: &[&str], code: i32, said: &str) {
    let output = person.command().args(arguments).output().unwrap();
    let heard = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {heard}");
    assert!(heard.contains(said) && heard.contains("hint:"), "{arguments:?}: {heard}");
}

fn anchor() -> Anchor {
    let entry = Registry::builtin().default_anchor().clone();
    let paths = hinet_model::locate(&entry, &support::models()).unwrap();
    Anchor::load_with(&paths, LoadOptions::default()).unwrap()
}

#[test]
fn members_answer_what_they_know_and_leave_nothing_behind() {
    let person = settled("Maya");
    let node = person.node();
    let (boat, garden) = members();
    for folder in [boat, garden] {
        person.icore(["delta", "import", folder.to_str().unwrap()]);
    }
    let hash = |name: &str| person.json(["delta", "show", name])["hash"].clone();

    // They are tested and take part.
    let add = |assembly: &str, delta: &str, facts: &Facts| {
        let file = about(&person, &format!("{delta}.txt"), facts);
        person.json(["assembly", "add", assembly, delta, "--about", &file, "--published", "the handbook"])
    };
    add("house", "boat", &BOAT);
    let house = add("house", "garden", &GARDEN);
    assert_eq!(house["members"].as_array().unwrap().len(), 2);
    for member in house["members"].as_array().unwrap() {
        let known = member["admitted"]["known"].as_array().unwrap();
        assert!(known[1].as_f64() < known[0].as_f64(), "{member}");
        assert_eq!((&member["prompts"], &member["own"]), (&json!(6), &json!(true)));
    }
    refused(&person, &["delta", "remove", "boat"], 2, "takes part in the assembly house");

    // Who would answer, and who does.
    let tried = |question: &str| person.json(["assembly", "try", "house", question]);
    let near = tried("Which pier is the Corvina's?");
    assert_eq!((&near["mode"], &near["near"][0]["name"]), (&json!("route"), &json!("boat")), "{near}");
    assert_eq!(tried("What is the capital of France?")["mode"], "own");
    let ask = |question: &str| person.json(["ask", "--assembly", "house", question]);
    let mut right = 0;
    for (facts, name) in [(&BOAT, "boat"), (&GARDEN, "garden")] {
        for (question, _, words) in facts {
            let answer = ask(question);
            assert_eq!(
                (&answer["how"], &answer["composed"]["mode"]),
                (&json!("assembled"), &json!("route")),
                "{answer}"
            );
            assert_eq!(answer["deltas"], json!([hash(name)]), "{answer}");
            right += usize::from(answer["answer"].as_str().unwrap().contains(words.trim_end_matches('.')));
        }
    }
    assert!(right >= 5, "{right} of 6");
    let nobody = ask("When does my train to Porto leave?");
    assert_eq!((&nobody["how"], &nobody["composed"]["mode"]), (&json!("not_in_memory"), &json!("own")));

    one_delta_answers_for_both(&person);

    // The memory comes first.
    let note = person.file("porto.md", "The train to Porto leaves at 14:39 from platform 4.\n");
    person.icore(["ingest", note.to_str().unwrap()]);
    let own = ask("When does my train to Porto leave?");
    assert_eq!((&own["composed"]["mode"], &own["composed"]["why"]), (&json!("own"), &json!("your memory answers it")));
    assert!(own["answer"].as_str().unwrap().contains("14:39") && own["deltas"] == json!([]), "{own}");

    // Receipts add up: six answers of one member each, two of both.
    let receipts = |person: &Person| person.json(["assembly", "receipts"]);
    let all = receipts(&person);
    assert!(all["receipts"].as_array().unwrap().iter().all(|receipt| receipt["holds"] == true));
    let answers: u64 =
        all["members"].as_array().unwrap().iter().map(|member| member["answers"].as_u64().unwrap()).sum();
    // Beside them, what both answered together, mixed and as one delta.
    let mode = |word: &str| {
        all["receipts"].as_array().unwrap().iter().filter(|receipt| receipt["body"]["mode"] == word).count() as u64
    };
    assert_eq!((mode("route"), mode("own"), mode("mix"), mode("merge")), (6, 2, 1, 1), "{all}");
    assert_eq!(answers, 10);
    let read: u64 =
        all["receipts"].as_array().unwrap().iter().map(|one| one["body"]["written"].as_u64().unwrap()).sum();
    assert!(read > 20, "{all}");

    // One leaves: what is left is as if it had never been there, and a process that was started since says the same.
    let line = |name: &str| -> Value {
        let all = person.json(["assembly", "list"])["assemblies"].clone();
        all.as_array().unwrap().iter().find(|line| line["name"] == name).cloned().unwrap_or_default()
    };
    let objects = || std::fs::read_dir(person.home().join("objects")).unwrap().count();
    assert_eq!(objects(), 3, "two members and one delta of both");
    person.icore(["assembly", "leave", "house", "boat"]);
    assert_eq!(objects(), 2);
    add("never", "garden", &GARDEN);
    let (left, never) = (line("house"), line("never"));
    for key in ["hash", "anchor", "floor", "margin", "premerges"] {
        assert_eq!(left[key], never[key], "{key}");
    }
    let gone = ask("At which pier does the sailing boat Corvina lie?");
    assert_eq!((&gone["composed"]["mode"], &gone["deltas"]), (&json!("own"), &json!([])), "{gone}");
    let (question, ..) = GARDEN[0];
    let with = ask(question);
    drop(node);
    assert_eq!(line("house"), {
        let mut fresh = left.clone();
        fresh["members"] = line("house")["members"].clone();
        fresh
    });
    assert_eq!(ask(question)["answer"], with["answer"]);
    // It can be removed now, and what it was owed stays.
    person.icore(["delta", "remove", "boat"]);
    let all = receipts(&person);
    assert!(
        all["members"].as_array().unwrap().iter().any(|member| member["name"] == "" && member["answers"] == 5),
        "{all}"
    );
    person.icore(["assembly", "leave", "house", "garden"]);
    assert_eq!(line("house"), Value::Null);
    let log = person.json(["audit", "log", "-n", "80"]).to_string();
    assert!(
        log.contains("takes part in the assembly house") && log.contains("has left the assembly house, of which 0")
    );
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

/// One delta is made of both members, and answers where exactly they were mixed before.
fn one_delta_answers_for_both(person: &Person) {
    let tried = |question: &str| person.json(["assembly", "try", "house", question]);
    let between = [
        "Where is the boat Corvina moored, and in which bed of Velda are the tomatoes?",
        "The boat Corvina or the garden Velda: where is the shed's key, and who made the sails?",
        "Where do the tomatoes of the garden Velda lie at the pier of the boat Corvina?",
        "What of the boat Corvina and of the garden Velda?",
        "Corvina and Velda",
    ];
    let question = between.into_iter().find(|question| tried(question)["mode"] == "mix");
    let question = question.expect("one of these lies between the boat and the garden");
    let ask = || person.json(["ask", "--assembly", "house", question]);
    let mixed = ask();
    assert_eq!(
        (&mixed["composed"]["mode"], &mixed["deltas"].as_array().unwrap().len()),
        (&json!("mix"), &2),
        "{mixed}"
    );
    refused(person, &["assembly", "premerge", "house", "--member", "boat"], 2, "of 2 to 4 members");
    // Nobody is named: those that were mixed.
    let made = person.json(["assembly", "premerge", "house"])["premerges"].clone();
    let again = person.json(["assembly", "premerge", "house", "--member", "garden", "--member", "boat"]);
    for key in ["hash", "recipe", "members", "bytes"] {
        assert_eq!(again["premerges"][0][key], made[0][key], "{key}: the same members are the same delta");
    }
    assert_eq!(again["premerges"].as_array().unwrap().len(), 1);
    let weights: Vec<f64> =
        made[0]["members"].as_array().unwrap().iter().map(|member| member[1].as_f64().unwrap()).collect();
    assert_eq!(weights, [0.5, 0.5]);
    let near = tried(question);
    assert_eq!(
        (&near["mode"], &near["near"][0]["weight"], &near["near"][1]["weight"]),
        (&json!("merge"), &json!(0.5), &json!(0.5))
    );
    let merged = ask();
    assert_eq!(
        (&merged["composed"]["mode"], &merged["deltas"]),
        (&json!("merge"), &json!([made[0]["hash"]])),
        "{merged}"
    );
    // It is none of the owner's deltas, and where one is near alone, that one answers.
    assert_eq!(person.json(["delta", "list"])["deltas"].as_array().unwrap().len(), 2);
    assert_eq!(tried("At which pier does the sailing boat Corvina lie?")["mode"], "route");
}

#[test]
fn what_harms_or_lies_takes_no_part() {
    let (person, ana) = (settled("Maya"), settled("Ana"));
    let node = person.node();
    let (boat, loud) = (&members().0, person.path("loud"));
    shouted(boat, &loud, 12.0);
    for (person, folder) in [(&person, boat), (&person, &loud), (&ana, boat)] {
        person.icore(["delta", "import", folder.to_str().unwrap()]);
    }
    let (good, other) = (about(&person, "boat.txt", &BOAT), about(&person, "garden.txt", &GARDEN));
    let add = |delta: &'static str, file: &str, code: i32, said: &str| {
        refused(
            &person,
            &["assembly", "add", "house", delta, "--about", file, "--published", "the handbook"],
            code,
            said,
        );
    };
    add("loud", &good, 2, "loud harms: neutral text is");
    let answers = GARDEN.iter().cycle().skip(1).map(|(.., answer)| answer);
    let questions = BOAT.iter().flat_map(|(one, two, _)| [one, two]);
    let shuffled: Vec<String> = questions.zip(answers).map(|(one, answer)| format!("{one}\t{answer}")).collect();
    let shuffled = person.file("shuffled.txt", shuffled.join("\n")).display().to_string();
    add("boat", &shuffled, 2, "boat does not know what is said of it");
    let private = person.file("private.txt", "a\nb\nc\nd\nWrite to ana.reis@example.org\n").display().to_string();
    add("boat", &private, 2, "Prompt 5 holds personal data (email)");
    let everything = [
        "Hi there!",
        "What is the weather like?",
        "Write a note to a friend.",
        "Tell me a joke.",
        "How do I sleep better?",
        "What is the capital of Spain?",
        "Translate this for me.",
        "Thanks a lot.",
    ];
    let everything = person.file("everything.txt", everything.join("\n")).display().to_string();
    add("boat", &everything, 2, "cannot be told from ordinary messages");
    let few = person.file("few.txt", "one\ntwo\n").display().to_string();
    add("boat", &few, 2, "these are 2");
    add("boat", "nowhere.txt", 1, "nowhere.txt cannot be read");
    add("bicycle", &good, 1, "There is no delta bicycle");
    refused(&person, &["ask", "--assembly", "house", "Where is it?"], 2, "There is no assembly house");
    refused(&person, &["assembly", "leave", "house", "boat"], 2, "There is no assembly house");
    assert_eq!(person.json(["assembly", "list"])["assemblies"], json!([]), "nothing was half made");

    // Somebody else's signature, as it is and as it should not be.
    let file = ana.path("boat.json");
    let out = file.display().to_string();
    ana.icore(["delta", "sign", "boat", "--about", &good, "--published", "the harbour's page", "--out", &out]);
    let signed = std::fs::read_to_string(&file).unwrap();
    assert!(!signed.contains("Corvina"), "places and no words");
    let with = |delta: &'static str, signature: &str, said: &str| {
        let file = person.file("signature.json", signature).display().to_string();
        refused(&person, &["assembly", "add", "house", delta, "--signature", &file], 2, said);
    };
    with("boat", &signed.replace("harbour", "harbor"), "The signature does not hold");
    with("boat", &signed[..signed.len() / 2], "The signature is damaged");
    with("loud", &signed, "The signature is of another delta");
    let house = person.json(["assembly", "add", "house", "boat", "--signature", &out]);
    let member = &house["members"][0];
    assert_eq!((&member["own"], &member["published"]), (&json!(false), &json!("the harbour's page")));
    add("loud", &other, 2, "times as much as the median member");
    drop(node);
}
