//! Kinds of things that do not exist, and words that are true of them.

/// Entities of a pack, at most: as many as there are words for each.
pub(super) const ENTITIES_MAX: usize = 8;

/// Something that is true of every entity of a kind: how it is called, what sort of answer it has, how one says it
/// ("does it …", "it …s"), and its values.
pub(super) struct Attribute {
    pub noun: &'static str,
    pub sort: &'static str,
    pub verb: &'static str,
    pub verbs: &'static str,
    /// What is true in one pack of the kind, and what in the next.
    pub values: [[&'static str; ENTITIES_MAX]; 2],
    /// Words of the sort that are true of nothing.
    pub never: [&'static str; 4],
}

/// A kind of entities.
pub(super) struct Kind {
    pub name: &'static str,
    pub attributes: [Attribute; 3],
}

const fn attribute(
    [noun, sort, verb, verbs]: [&'static str; 4],
    values: [[&'static str; ENTITIES_MAX]; 2],
    never: [&'static str; 4],
) -> Attribute {
    Attribute { noun, sort, verb, verbs, values, never }
}

/// Which kind each pack is of, and which of the kind's values are true there. Of the first six packs, and of the first
/// eight, two are of each kind, so that a question about a kind may mean either.
pub(super) const ORDER: [(usize, usize); 8] = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)];

pub(super) static KINDS: [Kind; 4] = [
    Kind {
        name: "island",
        attributes: [
            attribute(
                ["main export", "product", "sell abroad", "sells abroad"],
                [
                    ["copper", "honey", "salt", "cotton", "glass", "timber", "pepper", "silk"],
                    ["rice", "wool", "gold", "pearls", "sugar", "rubber", "tin", "wine"],
                ],
                ["corn", "wheat", "fur", "marble"],
            ),
            attribute(
                ["sacred animal", "animal", "worship", "worships"],
                [
                    ["fox", "owl", "bear", "snake", "horse", "wolf", "crab", "deer"],
                    ["cat", "eagle", "lion", "goat", "frog", "whale", "bee", "swan"],
                ],
                ["rat", "tiger", "monkey", "duck"],
            ),
            attribute(
                ["colour of the flag", "colour", "fly on its flag", "flies on its flag"],
                [
                    ["red", "blue", "green", "white", "black", "yellow", "purple", "orange"],
                    ["brown", "pink", "grey", "gold", "silver", "violet", "crimson", "amber"],
                ],
                ["tan", "cream", "teal", "beige"],
            ),
        ],
    },
    Kind {
        name: "machine",
        attributes: [
            attribute(
                ["fuel", "substance", "burn", "burns"],
                [
                    ["oil", "coal", "wood", "wax", "gas", "sugar", "paper", "straw"],
                    ["leaves", "rubber", "alcohol", "tar", "butter", "wool", "feathers", "salt"],
                ],
                ["dust", "hair", "cloth", "bark"],
            ),
            attribute(
                ["product", "thing", "make", "makes"],
                [
                    ["rope", "bread", "nails", "soap", "clocks", "shoes", "paint", "bells"],
                    ["chairs", "needles", "bottles", "pencils", "hats", "cheese", "bricks", "buttons"],
                ],
                ["lamps", "spoons", "toys", "pipes"],
            ),
            attribute(
                ["housing", "material", "have as its shell", "has as its shell"],
                [
                    ["brass", "iron", "stone", "leather", "clay", "steel", "silver", "bone"],
                    ["wood", "glass", "copper", "tin", "gold", "concrete", "bronze", "plastic"],
                ],
                ["paper", "wool", "marble", "lead"],
            ),
        ],
    },
    Kind {
        name: "beast",
        attributes: [
            attribute(
                ["usual food", "food", "eat", "eats"],
                [
                    ["eggs", "moss", "fish", "roots", "ants", "grass", "fruit", "ice"],
                    ["nuts", "worms", "honey", "leaves", "seeds", "berries", "mushrooms", "mice"],
                ],
                ["snails", "corn", "bark", "bread"],
            ),
            attribute(
                ["lair", "place", "sleep in", "sleeps in"],
                [
                    ["caves", "trees", "swamps", "dunes", "rivers", "ruins", "snow", "lakes"],
                    ["barns", "wells", "forests", "cliffs", "mines", "towers", "meadows", "tunnels"],
                ],
                ["boats", "valleys", "gardens", "holes"],
            ),
            attribute(
                ["greatest fear", "thing", "flee from", "flees from"],
                [
                    ["fire", "thunder", "music", "dogs", "smoke", "light", "rain", "wind"],
                    ["bells", "horses", "mirrors", "children", "salt", "drums", "darkness", "snakes"],
                ],
                ["cats", "water", "birds", "noise"],
            ),
        ],
    },
    Kind {
        name: "village",
        attributes: [
            attribute(
                ["old craft", "craft", "practise", "practises"],
                [
                    ["weaving", "carving", "brewing", "mining", "fishing", "baking", "printing", "farming"],
                    ["hunting", "painting", "sewing", "dancing", "singing", "building", "spinning", "sailing"],
                ],
                ["writing", "knitting", "cooking", "trading"],
            ),
            attribute(
                ["emblem", "thing", "show on its seal", "shows on its seal"],
                [
                    ["tower", "key", "anchor", "sword", "star", "wheel", "crown", "bridge"],
                    ["ship", "bell", "tree", "moon", "rose", "lamp", "shield", "hammer"],
                ],
                ["sun", "arrow", "flag", "horse"],
            ),
            attribute(
                ["favourite drink", "drink", "serve to guests", "serves to guests"],
                [
                    ["tea", "cider", "milk", "wine", "coffee", "beer", "juice", "water"],
                    ["cocoa", "rum", "whisky", "soup", "lemonade", "broth", "vodka", "gin"],
                ],
                ["brandy", "soda", "tonic", "ale"],
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_word_of_an_attribute_comes_twice() {
        for attribute in KINDS.iter().flat_map(|kind| &kind.attributes) {
            let words: Vec<&str> = attribute.values.concat().into_iter().chain(attribute.never).collect();
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{words:?}");
        }
    }

    #[test]
    fn six_packs_and_eight_have_two_of_each_kind_with_values_of_their_own() {
        for packs in [6, 8] {
            let some: BTreeSet<(usize, usize)> = ORDER[..packs].iter().copied().collect();
            assert_eq!(some.len(), packs);
            assert!(some.iter().all(|(kind, half)| some.contains(&(*kind, 1 - half))), "{packs}");
        }
    }
}
