//! The small readings of XML that office files and books share.

use crate::{ReadLimits, Unreadable};
use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event},
};

/// The value of the attribute with this local name.
pub(crate) fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    // The check for repeated names would take quadratic time in a tag made to have many.
    tag.attributes().with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == wanted).map(
        |attribute| match quick_xml::escape::unescape(&attribute.value) {
            Ok(value) => value.into_owned(),
            Err(_) => attribute.value.into_owned(),
        },
    )
}

/// The character that a reference in XML text stands for. Office programs declare no entities of their own.
pub(crate) fn referred(reference: &BytesRef<'_>) -> Result<String, Unreadable> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Ok(c.to_string());
    }
    let name: &str = reference;
    match name {
        "amp" => Ok("&".to_owned()),
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err(Unreadable::XmlEntities),
    }
}

/// Counts open elements and refuses what is nested too deeply.
pub(crate) fn deeper(depth: &mut usize, event: &Event<'_>, limits: &ReadLimits) -> Result<(), Unreadable> {
    match event {
        Event::Start(_) => *depth += 1,
        Event::End(_) => *depth = depth.saturating_sub(1),
        _ => {}
    }
    if *depth > limits.max_xml_depth {
        return Err(Unreadable::XmlDepth { limit: limits.max_xml_depth });
    }
    Ok(())
}

/// The text of the first element with this local name.
pub(crate) fn element_text(xml: &str, wanted: &str, limits: &ReadLimits) -> Result<Option<String>, Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut text: Option<String> = None;
    let mut depth = 0usize;
    loop {
        let event = reader.read_event().map_err(|source| Unreadable::Xml { source })?;
        match (&event, &mut text) {
            (Event::DocType(_), _) => return Err(Unreadable::XmlEntities),
            (Event::Start(tag), None) if tag.local_name().as_ref() == wanted => text = Some(String::new()),
            (Event::Text(more), Some(text)) => text.push_str(&more.xml10_content()),
            (Event::CData(more), Some(text)) => text.push_str(&more.xml10_content()),
            (Event::GeneralRef(reference), Some(text)) => text.push_str(&referred(reference)?),
            (Event::End(tag), Some(_)) if tag.local_name().as_ref() == wanted => {
                return Ok(text.filter(|text| !text.trim().is_empty()));
            }
            (Event::Eof, _) => return Ok(None),
            _ => {}
        }
        deeper(&mut depth, &event, limits)?;
    }
}
