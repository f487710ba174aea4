//! Words that make an address: types of streets, what stands inside their names, what says that an address follows.

use super::super::tokens::{List, Piece};
use super::is_named;
use std::sync::OnceLock;

/// After the name of a street, and nearly nothing else.
pub(super) const AFTER: u32 = 1;
/// After the name of a street, and much else.
pub(super) const AFTER_TOO: u32 = 2;
/// Before the name of a street.
pub(super) const BEFORE: u32 = 4;
/// Says a street even where no number is given.
pub(super) const ALONE: u32 = 8;
/// Inside the name of a street.
pub(super) const INSIDE: u32 = 16;
/// Says that an address follows.
pub(super) const CUE: u32 = 32;
/// A month or another word that makes a number none of a house.
pub(super) const NEVER: u32 = 64;
/// Where an address may follow.
pub(super) const AT: u32 = 128;
/// Begins a post box.
pub(super) const BOX: u32 = 256;
/// Says that a postcode follows.
pub(super) const CODE: u32 = 512;
/// The corner of two streets.
pub(super) const CORNER: u32 = 1024;

const ROWS: &[(u32, &str)] = &[
    (AFTER | ALONE, "street road avenue boulevard lane highway parkway crescent"),
    (
        AFTER,
        "st rd ave av blvd ln dr hwy pkwy cres crescent terrace ter terr sq cir ct pl expressway freeway turnpike mews",
    ),
    (
        AFTER_TOO,
        "drive court place square circle way close gardens garden grove row walk hill park view trail loop alley",
    ),
    (
        AFTER_TOO,
        "plaza wharf quay green rise vale ridge run path pike point crossing heights broadway bypass gate meadow",
    ),
    (
        AFTER,
        "markt platz ring damm ufer graben strasse str allee gasse weg ulica utca ut ter korut gata gatan vag vagen vej vei katu tie laan straat plein",
    ),
    (BEFORE | ALONE, "rue rua calle avenida travessa viale piazza boulevard avenue chemin impasse carrer"),
    (
        BEFORE,
        "av ave avda praca largo estrada plaza paseo carrera via corso vicolo strada bd allee quai place ulica ul",
    ),
    (
        BEFORE,
        "aleja plac calea bulevardul str rruga cours route rambla alameda r c ronda camino cra rodovia beco urbanizacao",
    ),
    (
        BEFORE,
        "trg ctra carretera piazzale largo ulice namesti nabrezi bulevar trg odos leoforos ул улица проспект пер переулок",
    ),
    (
        INSIDE,
        "de la le les du des da do das dos del di della dei delle van von der den het el y e i of the und u sur am an",
    ),
    (INSIDE, "dalla dal dallo im zum zur op aan in auf alla pod nad"),
    (
        CUE,
        "address addresses adresse anschrift adres morada direccion endereco indirizzo osoite adress lives live living",
    ),
    (
        CUE,
        "resides residing reside located wohnhaft wohne wohnt domicile domicilio deliver delivered delivery ship shipped",
    ),
    (
        CUE,
        "moved send sent return returned arrived office meet meeting taxi mail house home corner located moving based at",
    ),
    (AT, "at to in is are from and with on into in: bei nach em en a in unter"),
    (BOX, "apo fpo dpo postfach apartado postbus casilla p po"),
    (CODE, "zip zipcode postcode plz postleitzahl postal cep"),
    (CORNER, "corner"),
    (
        NEVER,
        "january february march april may june july august september october november december jan feb mar apr jun jul",
    ),
    (NEVER, "aug sep sept oct nov dec januar februar mars april mai juni juli am pm percent million billion thousand"),
    (NEVER, "years year days day hours hour minutes weeks months euro euros dollars km kg people"),
];

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List::new(ROWS))
}

/// Endings of words that are streets, without marks; the second says whether the number may be missing.
const ENDINGS: &[(&str, bool)] = &[
    ("strasse", true),
    ("straße", true),
    ("gasse", true),
    ("straat", true),
    ("gracht", true),
    ("gatan", true),
    ("laan", false),
    ("str", false),
    ("weg", false),
    ("platz", false),
    ("allee", false),
    ("damm", false),
    ("ufer", false),
    ("ring", false),
    ("steig", false),
    ("plein", false),
    ("kade", false),
    ("dijk", false),
    ("singel", false),
    ("steeg", false),
    ("gata", false),
    ("gate", false),
    ("gaten", false),
    ("vägen", false),
    ("vagen", false),
    ("veien", false),
    ("vegen", false),
    ("vej", false),
    ("gade", false),
    ("katu", false),
    ("tie", false),
    ("kuja", false),
    ("polku", false),
    ("markt", false),
    ("chaussee", false),
    ("vegur", false),
    ("stræti", false),
    ("braut", false),
];

/// What a word is for an address.
pub(super) fn bits(piece: &Piece, at: usize) -> u32 {
    piece.words.get(at).map_or(0, |word| list().bits(word))
}

/// Whether the last two bytes can end a street, which is quickly asked.
fn ends_like_a_street(text: &str) -> bool {
    let [.., a, b] = text.as_bytes() else { return false };
    !a.is_ascii() || !b.is_ascii() || ENDINGS.iter().any(|(ending, _)| {
        matches!(ending.as_bytes(), [.., c, d] if a.eq_ignore_ascii_case(c) && b.eq_ignore_ascii_case(d))
    })
}

/// The ending of a word that is a street, and whether it needs no number.
pub(super) fn has_ending(piece: &Piece, at: usize) -> Option<bool> {
    let word = piece.word(at);
    if word.letters < 6 || !is_named(piece, at) {
        return None;
    }
    let text = piece.str(at);
    if !ends_like_a_street(text) {
        return None;
    }
    let tail = text.char_indices().rev().nth(7).map_or(text, |(at, _)| &text[at..]).to_lowercase();
    let found = ENDINGS.iter().find(|(ending, _)| tail.ends_with(ending)).map(|(_, alone)| *alone);
    // Engineering and Navigate are no streets.
    found.filter(|alone| *alone || super::super::lexicon::common(word.facts) == 0)
}
