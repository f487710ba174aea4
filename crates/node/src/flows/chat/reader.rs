//! How an anchor is asked to read: the turns it is given, and what may come back. Whoever teaches or examines a reader uses
//! the same words as the chat.

use super::prompt::render;
pub use super::prompt::unmarked;
use minijinja::context;

const ANSWER: &str = include_str!("../../../../../prompts/answer.jinja");
const SYSTEM: &str = include_str!("../../../../../prompts/system.jinja");

/// What is said where the memory has no answer. A root says it too.
pub const NOT_IN_MEMORY: &str = "That is not in your memory.";

/// What comes before every conversation.
#[must_use]
pub fn system(owner: &str) -> String {
    render("system", SYSTEM, context! { owner => owner })
}

/// A question asked of passages, each a title and a text; `numbered` for a reader that cites by number.
pub fn turn<'a>(passages: impl Iterator<Item = (&'a str, &'a str)>, question: &str, numbered: bool) -> String {
    let passages: Vec<_> = passages.map(|(title, text)| context! { title => title, text => text.trim() }).collect();
    render("answer", ANSWER, context! { passages => passages, question => question, numbered => numbered })
}

/// The number a reader ended its answer with, where there is one.
#[must_use]
pub fn cited(answer: &str) -> Option<usize> {
    let inside = answer.trim_end().trim_end_matches('.').strip_suffix(']')?;
    inside.rsplit_once('[').and_then(|(_, number)| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_numbered_only_for_who_cites() {
        let passages = [("porto.md", "the 14:39 from Oriente"), ("cat.md", "Moss")];
        let plain = turn(passages.iter().copied().take(1), "When?", false);
        assert_eq!(
            plain,
            "porto.md:\nthe 14:39 from Oriente\n\nAnswer in one short sentence, using only the text above.\nQuestion: When?"
        );
        let numbered = turn(passages.iter().copied(), "When?", true);
        assert!(numbered.starts_with("[1] porto.md:\nthe 14:39") && numbered.contains("\n\n[2] cat.md:\nMoss\n\n"));
        assert!(system("Maya").contains("Maya"));
    }

    #[test]
    fn the_number_at_the_end_is_what_is_cited() {
        let cases =
            [("At 14:39. [1]", Some(1)), ("At [2] or [12].", Some(12)), ("x[0]", Some(0)), ("[a]", None), ("no", None)];
        for (text, number) in cases {
            assert_eq!(cited(text), number, "{text}");
        }
    }
}
