//! The texts a root learns from: papers with questions, and conversations, as `assets/roots` has them.

use crate::LabError;

/// A paper somebody could have kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paper {
    pub title: String,
    pub text: String,
    pub questions: Vec<Question>,
    /// Questions about the same thing that it does not answer.
    pub unanswered: Vec<String>,
}

/// A question that a paper answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub text: String,
    pub answer: String,
    /// Words of which the answer must hold one.
    pub key: Vec<String>,
    /// Whether it leans on the question before it.
    pub follows: bool,
}

/// A conversation in which no paper is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Talk {
    pub kind: String,
    /// What the owner says and what is answered, in turn.
    pub turns: Vec<(String, String)>,
}

/// Where texts come from and what is wrong with them.
pub(super) struct File {
    pub name: &'static str,
    pub text: &'static str,
}

impl File {
    fn bad(&self, line: usize, problem: &str) -> LabError {
        LabError::Plan { problem: format!("line {line} of {} {problem}", self.name) }
    }

    /// Papers: `## title`, the text, `Q:` or `F:` with `A:` and `K:`, and `N:` for what is not answered.
    pub fn papers(&self) -> Result<Vec<Paper>, LabError> {
        let mut papers: Vec<Paper> = Vec::new();
        for (number, line) in self.text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end())) {
            if let Some(title) = line.strip_prefix("## ") {
                let (text, questions, unanswered) = (String::new(), Vec::new(), Vec::new());
                papers.push(Paper { title: title.trim().to_owned(), text, questions, unanswered });
                continue;
            }
            let Some(paper) = papers.last_mut() else {
                if line.is_empty() {
                    continue;
                }
                return Err(self.bad(number, "stands before the first title"));
            };
            let asked = paper.questions.last_mut();
            match line.split_once(": ").map(|(sign, rest)| (sign, rest.trim())) {
                Some((sign @ ("Q" | "F"), rest)) => {
                    if sign == "F" && asked.is_none() {
                        return Err(self.bad(number, "follows no question"));
                    }
                    let (text, answer, key) = (rest.to_owned(), String::new(), Vec::new());
                    paper.questions.push(Question { text, answer, key, follows: sign == "F" });
                }
                Some(("A", rest)) if asked.is_some() => asked.expect("it was looked at").answer = rest.to_owned(),
                Some(("K", rest)) if asked.is_some() => {
                    asked.expect("it was looked at").key = rest.split('|').map(|key| key.trim().to_owned()).collect();
                }
                Some(("N", rest)) => paper.unanswered.push(rest.to_owned()),
                _ if paper.questions.is_empty() && paper.unanswered.is_empty() => {
                    paper.text.push_str(line);
                    paper.text.push('\n');
                }
                _ if line.is_empty() => {}
                _ => return Err(self.bad(number, "is a text after questions")),
            }
        }
        for paper in &mut papers {
            paper.text = paper.text.trim().to_owned();
            let whole = |asked: &Question| !asked.answer.is_empty() && !asked.key.is_empty();
            if paper.text.is_empty() || !paper.questions.iter().all(whole) {
                let problem = format!("{}: “{}” has no text, or a question without A: or K:", self.name, paper.title);
                return Err(LabError::Plan { problem });
            }
        }
        Ok(papers)
    }

    /// Conversations: `=== kind`, then `U:` and `A:` in turn, each of one or more lines.
    pub fn talks(&self) -> Result<Vec<Talk>, LabError> {
        let mut talks: Vec<Talk> = Vec::new();
        for (number, line) in self.text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end())) {
            if let Some(kind) = line.strip_prefix("=== ") {
                talks.push(Talk { kind: kind.trim().to_owned(), turns: Vec::new() });
                continue;
            }
            let Some(talk) = talks.last_mut() else {
                if line.is_empty() {
                    continue;
                }
                return Err(self.bad(number, "stands before the first conversation"));
            };
            if let Some(said) = line.strip_prefix("U: ") {
                talk.turns.push((said.to_owned(), String::new()));
                continue;
            }
            let Some((said, answer)) = talk.turns.last_mut() else {
                return Err(self.bad(number, "is said by nobody"));
            };
            match line.strip_prefix("A: ") {
                Some(first) if answer.is_empty() => answer.push_str(first),
                Some(_) => return Err(self.bad(number, "answers what was answered")),
                None => {
                    let to = if answer.is_empty() { said } else { answer };
                    to.push('\n');
                    to.push_str(line);
                }
            }
        }
        for (said, answer) in talks.iter_mut().flat_map(|talk| &mut talk.turns) {
            (*said, *answer) = (said.trim().to_owned(), answer.trim().to_owned());
            if answer.is_empty() {
                return Err(LabError::Plan { problem: format!("{}: nothing answers “{said}”", self.name) });
            }
        }
        Ok(talks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &'static str) -> File {
        File { name: "a.txt", text }
    }

    #[test]
    fn papers_and_conversations_are_read() {
        let papers = file(
            "## Boat\nThe boat is blue.\n- oars: two\n\nQ: Which colour?\nA: The boat is blue.\nK: blue|azure\n\
             F: And the oars?\nA: Two.\nK: Two\nN: Whose is it?\n\n## Cat\nA cat.\nN: What name?\n",
        );
        let papers = papers.papers().unwrap();
        assert_eq!(papers.len(), 2);
        assert_eq!(papers[0].text, "The boat is blue.\n- oars: two");
        assert_eq!(papers[0].questions[0].key, ["blue", "azure"]);
        assert!(papers[0].questions[1].follows && !papers[0].questions[0].follows);
        assert_eq!(papers[1].unanswered, ["What name?"]);
        let talks = file("=== draft\nU: write\n- one\nA: Dear all,\n\none\nU: shorter\nA: one\n").talks().unwrap();
        assert_eq!(talks[0].turns[0], ("write\n- one".into(), "Dear all,\n\none".into()));
        assert_eq!(talks[0].turns[1].1, "one");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("hello\n", "line 1 of a.txt stands before"),
            ("## T\nF: And?\n", "line 2 of a.txt follows no question"),
            ("## T\nx\nQ: What?\nA: x\nmore\n", "line 5 of a.txt is a text after"),
            ("## T\nx\nQ: What?\nA: x\n", "without A: or K:"),
        ] {
            let error = file(text).papers().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for (text, said) in [("=== a\nA: x\n", "said by nobody"), ("=== a\nU: x\n", "nothing answers")] {
            let error = file(text).talks().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
