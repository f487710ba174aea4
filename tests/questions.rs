//! Twenty questions about a folder of 300 mixed documents, and ten that nothing in it answers, with the embedded anchor.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use support::{Person, corpus};

/// The whole trial, with a table on standard output (`--nocapture` shows it).
#[test]
fn the_right_document_is_cited_and_nothing_is_invented() {
    let person = Person::settled();
    corpus::write(&person.files());
    let report = person.json(["ingest", person.files().to_str().unwrap()]);
    assert_eq!(report["seen"], corpus::COUNT, "{report}");
    assert_eq!(report["new"], corpus::COUNT, "{report}");
    let _node = person.node();

    let (mut cited, mut held, mut refused) = (0, 0, 0);
    for fact in corpus::FACTS {
        let answer = person.json(["ask", fact.question]);
        let right = answer["citations"]
            .as_array()
            .unwrap()
            .iter()
            .any(|citation| citation["source"].as_str().unwrap().ends_with(fact.path));
        let said = answer["answer"].as_str().unwrap();
        let holds = corpus::holds(said, fact.expected);
        cited += usize::from(right);
        held += usize::from(holds);
        println!("{} {} {:<14} {} → {said}", mark(right), mark(holds), answer["how"].as_str().unwrap(), fact.question);
    }
    for question in corpus::UNANSWERABLE {
        let answer = person.json(["ask", question]);
        let none = answer["how"] == "not_in_memory";
        refused += usize::from(none);
        println!("{}   {:<14} {question} → {}", mark(none), answer["how"].as_str().unwrap(), answer["answer"]);
    }
    println!("cited {cited}/20, answered {held}/20, refused {refused}/10");
    assert!(cited >= 18, "the right document was cited {cited} times of 20");
    assert!(held >= 15, "the expected words were there {held} times of 20");
    assert!(refused >= 9, "{refused} of 10 unanswerable questions were refused");
}

fn mark(good: bool) -> char {
    if good { '✓' } else { '✗' }
}
