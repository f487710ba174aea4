//! Who is named in what was remembered before people were looked for. What is read today says so at once.

use hinet_vault::VaultError;

use crate::failure::NodeError;
use crate::state::Node;

/// Up to which item people have been looked for: a number, or [`DONE`].
const FILLED: &str = "people/filled";
const DONE: &str = "done";
/// Items in one transaction.
const BATCH: usize = 64;

/// Looks for the people of older items, once for all. Cut off anywhere, it goes on where it was.
pub(crate) fn fill(node: &Node) -> Result<(), NodeError> {
    let mut mark = node.vault.read(|r| r.meta(FILLED))?.unwrap_or_default();
    while mark != DONE {
        let after = mark.parse().unwrap_or(0);
        mark = node.vault.write(|tx| {
            let items = tx.texts_after(after, BATCH)?;
            for (_, item, text) in &items {
                let people = hinet_index::people(text);
                if !people.is_empty() {
                    tx.set_people(*item, &people)?;
                }
            }
            let mark = items.last().filter(|_| items.len() == BATCH).map_or(DONE.to_owned(), |last| last.0.to_string());
            tx.set_meta(FILLED, &mark)?;
            Ok::<_, VaultError>(mark)
        })?;
    }
    Ok(())
}
