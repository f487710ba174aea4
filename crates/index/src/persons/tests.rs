//! Who is one person, and the owner's word over it.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a memory stores whose items name these, each in an item of its own, and that has these cards.
fn stored(spellings: &[&str], cards: &[&str]) -> Stored {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut stored = Stored::default();
    for (item, shown) in (1i64..).zip(spellings) {
        let row = Row { folded: folded(shown), shown: (*shown).to_owned(), items: Vec::new() };
        rows.entry(row.folded.clone()).or_insert(row).items.push(item);
        stored.times.insert(item, item * 10);
    }
    for (item, text) in (1000i64..).zip(cards) {
        stored.cards.extend(Card::read(item, text));
        stored.times.insert(item, 5);
    }
    stored.rows = rows.into_values().collect();
    stored
}

/// The spellings of each person, without those that stand on cards only.
fn grouped(stored: &Stored) -> BTreeSet<Vec<String>> {
    let persons = stored.persons();
    let sorted = |person: &Person| {
        let mut rows = person.rows.clone();
        rows.sort_unstable();
        rows
    };
    persons.all().iter().map(sorted).filter(|rows| !rows.is_empty()).collect()
}

fn told(mut stored: Stored, told: Result<Told, Unclear>) -> Stored {
    stored.words = told.unwrap().words;
    stored
}

fn merged(stored: Stored, one: &str, other: &str) -> Stored {
    let said = stored.merged(one, other);
    told(stored, said)
}

fn parted(stored: Stored, spelling: &str) -> Stored {
    let said = stored.parted(spelling);
    told(stored, said)
}

fn undone(mut stored: Stored) -> Stored {
    stored.words = stored.undone().unwrap().words;
    stored
}

fn sets(sets: &[&[&str]]) -> BTreeSet<Vec<String>> {
    let set = |set: &&[&str]| {
        let mut set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
        set.sort_unstable();
        set
    };
    sets.iter().map(set).collect()
}

const CARD: &str = "Contact: Ana Costa\nMail: ana@x.pt (home)\nMail: ac@work.pt\nPhone: +351 912 345 678 (cell)\n";

#[test]
fn an_address_is_one_person_whatever_the_name() {
    let all = stored(
        &["Ana Costa <Ana@X.pt>", "A. Costa <ana@x.pt>", "ana@x.pt", "Bo <b@gmail.com>", "b@googlemail.com"],
        &[],
    );
    let expected: &[&[&str]] =
        &[&["a. costa <ana@x.pt>", "ana costa <ana@x.pt>", "ana@x.pt"], &["b@googlemail.com", "bo <b@gmail.com>"]];
    assert_eq!(grouped(&all), sets(expected));
    let apart = stored(&["Ana <ana+shop@x.pt>", "Ana <ana@x.pt>", "Ana"], &[]);
    assert_eq!(grouped(&apart).len(), 3, "what follows a plus sign counts, and a first name joins nobody");
}

#[test]
fn a_full_name_joins_the_one_who_bears_it_and_nobody_else() {
    let one = stored(&["Ana Costa <ana@x.pt>", "ana costa"], &[]);
    assert_eq!(grouped(&one).len(), 1);
    let two = stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ana@y.pt>", "Ana Costa"], &[]);
    assert_eq!(grouped(&two).len(), 3, "one name with two addresses and no card is two people, and a name of neither");
    let carded = stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ac@work.pt>", "Ana Costa"], &[CARD]);
    assert_eq!(grouped(&carded).len(), 1, "a card says that they are one");
    let more = stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ana@y.pt>", "Ana Costa"], &[CARD]);
    assert_eq!(grouped(&more).len(), 3, "an address that is not on the card is another Ana");
    let first = stored(&["Ana <ana@x.pt>", "Ana"], &[]);
    assert_eq!(grouped(&first).len(), 2);
}

#[test]
fn a_card_joins_what_stands_on_it() {
    let all = stored(
        &["Costa, A <ac@work.pt>", "ana@x.pt", "Ana Costa", "Bo Lee"],
        &[CARD, "Contact: Bo Lee\nPhone: 123 456\n"],
    );
    let persons = all.persons();
    assert_eq!(persons.all().len(), 2);
    let ana = persons.exact("ana@x.pt").unwrap();
    assert_eq!((ana.name.as_str(), ana.items, ana.last), ("Ana Costa", 4, 30));
    assert_eq!(ana.addresses, ["ac@work.pt", "ana@x.pt"]);
    assert_eq!(ana.phones, ["+351912345678"]);
    assert_eq!(persons.one("Bo Lee").unwrap().phones, ["123456"]);
    assert_eq!(persons.found("+351 912 345 678").len(), 1);

    let two = stored(&["Ana Costa"], &["Contact: Ana Costa\nPhone: 111 111\n", "Contact: Ana Costa\nPhone: 222 222\n"]);
    assert_eq!(two.persons().all().len(), 3, "two cards of one name are two people");
    let same =
        stored(&[], &["Contact: Ana Costa\nPhone: 111 111\n", "Contact: ana costa\nPhone: 111-111\nPhone: 222 222\n"]);
    assert_eq!(same.persons().all().len(), 1, "a name and a number that are the same");
    let home = stored(&[], &["Contact: Ana Costa\nPhone: 111 111\n", "Contact: Rui Costa\nPhone: 111 111\n"]);
    assert_eq!(home.persons().all().len(), 2, "a number alone joins nobody");
    let only = stored(&[], &[CARD]);
    let persons = only.persons();
    let ana = &persons.all()[0];
    assert_eq!((ana.main.as_str(), ana.items, ana.last), ("Ana Costa <ac@work.pt>", 1, 5));
    assert_eq!(persons.exact(&ana.main), Some(ana));
}

#[test]
fn an_address_that_many_write_from_is_nobody() {
    let mut spellings: Vec<String> = (0..9).map(|n| format!("Person N{n}x <notify@hub.org>")).collect();
    spellings.push("Ana Costa <ana@x.pt>".into());
    spellings.push("Ana Costa <notify@hub.org>".into());
    spellings.push("Ana Costa".into());
    let names: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let all = stored(&names, &[]);
    assert_eq!(grouped(&all).len(), 11);
    let persons = all.persons();
    let ana = persons.exact("ana@x.pt").unwrap();
    assert_eq!(ana.spellings.len(), 2, "the bare name is hers: {ana:?}");
    assert_eq!(persons.called("notify@hub.org").spellings.len(), 10);
}

#[test]
fn a_domain_leads_no_further_than_where_it_stands() {
    let all = stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ac@work.pt>", "Bo <bo@x.pt>"], &[CARD]);
    let persons = all.persons();
    let meant = |asked: &str| persons.called(asked).spellings.len();
    assert_eq!((meant("ana"), meant("ac"), meant("ana@x.pt"), meant("costa ana")), (2, 2, 2, 2));
    assert_eq!((meant("x.pt"), meant("work.pt"), meant("bo"), meant("nobody"), meant("")), (2, 1, 1, 0, 0));
    assert_eq!(persons.called("ana").cards, [1000]);
    let two = stored(&["Ana", "Ana Costa <ana@x.pt>"], &[]);
    let persons = two.persons();
    assert_eq!((persons.called("ana").spellings.len(), persons.exactly("Ana").spellings.len()), (2, 1));
}

#[test]
fn two_are_merged_and_taken_apart_again() {
    let before = stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ana@y.pt>", "Ana Costa", "Bo Lee <bo@x.pt>"], &[]);
    let start = grouped(&before);
    assert_eq!(start.len(), 4);
    let all = merged(before, "ana@x.pt", "ana@y.pt");
    assert_eq!(grouped(&all).len(), 2, "with one Ana left the bare name is hers");
    assert!(matches!(all.merged("ana@x.pt", "ana@y.pt"), Err(Unclear::Same { .. })));
    let all = merged(all, "Bo Lee", "Ana Costa");
    assert_eq!(grouped(&all).len(), 1);
    let all = parted(all, "bo@x.pt");
    assert_eq!(grouped(&all).len(), 2, "what is left stays one: {:?}", grouped(&all));
    let all = merged(all, "bo@x.pt", "ana@y.pt");
    assert_eq!(grouped(&all).len(), 1, "a later word counts");
    let all = undone(undone(all));
    assert_eq!(grouped(&all).len(), 1);
    let all = undone(undone(all));
    assert_eq!(grouped(&all), start);
    assert!(all.undone().is_none());
}

#[test]
fn a_spelling_is_set_apart() {
    let names = ["Ana Costa <costa@x.pt>", "Rui Costa <costa@x.pt>", "costa@x.pt", "Rui Costa", "Ana Costa"];
    let all = parted(stored(&names, &[]), "rui costa  <COSTA@x.pt>");
    let expected: &[&[&str]] =
        &[&["ana costa <costa@x.pt>", "ana costa", "costa@x.pt"], &["rui costa <costa@x.pt>", "rui costa"]];
    assert_eq!(grouped(&all), sets(expected));
    assert_eq!(grouped(&undone(all)).len(), 1);

    let carded =
        || stored(&["Ana Costa <ana@x.pt>", "Ana Costa <ac@work.pt>", "A. C. <ac@work.pt>", "Ana Costa"], &[CARD]);
    let all = parted(carded(), "ac@work.pt");
    let expected: &[&[&str]] =
        &[&["a. c. <ac@work.pt>", "ana costa <ac@work.pt>"], &["ana costa", "ana costa <ana@x.pt>"]];
    assert_eq!(grouped(&all), sets(expected), "an address takes its spellings along");
    assert_eq!(all.persons().exact("ana@x.pt").unwrap().phones, ["+351912345678"]);
    let all = parted(carded(), "+351 912 345 678");
    assert_eq!(all.persons().one("ana@x.pt").unwrap().phones, [""; 0]);

    let one = stored(&["Ana Costa <ana@x.pt>", "Ana Costa"], &[]);
    assert!(matches!(stored(&["Bo <b@x.pt>"], &[]).parted("b@x.pt"), Err(Unclear::Alone { .. })));
    assert!(matches!(one.parted("nobody"), Err(Unclear::Nobody { .. })));
    assert_eq!(grouped(&parted(one.clone(), "Ana Costa")).len(), 2, "the bare name");
    assert_eq!(grouped(&parted(one, "Ana Costa <ana@x.pt>")).len(), 2, "all of the address");
}

#[test]
fn who_is_meant_must_be_clear() {
    let all = stored(&["Ana Costa <ana@x.pt>", "Ana Lee <lee@x.pt>", "Bo <bo@x.pt>"], &[]);
    assert!(matches!(all.merged("ana", "bo"), Err(Unclear::Several { them, .. }) if them.len() == 2));
    assert!(matches!(all.merged("bo", " "), Err(Unclear::Nobody { .. })));
    assert!(matches!(all.merged("bo", "cy"), Err(Unclear::Nobody { .. })));
    assert_eq!(all.merged("bo", "ana costa").unwrap().about.len(), 1);
}

#[test]
fn nothing_is_left_of_a_name_that_no_item_has() {
    let names = ["Ana Costa <ana@x.pt>", "Ani <ani@y.pt>", "A. C. <ac@z.pt>"];
    let all = merged(merged(stored(&names, &[]), "ana@x.pt", "ani@y.pt"), "ani@y.pt", "ac@z.pt");
    assert_eq!(grouped(&all).len(), 1);
    assert_eq!(all.pruned(), None);
    for (at, name) in names.iter().enumerate() {
        let mut left = all.clone();
        left.rows.retain(|row| row.shown != *name);
        left.words = left.pruned().unwrap();
        assert_eq!(grouped(&left).len(), 1, "the other two stay one without {name}");
        let gone = ["ana@x.pt", "ani@y.pt", "ac@z.pt"][at];
        assert!(!format!("{:?}", left.words).contains(gone), "{:?}", left.words);
    }
    let mut apart = parted(all, "ani@y.pt");
    apart.rows.clear();
    assert_eq!(apart.pruned(), Some(Vec::new()));
}

/// `cargo test --release -p hinet-index everybody_of_a_hundred_thousand -- --ignored --nocapture` prints the cost.
#[test]
#[ignore = "measures, and decides nothing"]
fn everybody_of_a_hundred_thousand_mails() {
    let spelling = |n: usize| format!("Given{} Family{} <p{}@x{}.org>", n % 97, n % 9_973, n % 20_011, n % 7);
    let spellings: Vec<String> = (0..300_000).map(spelling).collect();
    let names: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let all = stored(&names, &[CARD]);
    let start = std::time::Instant::now();
    let persons = all.persons();
    let grouped = start.elapsed();
    let meant = persons.called("given3").spellings.len();
    println!(
        "{} spellings, {} persons in {:.0} ms; {meant} meant in {:.1} ms",
        all.rows.len(),
        persons.all().len(),
        grouped.as_secs_f64() * 1000.0,
        (start.elapsed() - grouped).as_secs_f64() * 1000.0
    );
}

/// A header's spelling, out of few names and addresses, so that they meet.
fn spelling() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["Ana Costa", "ana costa", "Ana", "Bo Lee", "Rui Costa", ""]);
    let address =
        prop::sample::select(vec!["ana@x.pt", "Ana@X.pt", "b@gmail.com", "b@googlemail.com", "costa@x.pt", ""]);
    (name, address).prop_map(|(name, address)| match (name.is_empty(), address.is_empty()) {
        (true, true) => "Cy Ito".to_owned(),
        (true, false) => address.to_owned(),
        (false, true) => name.to_owned(),
        (false, false) => format!("{name} <{address}>"),
    })
}

fn card() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["Ana Costa", "Bo Lee", "Rui"]);
    let line = prop::sample::select(vec!["Mail: ana@x.pt", "Mail: b@gmail.com", "Mail: costa@x.pt", "Phone: 111 111"]);
    (name, prop::collection::vec(line, 0..3))
        .prop_map(|(name, lines)| format!("Contact: {name}\n{}\n", lines.join("\n")))
}

fn memory() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    (prop::collection::vec(spelling(), 1..12), prop::collection::vec(card(), 0..4))
}

fn of(names: &[String], cards: &[String]) -> Stored {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    stored(&names, &cards)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_import_is_nothing(
        ((names, cards), (shuffled, turned)) in memory().prop_flat_map(|(names, cards)| {
            let other = (Just(names.clone()).prop_shuffle(), Just(cards.clone()).prop_shuffle());
            (Just((names, cards)), other)
        })
    ) {
        let (one, other) = (of(&names, &cards), of(&shuffled, &turned));
        prop_assert_eq!(grouped(&one), grouped(&other));
        let mut backwards = one.clone();
        backwards.rows.reverse();
        backwards.cards.reverse();
        prop_assert_eq!(grouped(&one), grouped(&backwards));
        let names = |stored: &Stored| -> Vec<(String, u64)> {
            let mut names: Vec<(String, u64)> =
                stored.persons().all().iter().map(|person| (person.name.to_lowercase(), person.items)).collect();
            names.sort_unstable();
            names
        };
        prop_assert_eq!(names(&one), names(&other));
        let items = |stored: &Stored| stored.persons().all().iter().map(|person| person.rows.len()).sum::<usize>();
        prop_assert_eq!(items(&one), one.rows.len(), "each spelling is somebody's, once");
    }

    #[test]
    fn what_the_owner_says_holds_and_is_taken_back((names, cards) in memory(), first in 0usize..12, second in 0usize..12) {
        let all = of(&names, &cards);
        let before = grouped(&all);
        let (one, other) = (&names[first % names.len()], &names[second % names.len()]);
        if let Ok(said) = all.merged(one, other) {
            let mut after = all.clone();
            after.words = said.words;
            let persons = after.persons();
            prop_assert_eq!(persons.exact(one), persons.exact(other));
            prop_assert_eq!(grouped(&undone(after)), before.clone());
        }
        if let Ok(said) = all.parted(one) {
            let was = all.persons();
            let was = was.exact(one).unwrap();
            let mut after = all.clone();
            after.words = said.words;
            let persons = after.persons();
            let apart = persons.exact(one).unwrap();
            let rest = was.rows.iter().filter(|row| !apart.rows.contains(row));
            let rest: BTreeSet<&str> = rest.map(|row| persons.exact(row).unwrap().main.as_str()).collect();
            prop_assert!(rest.len() <= 1, "{:?} left {:?}", one, rest);
            prop_assert_eq!(grouped(&undone(after)), before);
        }
    }
}
