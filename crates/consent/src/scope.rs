//! Whether a scope covers a subject. The narrowest reading always wins: every bound that is present must match, a
//! bound the subject says nothing about does not match, and a scope with no bounds covers nothing.

use std::path::{Component, Path};

use hinet_protocol::{Capability, Millis, Scope, SourceId};

/// What is asked about, as far as it is known. Whatever is absent matches no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The source it comes from.
    pub source: Option<SourceId>,
    /// Its absolute path, or that of the folder it lies in.
    pub folder: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// The people in it.
    pub people: Vec<String>,
    /// What it is about.
    pub topics: Vec<String>,
    /// When it was last changed.
    pub modified: Option<Millis>,
}

/// Whether `scope`, granted for `capability`, covers `subject`.
#[must_use]
pub fn covers(scope: &Scope, capability: Capability, subject: &Subject) -> bool {
    // Reading is granted source by source: neither `everything` nor a folder alone opens a source that came later.
    if capability == Capability::Ingest && !subject.source.is_some_and(|id| scope.sources.contains(&id)) {
        return false;
    }
    if scope.everything {
        return true;
    }
    if is_unbounded(scope) {
        return false;
    }
    let sources = scope.sources.is_empty() || subject.source.is_some_and(|id| scope.sources.contains(&id));
    let folders = scope.folders.is_empty()
        || subject.folder.as_deref().is_some_and(|path| scope.folders.iter().any(|folder| lies_in(path, folder)));
    let after = scope.after.is_none_or(|from| subject.modified.is_some_and(|at| at >= from));
    let before = scope.before.is_none_or(|to| subject.modified.is_some_and(|at| at < to));
    sources
        && folders
        && after
        && before
        && shares(&scope.labels, &subject.labels)
        && shares(&scope.people, &subject.people)
        && shares(&scope.topics, &subject.topics)
}

/// Whether the scope names no bound at all (and is not `everything`): such a scope covers nothing.
#[must_use]
pub fn is_unbounded(scope: &Scope) -> bool {
    !scope.everything && bounds(scope) == 0
}

/// How many bounds are present; more is narrower.
pub(crate) fn bounds(scope: &Scope) -> usize {
    [
        !scope.sources.is_empty(),
        !scope.folders.is_empty(),
        !scope.labels.is_empty(),
        !scope.people.is_empty(),
        !scope.topics.is_empty(),
        scope.after.is_some(),
        scope.before.is_some(),
    ]
    .into_iter()
    .filter(|present| *present)
    .count()
}

/// Whole components only (`/a/bc` is not in `/a/b`), and nothing that climbs. A place on a server (`imap://ana@x.org`)
/// is one as a folder is, and never lies in one.
pub(crate) fn lies_in(path: &str, folder: &str) -> bool {
    if is_on_a_server(path) != is_on_a_server(folder) {
        return false;
    }
    let rooted = is_on_a_server(path);
    let (path, folder) = (Path::new(path), Path::new(folder));
    let climbs = |p: &Path| p.components().any(|part| part == Component::ParentDir);
    let rooted = rooted || (path.is_absolute() && folder.is_absolute());
    rooted && !climbs(path) && !climbs(folder) && path.starts_with(folder)
}

/// Whether a place is one on a server: a scheme, then whose it is.
pub(crate) fn is_on_a_server(place: &str) -> bool {
    let scheme = place.split_once("://").map(|(scheme, whose)| (scheme.as_bytes(), whose));
    scheme.is_some_and(|(scheme, whose)| {
        !scheme.is_empty() && scheme.iter().all(u8::is_ascii_lowercase) && !whose.is_empty() && !whose.starts_with('/')
    })
}

fn shares(bound: &[String], has: &[String]) -> bool {
    let fold = |word: &str| word.trim().to_lowercase();
    bound.is_empty() || bound.iter().any(|wanted| has.iter().any(|word| fold(word) == fold(wanted)))
}
