//! Which paragraph styles are headings.

use crate::{
    ReadLimits, Unreadable,
    xml::{attribute, deeper},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::collections::HashMap;

/// Heading levels by style id.
#[derive(Default)]
pub(super) struct Styles {
    levels: HashMap<String, usize>,
}

impl Styles {
    /// The heading level of a paragraph style, 1 to 6. Where there is no styles part, the ids that Word uses count.
    pub(super) fn level(&self, style: &str) -> Option<usize> {
        self.levels.get(style).copied().or_else(|| named_level(style))
    }
}

#[derive(Default)]
struct Style {
    id: String,
    based_on: Option<String>,
    level: Option<usize>,
}

/// Reads the styles part. Style ids are in the author's language, but the names of built-in styles are not.
pub(super) fn parse(xml: &str, limits: &ReadLimits) -> Result<Styles, Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut found: HashMap<String, Style> = HashMap::new();
    let mut current: Option<Style> = None;
    let mut depth = 0usize;
    loop {
        let event = reader.read_event().map_err(|source| Unreadable::Xml { source })?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
                "style" => {
                    let id = attribute(tag, "styleId").unwrap_or_default();
                    current = Some(Style { id, ..Style::default() });
                }
                "name" => {
                    if let Some(style) = &mut current {
                        style.level = style.level.or(attribute(tag, "val").and_then(|name| named_level(&name)));
                    }
                }
                "outlineLvl" => {
                    if let Some(style) = &mut current {
                        style.level = style.level.or(outline_level(tag));
                    }
                }
                "basedOn" => {
                    if let Some(style) = &mut current {
                        style.based_on = attribute(tag, "val");
                    }
                }
                _ => {}
            },
            Event::End(tag) if tag.local_name().as_ref() == "style" => {
                if let Some(style) = current.take() {
                    found.insert(style.id.clone(), style);
                }
            }
            Event::DocType(_) => return Err(Unreadable::XmlEntities),
            Event::Eof => break,
            _ => {}
        }
        deeper(&mut depth, &event, limits)?;
    }
    let level = |id: &String| {
        let mut style = found.get(id)?;
        // A chain of styles is a few links long; the bound ends a circle.
        for _ in 0..16 {
            if style.level.is_some() {
                return style.level;
            }
            style = found.get(style.based_on.as_ref()?)?;
        }
        None
    };
    Ok(Styles { levels: found.keys().filter_map(|id| Some((id.clone(), level(id)?))).collect() })
}

/// The level that a built-in style's name or id says: `heading 2`, `Heading2`, `Title`.
fn named_level(name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    if lower == "title" {
        return Some(1);
    }
    let number = lower.strip_prefix("heading")?.trim_start();
    number.parse().ok().filter(|level| (1..=9).contains(level)).map(|level: usize| level.min(6))
}

/// `w:outlineLvl`: 0 is the highest level, 9 is body text.
pub(super) fn outline_level(tag: &BytesStart<'_>) -> Option<usize> {
    let level: usize = attribute(tag, "val")?.parse().ok()?;
    (level < 9).then(|| (level + 1).min(6))
}
