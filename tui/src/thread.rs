//! What is said of a message's thread, in the item that is opened and on the command line.

use hinet_protocol::{ThreadLine, ThreadView};

/// How many messages there are, and what those beside it are called: "in a thread of 3 messages, after “Dinner”, before
/// “Re: Dinner”". Titles are as strangers wrote them; whoever shows this cleans it.
#[must_use]
pub fn said(thread: &ThreadView) -> String {
    let beside = |which: &str, line: &Option<ThreadLine>| {
        line.as_ref().map_or_else(String::new, |line| format!(", {which} “{}”", line.title))
    };
    let messages = match thread.messages {
        1 => "1 message".to_owned(),
        n => format!("{} messages", crate::text::count(n)),
    };
    format!("in a thread of {messages}{}{}", beside("after", &thread.before), beside("before", &thread.after))
}

#[cfg(test)]
mod tests {
    use super::{ThreadLine, ThreadView, said};
    use hinet_protocol::ItemId;

    #[test]
    fn a_thread_is_said_with_what_is_there_of_it() {
        let line = |title: &str| Some(ThreadLine { item: ItemId::new(), title: title.to_owned(), modified: 0 });
        let cases = [
            (line("Dinner"), line("Re: Dinner"), "in a thread of 3 messages, after “Dinner”, before “Re: Dinner”"),
            (None, line("Re: Dinner"), "in a thread of 3 messages, before “Re: Dinner”"),
            (line("Dinner"), None, "in a thread of 3 messages, after “Dinner”"),
        ];
        for (before, after, expected) in cases {
            assert_eq!(said(&ThreadView { messages: 3, before, after }), expected);
        }
    }
}
