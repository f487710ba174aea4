//! A made-up person's folder of 300 mixed documents, the same on every machine: notes, letters, pages, code, PDFs and
//! Word files, with a few facts that are asked for and many near misses.

use std::fs;
use std::path::Path;

use super::office;

/// A fact, where it is written, how it is asked for, and what an answer must hold.
pub struct Fact {
    /// Path below the folder; its ending says the kind.
    pub path: &'static str,
    /// Title line.
    pub title: &'static str,
    /// The document.
    pub text: &'static str,
    /// The question.
    pub question: &'static str,
    /// Words an answer must hold, any spelling of one of them between `|`.
    pub expected: &'static [&'static str],
}

/// The facts that are asked for.
pub const FACTS: &[Fact] = &[
    Fact {
        path: "travel/porto.md",
        title: "Weekend in Porto",
        text: "Ana booked the trip in March.\n\n## Getting there\n\nTrain at 14:39 from Oriente, coach 21, seat 54. Leave home at 13:50; the passport is in the blue bag.\n\n## Staying\n\nThe flat is on Rua das Flores, check-in after four.",
        question: "When does my train to Porto leave?",
        expected: &["14:39"],
    },
    Fact {
        path: "house/boiler.txt",
        title: "Boiler",
        text: "The boiler in the cellar is a Vaillant ecoTEC from 2014. It was serviced by Joaquim Teles on 3 November; he charged 85 euros and said the expansion vessel will need replacing next winter. His mobile is 912 555 018.",
        question: "Who serviced the boiler?",
        expected: &["Joaquim|Teles"],
    },
    Fact {
        path: "house/lease.pdf",
        title: "Lease agreement summary",
        text: "The monthly rent for the apartment is 1,140 euros, due on the fifth working day. The deposit of two months is held by Imobiliaria Lapa. Notice period is ninety days in writing.",
        question: "What is the notice period of my lease?",
        expected: &["ninety|90"],
    },
    Fact {
        path: "health/dentist.md",
        title: "Dentist",
        text: "Saw Dr. Okafor on Tuesday. The crown on the lower left molar is loose. Next appointment: 19 February at 08:15, bring the X-ray from Santa Maria.",
        question: "When is my next dentist appointment?",
        expected: &["19 February|February 19"],
    },
    Fact {
        path: "work/staging.md",
        title: "Staging environment",
        text: "The staging database runs on host `heron-2.internal`, port 5433. Deploy keys rotate on Mondays; ask Priya for the new one. Migrations are run by hand.",
        question: "Which port does the staging database use?",
        expected: &["5433"],
    },
    Fact {
        path: "work/minutes-q3.docx",
        title: "Minutes, third quarter planning",
        text: "Present: Priya, Tomas, Lin, Maya. The budget for the sensor redesign was set at 48,000 euros. Tomas leads it; the first prototype is promised for the end of January.",
        question: "What is the budget for the sensor redesign?",
        expected: &["48,000|48000|48 000"],
    },
    Fact {
        path: "work/supplier.docx",
        title: "Letter from Kestrel Optics",
        text: "Dear Maya, we confirm your order of forty lens assemblies. Delivery takes six weeks from the date of this letter. The warranty on all assemblies is thirty months.",
        question: "How long is the warranty on the lens assemblies?",
        expected: &["thirty months|30 months"],
    },
    Fact {
        path: "recipes/grandmother-soup.md",
        title: "Grandmother's caldo verde",
        text: "Six potatoes, one onion, two cloves of garlic, a bunch of collard greens cut very thin, one chouriço. Boil the potatoes with the onion, mash them in the water, add the greens for five minutes. The secret is a spoon of smoked paprika in the oil.",
        question: "What is the secret of grandmother's caldo verde?",
        expected: &["paprika"],
    },
    Fact {
        path: "notes/wifi.txt",
        title: "Wifi",
        text: "Home network is called Gaivota, the password is marmalade-lantern-42. The guest network has no password. Router admin page needs the sticker code.",
        question: "What is the password of the home wifi?",
        expected: &["marmalade-lantern-42"],
    },
    Fact {
        path: "notes/books.html",
        title: "Books lent out",
        text: "The Leopard was lent to Henrique in June. A Time of Gifts went to my sister Clara. The atlas of remote islands is still at Lin's place.",
        question: "To whom did I lend The Leopard?",
        expected: &["Henrique"],
    },
    Fact {
        path: "car/insurance.pdf",
        title: "Car insurance policy",
        text: "Policy number FX-20931-B covers the Renault Zoe with plate 48-QT-02. The excess is 350 euros per claim. Roadside help is reached at 800 210 433, day and night.",
        question: "What is the excess on my car insurance?",
        expected: &["350"],
    },
    Fact {
        path: "code/retry.rs",
        title: "retry.rs",
        text: "/// Retries a request with exponential back-off.\n/// The gateway drops connections after 37 seconds of silence, so the cap stays below that.\npub const BACKOFF_CAP_SECONDS: u64 = 30;\n\npub fn next_delay(attempt: u32) -> u64 {\n    (1u64 << attempt.min(10)).min(BACKOFF_CAP_SECONDS)\n}",
        question: "After how many seconds of silence does the gateway drop connections?",
        expected: &["37"],
    },
    Fact {
        path: "code/backup.py",
        title: "backup.py",
        text: "# Nightly backup of the photo archive.\n# Runs at 03:20 from cron on the basement server, keeps fourteen snapshots.\nKEEP = 14\n\ndef prune(snapshots):\n    return sorted(snapshots)[-KEEP:]",
        question: "At what time does the nightly photo backup run?",
        expected: &["03:20|3:20"],
    },
    Fact {
        path: "family/birthdays.md",
        title: "Birthdays",
        text: "- Clara: 9 May\n- Father: 23 September\n- Henrique: 30 January\n- Lin's daughter Mei: 14 December, she likes dinosaurs",
        question: "When is Clara's birthday?",
        expected: &["9 May|May 9"],
    },
    Fact {
        path: "garden/plan.html",
        title: "Garden plan",
        text: "The lemon tree moves to the south wall in April. Tomatoes follow the beans in the second bed. Slugs hate the copper tape Clara brought from Evora.",
        question: "Where does the lemon tree move to?",
        expected: &["south wall"],
    },
    Fact {
        path: "music/choir.txt",
        title: "Choir",
        text: "Rehearsals are on Thursdays at half past seven in the parish hall of Santa Catarina. The Christmas concert is on 20 December. Altos wear dark green.",
        question: "On which day are the choir rehearsals?",
        expected: &["Thursday"],
    },
    Fact {
        path: "bank/savings.pdf",
        title: "Savings account letter",
        text: "Your fixed term deposit of 12,500 euros matures on 30 June. The interest rate is 2.85 percent per year. Early withdrawal costs ninety days of interest.",
        question: "What is the interest rate of my fixed term deposit?",
        expected: &["2.85"],
    },
    Fact {
        path: "school/thesis.md",
        title: "Thesis notes",
        text: "Supervisor is Professor Almeida. The chapter on estuary sediments must be handed in by 12 May. The best reference is the survey of the Sado from 1987.",
        question: "Who supervises my thesis?",
        expected: &["Almeida"],
    },
    Fact {
        path: "dog/bolota.txt",
        title: "Bolota",
        text: "Bolota weighs 17 kilos and is allergic to chicken. Worm tablet every three months. The vet is the clinic Arca in Benfica; her chip ends in 7731.",
        question: "What is Bolota allergic to?",
        expected: &["chicken"],
    },
    Fact {
        path: "bike/service.docx",
        title: "Bicycle service record",
        text: "The chain was replaced at 6,200 kilometres and the brake pads at 5,900. Tyres are Schwalbe Marathon, 40 millimetres. The frame number is WTU184K0532.",
        question: "What is the frame number of my bicycle?",
        expected: &["WTU184K0532"],
    },
];

/// Questions that nothing in the folder answers.
pub const UNANSWERABLE: &[&str] = &[
    "What is the capital of Mongolia?",
    "What is my blood type?",
    "When does my flight to Oslo land?",
    "Who is my cardiologist?",
    "What did I pay for the piano?",
    "Which hotel did I book in Vienna?",
    "What is the name of Priya's husband?",
    "How many employees does Kestrel Optics have?",
    "What is the alarm code of the office?",
    "Who won the chess tournament in 1972?",
];

const PEOPLE: &[&str] =
    &["Rui", "Sofia", "Marta", "Pedro", "Ines", "Duarte", "Teresa", "Nuno", "Beatriz", "Vasco", "Olga", "Filipe"];
const TOWNS: &[&str] = &[
    "Braga", "Faro", "Coimbra", "Tavira", "Viseu", "Leiria", "Setubal", "Beja", "Guarda", "Aveiro", "Lagos", "Sintra",
];
const THINGS: &[&str] = &[
    "printer",
    "fence",
    "dishwasher",
    "roof tiles",
    "window",
    "heater",
    "water meter",
    "door lock",
    "oven",
    "gutter",
    "shelf",
    "lamp",
];
const TOPICS: &[&str] = &[
    "packaging",
    "recruiting",
    "the website",
    "the newsletter",
    "travel costs",
    "safety training",
    "the warehouse",
    "the archive",
    "translations",
    "the trade fair",
    "recycling",
    "office plants",
];

/// Writes the folder. In all there are [`COUNT`] documents.
pub fn write(root: &Path) {
    for fact in FACTS {
        put(root, fact.path, fact.title, fact.text);
    }
    for n in 0..COUNT - FACTS.len() {
        let (path, title, text) = filler(n);
        put(root, &path, &title, &text);
    }
}

/// How many documents the folder has.
pub const COUNT: usize = 300;

fn filler(n: usize) -> (String, String, String) {
    let pick = |list: &[&'static str], salt: usize| list[(n * 7 + salt * 5 + n / 12) % list.len()];
    let (a, b) = (pick(PEOPLE, 0), pick(PEOPLE, 3));
    let (town, thing, topic) = (pick(TOWNS, 1), pick(THINGS, 2), pick(TOPICS, 4));
    let (day, month) = (1 + n * 11 % 28, ["January", "March", "April", "July", "August", "October"][n % 6]);
    let amount = 20 + n * 37 % 900;
    let hour = 7 + n % 12;
    match n % 7 {
        0 => (
            format!("diary/{n:03}.md"),
            format!("{day} {month}"),
            format!(
                "Walked along the river with {a} after lunch. We spoke about {town} and whether to go there in spring. {b} called in the evening; the {thing} is still broken and nobody has time."
            ),
        ),
        1 => (
            format!("travel/{}-{n:03}.txt", town.to_lowercase()),
            format!("Day trip to {town}"),
            format!(
                "Bus to {town} at {hour:02}:25 from the central station with {a}. Lunch near the castle. Back before nine. The tickets cost {amount} cents each way, bought by {b}."
            ),
        ),
        2 => (
            format!("work/minutes-{n:03}.docx"),
            format!("Minutes about {topic}"),
            format!(
                "Present: {a}, {b}. The budget for {topic} stays at {amount} euros. {a} writes the first draft by the {day}th of {month}. Open question: who tells the supplier in {town}?"
            ),
        ),
        3 => (
            format!("pages/{n:03}.html"),
            format!("All about {topic}"),
            format!(
                "This page collects links on {topic}. {a} added the section on costs, {b} the one on history. It was last looked over in {month}. There is a short guide for beginners from {town}."
            ),
        ),
        4 => (
            format!("letters/{n:03}.pdf"),
            format!("Letter about the {thing}"),
            format!(
                "Dear customer, thank you for your message of {day} {month}. The repair of the {thing} will cost {amount} euros. Our colleague {a} will come to {town} and needs about two hours."
            ),
        ),
        5 => (
            format!("code/module_{n:03}.py"),
            format!("module_{n:03}.py"),
            format!(
                "# Part of the {topic} tool, kept by {a}.\nLIMIT = {amount}\n\ndef load_{n}(rows):\n    \"\"\"Keeps the first LIMIT rows of the {month} export.\"\"\"\n    return rows[:LIMIT]"
            ),
        ),
        _ => (
            format!("recipes/{n:03}.md"),
            format!("Cake from {town}"),
            format!(
                "{} eggs, {amount} grams of flour, a little sugar. Bake for {} minutes. {a} says the secret is patience; {b} prefers it with almonds.",
                2 + n % 4,
                20 + n % 30
            ),
        ),
    }
}

fn put(root: &Path, path: &str, title: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().expect("corpus paths have a folder")).unwrap();
    let bytes = match file.extension().and_then(|e| e.to_str()) {
        Some("md") => format!("# {title}\n\n{text}\n").into_bytes(),
        Some("html") => {
            let paragraphs: String =
                text.split(". ").map(|s| format!("<p>{}.</p>\n", s.trim_end_matches('.'))).collect();
            format!("<!doctype html><html><head><title>{title}</title><style>p {{ color: red }}</style></head><body><h1>{title}</h1>\n{paragraphs}</body></html>").into_bytes()
        }
        Some("pdf") => office::pdf(title, text),
        Some("docx") => office::docx(title, text),
        Some("txt") => format!("{title}\n\n{text}\n").into_bytes(),
        _ => text.as_bytes().to_vec(),
    };
    fs::write(file, bytes).unwrap();
}

/// Whether an answer holds what is expected.
pub fn holds(answer: &str, expected: &[&str]) -> bool {
    let answer = answer.to_lowercase();
    expected.iter().all(|words| words.split('|').any(|word| answer.contains(&word.to_lowercase())))
}
