//! Our own sentences, of several languages and with traps: what is to be found stands in brackets after its kind. None
//! of them was used in training. Here the bounds hold for all kinds together, and nothing marked `none` may be found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod marked;

use hinet_consent::{KINDS, spot, withhold};
use hinet_protocol::Filter;
use marked::{Marked, Tally};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// `[kind|text]` marks a span.
const SENTENCES: &[&str] = &[
    "Dear [name|Margaret Okafor], thank you for your letter of 3 March.",
    "Hi [name|Tom], could you ask [name|Priya] whether the contract is ready?",
    "Mr. [name|May] will be in the office in May, and Mrs. [name|Will] in April.",
    "Will you mark the date? Mark it in the calendar, and bill them in June.",
    "[name|Mark] said that [name|Will Turner] had left already.",
    "We flew from Florence to Paris and on to Charlotte, North Carolina.",
    "[name|Florence Adeyemi] flew to Paris with [name|Charlotte].",
    "The Tesla stood next to a Mercedes in front of the Hilton.",
    "My sister [name|Ingrid] was born on [birth|14 February 1988] and lives at [address|12 Oak Lane, Leeds LS1 4AB].",
    "DOB: [birth|03/11/1975], SSN [id|219-09-9999], phone [phone|(555) 010-9988].",
    "Patient: [name|Joaquim Ferreira]\nDate of birth: [birth|1969-12-01]\nNHS number: [id|943 476 5919]",
    "ship it to [address|350 Fifth Avenue, Suite 3300, New York, NY 10118] please",
    "Invoices go to [address|P.O. Box 1234, Denver, CO 80201].",
    "We have 12 people and 3 ways to get to the place.",
    "In 2019 the company moved to Berlin; version 2.3.1 came out on 12 May 2021.",
    "Attendees: [name|Liu Wei], [name|Aleksandra Nowak], [name|J. R. Whitfield] and [name|Sven van der Berg]",
    "Kind regards,\n[name|Beatriz Almeida]\nHead of Research",
    "[name|O'Brien] and [name|García Márquez] were both on the list.",
    "According to [name|Dr. Hannah Weiss] the results are preliminary.",
    "Apple and Amazon raised prices; Jordan and Chad did not.",
    "Lieber Herr [name|Brandt], vielen Dank für die Rechnung vom Montag.",
    "Meine Kollegin [name|Sabine Krüger] wohnt in der [address|Lindenstraße 14, 50674 Köln].",
    "Der Hund liegt im Garten, und die Katze sitzt vor der Tür.",
    "[name|Thomas Müller] wurde am [birth|3. Mai 1980] geboren.",
    "Mein Reisepass hat die Nummer [id|C01X00T47].",
    "Mit freundlichen Grüßen\n[name|Jürgen Hoffmann]",
    "Bonjour [name|Camille], est-ce que Monsieur [name|Lefèvre] vient demain ?",
    "J'habite [address|12 rue de la Paix, 75002 Paris] depuis deux ans.",
    "Elle est née le [birth|7 août 1991] à Lyon.",
    "Le train de Paris à Lyon part à neuf heures du matin.",
    "O senhor [name|Duarte] rega os fetos às segundas-feiras.",
    "Chamo-me [name|Inês Carvalho], o meu NIF é [id|123456789].",
    "Moro na [address|Rua Augusta 120, 1100-053 Lisboa].",
    "A reunião é na Câmara Municipal do Porto às nove.",
    "Querida [name|Lucía], dile a [name|Alejandro Ruiz] que llame al [phone|+34 612 345 678].",
    "La oficina está en [address|Calle de Alcalá 45, 28014 Madrid].",
    "El tren de Madrid a Sevilla sale a las nueve.",
    "Beste [name|Anneke], de afspraak met [name|Pieter de Vries] is verplaatst.",
    "Mijn BSN is [id|111222333] en ik woon op [address|Keizersgracht 174, 1016 DW Amsterdam].",
    "Mi chiamo [name|Giulia Romano] e abito in [address|Via Garibaldi 7, 20121 Milano].",
    "CPF [id|529.982.247-25], PESEL [id|44051401359], Aadhaar [id|2341 2341 2346].",
    "Driving licence number: [id|MORGA753116SM9IJ]",
    "Write to [email|ana.duarte@example.org] or see [host|https://example.org/a].",
    "Card [card|4111 1111 1111 1111], IBAN [iban|DE89 3704 0044 0532 0130 00].",
    "i told [name|jessica] that we meet at the station at nine",
    "MEETING WITH [name|ROBERT KOWALSKI] IS MOVED TO FRIDAY",
    "From: [name|Yuki Tanaka]\nTo: [name|Fatima Al-Sayed]\nSubject: Minutes",
    "[name|Anna]: did you see it?\n[name|Ben]: not yet",
    "Introduction\nMaterials and Methods\nResults and Discussion",
    "Chapter 4 describes the Newton method, and Chapter 5 the Gaussian one.",
    "The password is \"[secret|hunter2!Q]\", and the door code is on the desk.",
    "Please open Settings, Privacy, Location Services and turn them off.",
    "The Bank of England and the European Commission disagree.",
    "I love the smell of rose, lily and jasmine in the summer rain.",
];

/// Takes the brackets out.
fn read(sentence: &str) -> Marked {
    let (mut text, mut spans, mut rest) = (String::new(), Vec::new(), sentence);
    while let Some((before, after)) = rest.split_once('[') {
        let (inner, more) = after.split_once(']').unwrap();
        let (kind, words) = inner.split_once('|').unwrap();
        text.push_str(before);
        let start = text.len();
        text.push_str(words);
        spans.push((kind.to_owned(), start..text.len()));
        rest = more;
    }
    text.push_str(rest);
    Marked { set: "own", text, spans, fifth: 0 }
}

#[test]
fn our_own_sentences() {
    let texts: Vec<Marked> = SENTENCES.iter().map(|sentence| read(sentence)).collect();
    let mut tallies = vec![Tally::default(); KINDS.len()];
    for text in &texts {
        let found = spot(&text.text);
        let any: Vec<_> = found.iter().map(|f| f.span.clone()).collect();
        for (kind, tally) in KINDS.iter().zip(&mut tallies) {
            let there: Vec<_> = text.spans.iter().filter(|(k, _)| k == kind).map(|(_, s)| s.clone()).collect();
            let said: Vec<_> = found.iter().filter(|f| f.kind == *kind).map(|f| f.span.clone()).collect();
            let one = Tally::of(&text.text, &there, &said, &any);
            if one.overlap < one.there || one.right < one.said {
                let said: Vec<&str> = said.iter().map(|span| &text.text[span.clone()]).collect();
                println!("{kind}: {:?} said in {:?}", said, text.text);
            }
            tally.add(&one);
        }
    }
    let mut sum = Tally::default();
    for (kind, tally) in KINDS.iter().zip(&tallies) {
        println!("{}", tally.line(&format!("own sentences: {kind}")));
        sum.add(tally);
    }
    println!("{}", sum.line("own sentences: all kinds"));
    let names = tallies.last().unwrap();
    assert!(names.recall() >= 0.85 && names.precision() >= 0.8);
    assert!(sum.recall() >= 0.9 && sum.precision() >= 0.85);
}

proptest! {
    #[test]
    fn any_text_is_looked_at_without_a_panic(text in "\\PC{0,400}") {
        check(&text);
    }

    #[test]
    fn any_text_of_the_signs_that_matter(text in "([A-Z][a-z]{1,4}|[0-9]{1,5}|[ ,.\n'#@:/-]|ß|é|\u{301}|СТ|李|\u{a0}|Str\\.|Apt\\.|born|Box){0,60}") {
        check(&text);
    }
}

/// Spans are in order, inside the text and on the boundaries of its letters, and what is withheld is gone.
fn check(text: &str) {
    let found = spot(text);
    let mut end = 0;
    for one in &found {
        assert!(end <= one.span.start && one.span.start < one.span.end && text.get(one.span.clone()).is_some());
        end = one.span.end;
    }
    let all = Filter { withhold: vec!["*".into()], placeholders: true };
    assert_eq!(withhold(text, &all).withheld, found.len() as u64);
}

/// Five megabytes of what could take forever are looked at in a time that grows with their length. The bound is loose,
/// because tests run unoptimised and beside each other; what is quadratic takes minutes.
#[test]
fn long_texts_take_a_time_that_grows_with_their_length() {
    let pieces = [
        "a",
        "A",
        "1",
        "1 ",
        "-",
        ".",
        "@",
        "a@",
        "A.",
        "Ab ",
        "AB ",
        "12 Oak ",
        "Rua ",
        "Str. 1 ",
        "-----BEGIN PRIVATE KEY-----\n",
        "\n",
        "curl -u ",
        "https://a:",
        "Authorization: Bearer ",
        "kind: Secret\n",
        "passport ",
        "born ",
        "Apt. 1 ",
        "\u{301}",
        "李",
        "de ",
        "DE89 ",
        "key=",
        "(",
        "+1 ",
        "> ",
        "'",
        "Anna-",
    ];
    let (mut slowest, mut piece) = (Duration::ZERO, "");
    for one in pieces {
        let text = one.repeat(500_000 / one.len());
        let begun = Instant::now();
        let _ = spot(&text);
        let short = begun.elapsed();
        if short > slowest {
            (slowest, piece) = (short, one);
        }
        assert!(short < Duration::from_secs(20), "{one:?} takes {short:?} for half a megabyte");
    }
    let text = piece.repeat(5_000_000 / piece.len());
    let begun = Instant::now();
    let _ = spot(&text);
    let long = begun.elapsed();
    println!("slowest: {piece:?}, {slowest:?} for 0.5 MB and {long:?} for 5 MB");
    assert!(long < slowest * 40 + Duration::from_secs(2), "{piece:?}: {slowest:?}, then {long:?}");
}
