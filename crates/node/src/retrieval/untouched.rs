//! Questions about matters that two people's dialogue is unlikely to touch. One whose matter the dialogues do touch is
//! left out.

use std::collections::HashSet;

use hinet_index::read::stems;

use super::locomo::Dialogue;

/// What is asked, with the words that name the matter; `{}` is one of the people.
const QUESTIONS: &[(&str, &str)] = &[
    ("What did {} pay for the harpsichord?", "harpsichord"),
    ("When does {}'s submarine licence run out?", "submarine"),
    ("Which lawyer handles the probate for {}?", "probate"),
    ("What is the torque of {}'s tractor?", "tractor"),
    ("How many beehives does {} keep?", "beehives"),
    ("Who repaired the chimney of {}'s cottage?", "chimney"),
    ("What is {}'s blood group?", "blood group"),
    ("Which court heard {}'s appeal?", "court appeal"),
    ("When was {}'s cataract operation?", "cataract"),
    ("What is the mortgage rate {} agreed on?", "mortgage"),
    ("How deep is the well on {}'s land?", "well deep"),
    ("What did the plumber tell {} about the boiler?", "plumber boiler"),
    ("Which telescope did {} order?", "telescope"),
    ("What is the chassis number of {}'s lorry?", "chassis lorry"),
    ("When is {}'s tax declaration due?", "tax declaration"),
    ("Which vaccine did the vet recommend to {} for the parrot?", "parrot"),
    ("How much fertiliser did {} buy for the vineyard?", "fertiliser vineyard"),
    ("Who tunes the church organ that {} plays?", "organ"),
    ("What was the fare of {}'s ferry to Iceland?", "ferry Iceland"),
    ("Which dialect of Aramaic does {} read?", "Aramaic"),
    ("When did {} sail round Cape Horn?", "Horn"),
    ("What is the password of {}'s router?", "router password"),
    ("Which fencing club is {} a member of?", "fencing"),
    ("How many shares of the brewery does {} own?", "brewery"),
    ("What did {} say about quantum chromodynamics?", "chromodynamics"),
    ("Who is the notary for {}'s house sale?", "notary"),
    ("When is the inspection of {}'s elevator?", "elevator"),
    ("Which insurer covers {}'s glider?", "glider insurer"),
    ("What was the yield of {}'s wheat harvest?", "wheat"),
    ("How high is {}'s cholesterol?", "cholesterol"),
    ("Which stamp is missing in {}'s collection from Ceylon?", "Ceylon"),
    ("What is the serial number of {}'s accordion?", "accordion"),
    ("When did {} pass the exam in maritime law?", "maritime"),
    ("Who built the kiln out of bricks for {}'s smithy?", "smithy"),
    ("Which diocese does {}'s uncle the bishop lead?", "bishop diocese"),
    ("How long did {}'s dialysis take?", "dialysis"),
    ("What did {} bid for the Byzantine coin?", "Byzantine"),
    ("Which reindeer won {}'s race in Lapland?", "reindeer Lapland"),
    ("When was {}'s septic tank emptied?", "septic"),
    ("Who forged the signature on {}'s cheque?", "forged cheque"),
];

/// The questions, the people taking turns.
pub(super) fn questions(dialogues: &[Dialogue]) -> Vec<String> {
    let said: HashSet<String> =
        dialogues.iter().flat_map(|dialogue| &dialogue.turns).flat_map(|turn| stems(&turn.text)).collect();
    let people: Vec<&String> = dialogues.iter().flat_map(|dialogue| &dialogue.speakers).collect();
    let untouched = QUESTIONS.iter().filter(|(_, matter)| !stems(matter).iter().all(|stem| said.contains(stem)));
    untouched.zip(people.iter().cycle()).map(|((question, _), who)| question.replace("{}", who)).collect()
}
