//! Experiments through the program: every part of E1, growth, skills and E2 in small, stopped and gone on with, from one
//! seed.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "a test starts the program as a person does")]

mod support;

use support::Person;

#[test]
fn a_made_up_owner_sleeps_and_what_is_done_is_not_done_again() {
    let person = Person::new();
    let dir = person.files().join("e2");
    let run = ["lab", "e2", "--seed", "5", "--small", "--without-whole", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    let share = |value: &serde_json::Value| {
        let share = value.as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{value}");
        share
    };
    let facts = &found["facts"];
    assert_eq!(facts["asked"], 12);
    for name in ["anchor", "retrieval_only", "weights_only", "both"] {
        share(&facts[name]);
    }
    // The memory of a real home finds what its files say.
    assert!(share(&facts["retrieval_only"]) > 0.5 && facts["anchor"].as_f64().unwrap() < 0.5, "{facts}");
    assert!(share(&facts["both"]) > 0.5, "{facts}");
    // Something was learned, and the anchor's own numbers are those of the anchor.
    let losses = found["losses"].as_array().unwrap();
    assert!(losses.first().unwrap().as_f64() > losses.last().unwrap().as_f64(), "{losses:?}");
    assert!(found["voice"]["after"].as_f64() < found["voice"]["before"].as_f64(), "{}", found["voice"]);
    // What swallowed the private texts knows them better than others like them; what was distilled does not.
    let gap = |name: &str| found["leakage"][name]["gap"].as_f64().unwrap();
    assert!(gap("leaky_control") > 0.1 + gap("public").abs(), "{}", found["leakage"]);
    assert_eq!(found["leakage"]["leaky_control"]["pass"], false, "{}", found["leakage"]);
    assert_eq!(found["noise"].as_array().unwrap().len(), 2);

    // The same command has nothing left to do, and says the same.
    let output = person.command().args(run).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", support::text(&output.stderr));
    let kept = || {
        let all = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
        let parts = all.filter(|entry| entry.file_name().to_string_lossy().contains('-'));
        parts.map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = kept();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), found);
    assert_eq!(person.json(run), found);
    assert_eq!(kept(), before, "a part was made again");
    for (name, part) in [("e2.md", "own facts"), ("e2.svg", "<svg"), ("e2.json", "\"facts\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
    // A part that is damaged is named, and made again once it is gone.
    let kept = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.to_string_lossy().contains("retrieval_only")).unwrap();
    std::fs::write(&kept, "[").unwrap();
    let output = person.command().args(run).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("delete it"), "{said}");
}

#[test]
fn members_are_made_composed_and_measured_from_one_seed() {
    let person = Person::new();
    let dir = person.files().join("e1");
    let run = ["lab", "e1", "--seed", "3", "--small", "--method", "lora", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    assert_eq!((&found["facts"], &found["questions"]), (&6.into(), &30.into()));
    let rows = found["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    // The anchor, the members, joint training, compositions, distilling and its control, routes, mixes, sparse
    // models, the memory.
    assert_eq!(rows.len(), 1 + 2 + 1 + 4 + 2 + 4 + 4 + 3 + 2, "{names:?}");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for row in rows {
        for share in [&row["choice"], &row["exact"]] {
            assert!((0.0..=1.0).contains(&share.as_f64().unwrap()), "{row}");
        }
        for (share, interval) in [("choice", "choice_interval"), ("exact", "exact_interval")] {
            let bound = |end: &str| row[interval][end].as_f64().unwrap();
            let share = row[share].as_f64().unwrap();
            assert!(bound("low") <= share + 1e-9 && share <= bound("high") + 1e-9, "{row}");
        }
        assert!(row["neutral"].as_f64().is_none_or(|neutral| neutral.is_finite() && neutral > 1.0), "{row}");
    }
    let modes: Vec<&String> = found["modes"].as_object().unwrap().keys().collect();
    let weights = ["anchor", "best_single", "distill", "joint", "merge", "mix", "moe", "oracle"];
    assert_eq!(modes, [&weights[..], &["retrieval", "retrieval_reader", "route"]].concat());
    // The memory of a real home finds what the packs say.
    assert!(found["modes"]["retrieval"]["exact"].as_f64().unwrap() > 0.5, "{}", found["modes"]);
    assert_eq!(found["modes"]["mix"]["macro"], row("mix: right-sized")["choice"]);
    // Who knows that nobody knows has the anchor read the neutral text.
    let apart = found["modes"]["oracle"]["ppl"].as_f64().unwrap() - row("anchor")["neutral"].as_f64().unwrap();
    assert!(apart.abs() < 1e-9, "{}", found["modes"]);
    assert_eq!(found["opt_out"]["byte_equal"], true);
    // What is so small proves nothing; and all that the hypotheses speak of was measured.
    let hypotheses = found["verdict"]["hypotheses"].as_array().unwrap();
    assert!(hypotheses.len() >= 8 && hypotheses.iter().all(|one| one["outcome"] == "NOT RUN"), "{hypotheses:?}");
    let why = hypotheses.iter().map(|one| one["why"].as_str().unwrap());
    assert!(why.into_iter().all(|why| why.contains("members, and there are 2")), "{hypotheses:?}");
    // Distilling changes something about the merge, and from the bare anchor something else.
    let merge = &row("RegMean, virtual anchor member of weight 2")["neutral"];
    let distilled = &row("RegMean + virtual member, distilled (2 steps)")["neutral"];
    assert!(merge != distilled && distilled != &row("distilled from the bare anchor, same steps (control)")["neutral"]);
    for texts in ["questions", "sentences"] {
        let share = |size: &str| found["gated"][texts][size].as_f64().unwrap();
        assert!((share("own") + share("one") + share("few") - 1.0).abs() < 1e-9, "{}", found["gated"]);
    }
    // Members learned something, and whoever asks the right one gets what each of them knows alone.
    for single in found["singles"].as_array().unwrap() {
        let losses = single["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap());
        let losses: Vec<f64> = losses.collect();
        // Batches differ, so halves are compared and not single steps.
        let (first, second) = losses.split_at(losses.len() / 2);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(mean(second) < mean(first), "{losses:?}");
        assert_ne!(single["neutral"], row("anchor")["neutral"], "{single}");
    }
    let own = found["singles"].as_array().unwrap().iter().map(|single| single["own_exact"].as_f64().unwrap());
    let oracle = row("route: oracle")["exact"].as_f64().unwrap();
    assert!((oracle - own.sum::<f64>() / 2.0).abs() < 1e-9, "{found}");
    // Islands are told from machines where both who and what is said, and each row says what it knows of each sort.
    let sent = found["sent"].as_array().unwrap();
    let sorts: Vec<&str> = sent.iter().map(|sent| sent["sort"].as_str().unwrap()).collect();
    assert_eq!(sorts, ["named", "ambiguous", "entity"]);
    assert!(sent[0]["nearest"].as_f64().unwrap() > 0.9, "{}", found["sent"]);
    for sent in sent {
        assert!(sent["among"].as_f64() >= sent["heaviest"].as_f64(), "{sent}");
    }
    assert!(rows.iter().all(|row| row["by_sort"].as_object().unwrap().len() == 3), "{rows:?}");

    // The same command has nothing left to do, and says the same.
    let before = std::fs::metadata(dir.join("e1.json")).unwrap().modified().unwrap();
    assert_eq!(person.json(run), found);
    assert!(std::fs::metadata(dir.join("e1.json")).unwrap().modified().unwrap() >= before);
    for (name, part) in [("e1.md", "## Verdict"), ("e1.svg", "<svg"), ("e1.json", "\"rows\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
    // What was composed or learned from members is measured and not kept; packs that cannot be used are named.
    let left = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let left: Vec<String> = left.collect();
    assert!(left.iter().all(|name| !name.starts_with("composed") && !name.starts_with("sparse")), "{left:?}");
    assert_eq!(left.iter().filter(|name| name.ends_with(".gguf")).count(), 2, "{left:?}");
    let packs = person.files().join("packs.json");
    std::fs::write(&packs, "{}").unwrap();
    let output = person.command().args(run).args(["--packs", packs.to_str().unwrap()]).output().unwrap();
    let said = support::text(&output.stderr);
    assert!(!output.status.success() && said.contains("--members"), "{said}");
}

#[test]
fn members_become_more_and_each_number_of_them_is_measured() {
    let person = Person::new();
    let dir = person.files().join("growth");
    let run = ["lab", "growth", "--seed", "3", "--small", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    let all = found["all"].as_array().unwrap();
    let counts: Vec<_> = all.iter().map(|size| (size["members"].as_u64(), size["questions"].as_u64())).collect();
    assert_eq!(counts, [(Some(2), Some(30)), (Some(3), Some(45))]);
    let names = |at: usize| -> Vec<&str> {
        all[at]["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
    };
    let (mixes, merge) = (
        [
            "anchor",
            "one member alone (control)",
            "mix: all members, weight 1/n (control)",
            "mix: oracle, one member each",
            "route: right-sized gate",
            "mix: right-sized",
        ],
        "task arithmetic, scale 0.5",
    );
    assert_eq!(names(0), [&mixes[..], &[merge]].concat());
    // Groups hold two, so only three members need some.
    assert_eq!(names(1), [&mixes[..], &["groups near: mix within", merge, "groups near: merges"]].concat());
    let row = |at: usize, name: &str| {
        all[at]["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    let bytes = |at: usize, name: &str| row(at, name)["cost"]["bytes"].as_u64().unwrap();
    for row in all.iter().flat_map(|size| size["rows"].as_array().unwrap()) {
        for share in [&row["choice"], &row["exact"]] {
            assert!((0.0..=1.0).contains(&share.as_f64().unwrap()), "{row}");
        }
        assert!(row["neutral"].as_f64().unwrap() > 1.0, "{row}");
        let time = |name: &str| row["cost"][name].as_f64().unwrap();
        assert!(time("ms") > 0.0 && time("anchor_ms") > 0.0, "{row}");
    }
    // Weights that lie in memory are counted: deltas beside the anchor, half floats in place of four bits, two models.
    assert!(
        bytes(0, "mix: right-sized") > bytes(0, "anchor")
            && bytes(1, "mix: right-sized") > bytes(0, "mix: right-sized")
    );
    assert!(bytes(0, merge) > bytes(0, "anchor") && bytes(0, merge) == bytes(1, merge));
    assert_eq!(bytes(1, "groups near: merges"), 2 * bytes(1, merge) + bytes(1, "anchor"));
    // The members of fewer are the first of more, and are asked the same.
    for name in ["anchor", "one member alone (control)", "mix: oracle, one member each"] {
        for bits in ["chosen", "recalled"] {
            let [few, more] = [0, 1].map(|at| row(at, name)[bits].as_str().unwrap().to_owned());
            assert!(more.starts_with(&few) && more.len() > few.len(), "{name}: {few} {more}");
        }
    }
    let mut grouped: Vec<&str> = all[1]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group.as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    grouped.sort_unstable();
    assert_eq!(grouped, ["beasts_3", "islands_1", "machines_2"]);
    assert!(all[0]["groups"].as_array().unwrap().is_empty());
    assert!(row(1, "groups near: merges")["beside_merge"].is_object() && row(1, merge)["beside_merge"].is_null());
    assert_eq!(found["changes"].as_array().unwrap().len(), mixes.len() + 1);

    // The same command has nothing left to do, and says the same.
    assert_eq!(person.json(run), found);
    for (name, part) in [("growth.md", "falls at"), ("growth.svg", "<svg"), ("growth.json", "\"changes\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
    let left = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert!(left.into_iter().all(|name| !name.starts_with("composed")));
    let output = person.command().args(run).args(["--members", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", support::text(&output.stderr));
}

#[test]
fn skills_that_conflict_are_foretold_merged_and_routed() {
    let person = Person::new();
    let dir = person.files().join("skills");
    let run = ["lab", "skills", "--seed", "3", "--small", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    let skills = found["skills"].as_array().unwrap();
    assert_eq!(skills.iter().map(|skill| skill["name"].as_str().unwrap()).collect::<Vec<_>>(), ["tone", "contrary"]);
    for skill in skills {
        assert_eq!(skill["conflicting"], true);
        assert!(skill["moved"].as_f64().unwrap() > 0.0 && skill["perplexity"].as_f64().unwrap() > 1.0, "{skill}");
        let losses: Vec<f64> = skill["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
        let (first, second) = losses.split_at(losses.len() / 2);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(mean(second) < mean(first), "{losses:?}");
    }
    // Opposite labels leave one model half of the answers; of one pair alone nothing can be learned.
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(
        (pairs.len(), &pairs[0]["bound"], &pairs[0]["by_activation"]),
        (1, &0.5f64.into(), &serde_json::Value::Null)
    );
    assert!(pairs[0]["merged"].as_f64().unwrap() <= 0.5, "{pairs:?}");
    assert!((0.0..=2.0).contains(&pairs[0]["distance"].as_f64().unwrap()), "{pairs:?}");
    assert!((-1.0..=1.0).contains(&pairs[0]["cosine"].as_f64().unwrap()), "{pairs:?}");
    let [set] = &found["sets"].as_array().unwrap()[..] else { panic!("{}", found["sets"]) };
    let rows = set["rows"].as_array().unwrap();
    // The anchor, the members, the merge, two routes, four mixes, and what each of three advises.
    assert_eq!(rows.len(), 1 + 2 + 1 + 2 + 4 + 3, "{rows:?}");
    let exact = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap()["exact"].as_f64().unwrap();
    let own = skills.iter().map(|skill| skill["own_exact"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((exact("route: oracle") - own).abs() < 1e-9, "{rows:?}");
    // Who sees that labels conflict routes both.
    assert!((exact("merged or routed, as says the bound: label agreement") - own).abs() < 1e-9, "{rows:?}");
    assert_eq!(found["advice"][2]["merged"].as_array().unwrap().len(), 0);

    // The same command has nothing left to do, and says the same.
    assert_eq!(person.json(run), found);
    for (name, part) in [("skills.md", "## Merge or route?"), ("skills.svg", "<svg"), ("skills.json", "\"pairs\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
}

#[test]
fn a_root_is_made_from_its_texts_and_examined_on_others() {
    let person = Person::new();
    let dir = person.files().join("root");
    let run = ["lab", "root", "--name", "general", "--seed", "2", "--small", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    let rows = found["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["quotation alone", "anchor", "root"]);
    for row in rows {
        assert_eq!(row["passages"], 2);
        for share in ["answered", "refused", "refused_falsely", "unsupported", "invented", "as_chat"] {
            assert!((0.0..=1.0).contains(&row[share].as_f64().unwrap()), "{row}");
        }
    }
    // Quotations never refuse and never invent, and some of them hold the answer.
    assert_eq!((&rows[0]["refused"], &rows[0]["invented"]), (&0.0.into(), &0.0.into()));
    assert!(rows[0]["answered"].as_f64().unwrap() > 0.2, "{}", rows[0]);
    assert_eq!(found["losses"].as_array().unwrap().len(), 3);

    // Every number is a half float, and the delta is one that any home takes.
    let tensors = dir.join("root/adapter_model.safetensors");
    let before = std::fs::metadata(&tensors).unwrap();
    assert!(before.len() < 4 << 20, "{}", before.len());
    assert_eq!(person.json(run), found);
    for (name, part) in [("root.md", "who reads"), ("root.svg", "<svg"), ("root.json", "\"rows\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
}
