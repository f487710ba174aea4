//! The words a grant's terms are written in on the command line, read into the terms themselves and back.

use hinet_protocol::{Asker, Capability, Millis, Scope};

use super::{context, moment};

/// Reads `own`, `app:NAME`, `peer:HEX`, `backend:HEX` or `replica:NAME`.
pub fn asker(text: &str) -> Result<Asker, String> {
    let (kind, id) = text.split_once(':').unwrap_or((text, ""));
    let id = id.trim().to_owned();
    match kind.trim() {
        "own" if id.is_empty() => Ok(Asker::Own),
        "app" if is_name(&id) => Ok(Asker::App(id)),
        "replica" if is_name(&id) => Ok(Asker::Replica(id)),
        "peer" if is_key(&id) => Ok(Asker::Peer(id)),
        "backend" if is_key(&id) => Ok(Asker::Backend(id)),
        "peer" | "backend" => Err(format!("{kind}: takes a public key of 64 lower-case hex digits")),
        "app" | "replica" => Err(format!("{kind}: takes a name, as in {kind}:cursor")),
        _ => Err("an asker is own, app:NAME, peer:HEX, backend:HEX or replica:NAME".into()),
    }
}

fn is_name(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && !id.chars().any(char::is_control)
}

fn is_key(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Reads a capability by its name.
pub fn capability(text: &str) -> Result<Capability, String> {
    use Capability::{Compose, Compute, Converse, Ingest, Replicate, Retrieve, Train};
    [Ingest, Converse, Retrieve, Train, Compose, Compute, Replicate]
        .into_iter()
        .find(|capability| capability.to_string() == text)
        .ok_or_else(|| "a capability is ingest, converse, retrieve, train, compose, compute or replicate".into())
}

/// Reads a scope: bounds separated by commas.
pub fn scope(text: &str) -> Result<Scope, String> {
    let mut scope = Scope::default();
    for bound in text.split(',').map(str::trim) {
        add_bound(&mut scope, bound)?;
    }
    Ok(scope)
}

fn add_bound(scope: &mut Scope, bound: &str) -> Result<(), String> {
    if bound == "all" {
        scope.everything = true;
        return Ok(());
    }
    let Some((kind, value)) = bound.split_once(':').map(|(kind, value)| (kind, value.trim())) else {
        return Err(format!(
            "\"{bound}\" is not a bound: write all, source:ID, folder:PATH, label:…, person:…, topic:…"
        ));
    };
    if value.is_empty() {
        return Err(format!("nothing follows {kind}:"));
    }
    match kind {
        "source" => scope.sources.push(value.parse().map_err(|error| format!("{error}"))?),
        "folder" => scope.folders.push(folder(value)?),
        "label" => scope.labels.push(value.to_owned()),
        "person" => scope.people.push(value.to_owned()),
        "topic" => scope.topics.push(value.to_owned()),
        "after" => scope.after = Some(moment::past(value)?),
        "before" => scope.before = Some(moment::past(value)?),
        _ => {
            return Err(format!(
                "\"{kind}\" bounds nothing: use source, folder, label, person, topic, after or before"
            ));
        }
    }
    Ok(())
}

/// The folder as items name it: from the root, links followed where it exists.
fn folder(text: &str) -> Result<String, String> {
    let written = context::from_tilde(text);
    let path = std::fs::canonicalize(&written)
        .or_else(|_| context::absolute(&written).map_err(|_| std::io::ErrorKind::InvalidInput.into()))
        .map_err(|_: std::io::Error| format!("\"{text}\" is not a folder's path"))?;
    path.into_os_string().into_string().map_err(|_| format!("the name \"{text}\" is not Unicode"))
}

/// Puts one scope's bounds to another's.
pub fn join(into: &mut Scope, more: Scope) {
    into.everything |= more.everything;
    into.sources.extend(more.sources);
    into.folders.extend(more.folders);
    into.labels.extend(more.labels);
    into.people.extend(more.people);
    into.topics.extend(more.topics);
    into.after = more.after.or(into.after);
    into.before = more.before.or(into.before);
}

/// A scope as it would be written.
#[must_use]
pub fn show_scope(scope: &Scope) -> String {
    let mut bounds = Vec::new();
    if scope.everything {
        bounds.push("all".to_owned());
    }
    bounds.extend(scope.folders.iter().map(|it| format!("folder:{it}")));
    // A source's folder says more than its id; the id alone stands where there is no folder.
    if scope.folders.is_empty() {
        bounds.extend(scope.sources.iter().map(|it| format!("source:{it}")));
    }
    bounds.extend(scope.labels.iter().map(|it| format!("label:{it}")));
    bounds.extend(scope.people.iter().map(|it| format!("person:{it}")));
    bounds.extend(scope.topics.iter().map(|it| format!("topic:{it}")));
    let time = |name: &str, at: Option<Millis>| at.map(|at| format!("{name}:{}", moment::show(at)));
    bounds.extend(time("after", scope.after));
    bounds.extend(time("before", scope.before));
    if bounds.is_empty() { "nothing".into() } else { bounds.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn askers_are_read() {
        let key = "ab".repeat(32);
        for (text, expected) in [
            ("own", Some(Asker::Own)),
            ("app:cursor", Some(Asker::App("cursor".into()))),
            ("replica:usb stick", Some(Asker::Replica("usb stick".into()))),
            (&format!("peer:{key}"), Some(Asker::Peer(key.clone()))),
            (&format!("backend:{key}"), Some(Asker::Backend(key.clone()))),
            ("peer:abc", None),
            ("peer:", None),
            ("app:", None),
            ("app", None),
            ("own:me", None),
            ("friend:ana", None),
            ("", None),
        ] {
            assert_eq!(asker(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn scopes_are_read_and_shown() {
        let read = scope("label:work, person:Ana Reis,topic:deploy keys").unwrap();
        assert_eq!(show_scope(&read), "label:work, person:Ana Reis, topic:deploy keys");
        assert!(scope("all").unwrap().everything);
        let id = "0199f3a2-0000-7000-8000-000000000001";
        assert_eq!(scope(&format!("source:{id}")).unwrap().sources[0].to_string(), id);
        assert_eq!(scope("folder:/nowhere/at/all").unwrap().folders, ["/nowhere/at/all"]);
        assert!(scope("after:2026-03-01").unwrap().after.is_some());
        for text in ["", "everything", "label:", "source:12", "colour:red", "all,", "before:soon"] {
            assert!(scope(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn capabilities_are_read_by_name() {
        assert_eq!(capability("retrieve"), Ok(Capability::Retrieve));
        assert!(capability("Retrieve").is_err());
    }
}
