//! Drawing the assemblies: the list, and below it the selected one, who would answer, its members, and the receipts.

use super::{Receipts, Tried};
use crate::app::pane::face;
use crate::app::scroll::Rows;
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Admitted, AssemblyLine, Hash, MemberLine, PremergeLine, Receipt, Share, Tally};
use ratatui::{Frame, layout::Rect, style::Style, text::Line, widgets::Paragraph};

/// Columns of a name.
const NAME_COLUMNS: usize = 20;
/// Cells of a bar.
const BAR_COLUMNS: usize = 8;
/// Columns of a question that are shown.
const QUESTION_COLUMNS: usize = 240;
/// Said where there is none.
const EMPTY: &str = "No assembly yet. An assembly is deltas, yours or others', that answer together what your memory cannot: who of \
                     them is near enough to the question answers it, the answer says who that was, and a signed receipt is \
                     kept.\n\n`icore assembly add NAME DELTA --about FILE --published WHERE` makes one.";

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let (pane, theme) = (&state.assembly, &state.theme);
    let [list, below] = layout(state, area);
    let inside = face::boxed(frame, list, &title(state), true, theme);
    match &pane.list {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Asking for the assemblies…", theme.dim),
        Loaded::Failed(failure) => face::failed(frame, inside, failure, "Nothing was changed. F10 asks again.", theme),
        Loaded::Full(all) if all.is_empty() => face::sentences(frame, inside, EMPTY, theme.dim),
        Loaded::Full(all) => table(state, frame, inside, all),
    }
    if below.height == 0 {
        return;
    }
    let title = pane.current().map_or_else(
        || "receipts".to_owned(),
        |line| format!("{} · {}", text::fit(&line.name, 40), words::some(line.members.len() as u64, "member")),
    );
    let inside = face::boxed(frame, below, &title, false, theme);
    let (lines, looked_at) = lines(state, usize::from(inside.width));
    let most = lines.len().saturating_sub(usize::from(inside.height));
    let above = looked_at.unwrap_or(pane.scrolled);
    let lines: Vec<Line<'static>> = lines.into_iter().skip(above.min(most)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn title(state: &State) -> String {
    let many = match state.assembly.list.get().map_or(0, Vec::len) {
        0 => String::new(),
        n => format!(" · {n}"),
    };
    let asked = state.chat.assembly.as_ref().map(|name| format!(" · the chat asks {}", text::fit(name, 40)));
    format!("assembly{many}{}", asked.unwrap_or_default())
}

fn layout(state: &State, area: Rect) -> [Rect; 2] {
    let pane = &state.assembly;
    let signed = pane.receipts.get().is_some_and(|receipts| !receipts.latest.is_empty());
    let quiet = pane.list.get().is_some_and(Vec::is_empty) && pane.failed.is_none() && !signed;
    face::list_above(area, quiet)
}

/// The rows of the assemblies, in the pane's area.
#[must_use]
pub fn rows(state: &State, area: Rect) -> Rows {
    table_rows(state, face::inside(layout(state, area)[0]))
}

fn table_rows(state: &State, inside: Rect) -> Rows {
    Rows::below_heading(inside, state.assembly.selected, state.assembly.list.get().map_or(0, Vec::len))
}

fn table(state: &State, frame: &mut Frame, area: Rect, all: &[AssemblyLine]) {
    let (pane, theme) = (&state.assembly, &state.theme);
    let heading =
        format!("  {} {:>7}  {:<8}  {:>7}  who", text::pad("name", NAME_COLUMNS), "members", "hash", "answers");
    let mut lines = vec![Line::styled(heading, theme.dim)];
    let shown = table_rows(state, area).shown();
    for (i, line) in all.iter().enumerate().skip(shown.start).take(shown.len()) {
        let asked = state.chat.assembly.as_ref() == Some(&line.name);
        let row = format!(
            "{} {} {:>7}  {}  {:>7}  ",
            if asked { "•" } else { " " },
            text::pad(&line.name, NAME_COLUMNS),
            line.members.len(),
            words::digits(&line.hash),
            pane.answers(line)
        );
        let who: Vec<String> = line.members.iter().map(|member| words::called(&member.name, &member.delta)).collect();
        let room = usize::from(area.width).saturating_sub(text::width(&row));
        let row = format!("{row}{}", text::fit(&who.join(", "), room));
        lines.push(Line::styled(row, if i == pane.selected { theme.selected } else { theme.text }));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What stands below the list, and at which line the member begins that is looked at.
fn lines(state: &State, columns: usize) -> (Vec<Line<'static>>, Option<usize>) {
    let (pane, theme) = (&state.assembly, &state.theme);
    let (mut lines, mut looked_at) = (Vec::new(), None);
    if let Some(failure) = &pane.failed {
        lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, columns));
    }
    if let Some(line) = pane.current() {
        if let Some(tried) = pane.tried.as_ref().filter(|tried| tried.assembly == line.name) {
            lines.extend(would_answer(tried, columns, theme));
            lines.push(Line::default());
        }
        for (at, member) in line.members.iter().enumerate() {
            let here = pane.member == Some(at);
            if here {
                looked_at = Some(lines.len());
            }
            lines.extend(member_lines(member, here, columns, theme));
        }
        for made in &line.premerges {
            lines.extend(text::wrap_plain(&premerged(state, made), theme.text, columns));
        }
        for home in &line.homes {
            let said = format!(
                "  {}  {} · another home, asked for excerpts · {}",
                text::fit(&home.name, 40),
                words::digits(&home.identity),
                words::some(home.answers, "answer")
            );
            lines.extend(text::wrap_plain(&said, theme.text, columns));
        }
        if pane.making {
            lines.push(Line::styled("making one delta of several members, and testing it…", theme.accent));
        }
        let mut said = format!("who is not as near to a question as {:.2} does not answer it", line.floor);
        if line.members.len() > 1 {
            said.push_str(&format!("; who is within {:.2} of the nearest answers too", line.margin));
        }
        lines.extend(text::wrap_plain(&said, theme.dim, columns));
        lines.push(Line::default());
    }
    lines.extend(match &pane.receipts {
        Loaded::Not | Loaded::Loading => vec![Line::styled("Asking for the receipts…", theme.dim)],
        Loaded::Failed(failure) => text::wrap_plain(&words::failure(failure), theme.bad, columns),
        Loaded::Full(all) if all.latest.is_empty() => {
            text::wrap_plain("No receipt yet: nothing was answered while an assembly was asked.", theme.dim, columns)
        }
        Loaded::Full(all) => signed(state, all, columns),
    });
    (lines, looked_at)
}

/// Who would answer a question: how, why, and how near each member is that was looked at.
fn would_answer(tried: &Tried, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let question = format!("who would answer “{}”", text::fit(&tried.question, QUESTION_COLUMNS));
    let mut lines = text::wrap_plain(&question, theme.strong, columns);
    let Some(composition) = &tried.composition else {
        lines.push(Line::styled("looking who is near…", theme.accent));
        return lines;
    };
    let said = format!("{}: {}", composition.mode.word(), composition.why);
    lines.extend(text::wrap_plain(&said, theme.accent, columns));
    lines.extend(composition.near.iter().map(|share| near(share, theme)));
    lines
}

fn near(share: &Share, theme: &Theme) -> Line<'static> {
    let row = format!(
        "  {} near {} {:>5.2}   weight {} {}",
        text::pad(&words::called(&share.name, &share.delta), NAME_COLUMNS),
        text::bar(share.similarity, BAR_COLUMNS),
        share.similarity,
        text::bar(share.weight, BAR_COLUMNS),
        words::weight(share.weight)
    );
    Line::styled(row, if share.weight > 0.0 { theme.text } else { theme.dim })
}

/// A member: what it is, who vouches for what it knows, and what its test found.
fn member_lines(member: &MemberLine, here: bool, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let by = if member.own { "own signature".to_owned() } else { format!("signed by {}", words::digits(&member.by)) };
    let said = format!(
        "{} {}  {}  {} · {} · {by} · {}",
        if here { "▸" } else { " " },
        words::called(&member.name, &member.delta),
        words::digits(&member.delta),
        words::some(member.prompts, "prompt"),
        if member.published.is_empty() { "published nowhere" } else { member.published.as_str() },
        words::some(member.answers, "answer")
    );
    let mut lines = text::wrap_plain(&said, if here { theme.selected } else { theme.text }, columns);
    lines.extend(text::wrap_plain(&format!("    {}", found(&member.admitted)), theme.dim, columns));
    lines
}

/// A delta that was made of several members beforehand.
fn premerged(state: &State, made: &PremergeLine) -> String {
    let part = |(delta, part): &(Hash, f32)| format!("{} {}", state.assembly.called(*delta), words::weight(*part));
    let parts: Vec<String> = made.members.iter().map(part).collect();
    format!("  {} one delta of {}, instead of mixing exactly these", words::digits(&made.hash), parts.join(", "))
}

/// What a member's test found.
fn found(admitted: &Admitted) -> String {
    let mut said = vec![format!("neutral {:+.1} %", 100.0 * admitted.neutral)];
    said.extend(admitted.known.map(|(bare, with)| format!("own prompts {bare:.2} → {with:.2} nats")));
    said.extend(admitted.length.map(|length| format!("length {length:.1}×")));
    said.join(", ")
}

/// What the receipts add up to, and the latest of them.
fn signed(state: &State, receipts: &Receipts, columns: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let head = |said: &str| Line::styled(text::fit(said, columns), theme.strong);
    if !receipts.tallies.is_empty() {
        lines.push(head("all receipts add up to"));
        lines.extend(receipts.tallies.iter().map(|tally| Line::styled(tallied(tally), theme.text)));
        lines.push(Line::default());
    }
    lines.push(head("the latest receipts"));
    lines.extend(receipts.latest.iter().map(|receipt| {
        let (said, style) = receipt_line(state, receipt);
        Line::styled(text::cut_raw(&said, columns), style)
    }));
    lines
}

fn tallied(tally: &Tally) -> String {
    format!(
        "  {} {:>14}  {} tokens read, {} written",
        text::pad(&words::called(&tally.name, &tally.delta), NAME_COLUMNS),
        words::some(tally.answers, "answer"),
        text::count(tally.read.round() as u64),
        text::count(tally.written.round() as u64)
    )
}

/// When, how, who with what weight, the tokens, and of which assembly.
fn receipt_line(state: &State, receipt: &Receipt) -> (String, Style) {
    let (pane, body) = (&state.assembly, &receipt.body);
    let who: Vec<String> = match &body.members[..] {
        [] => vec!["your own iCore".to_owned()],
        [(delta, _)] => vec![pane.called(*delta)],
        some => some.iter().map(|(delta, part)| format!("{} {}", pane.called(*delta), words::weight(*part))).collect(),
    };
    let named = pane.list.get().and_then(|all| all.iter().find(|line| line.hash == body.assembly));
    let of = named.map_or_else(|| words::digits(&body.assembly), |line| text::fit(&line.name, 40));
    let said = format!(
        "{:>4}  {} {:<5}  {} · {} read, {} written · {of}{}",
        receipt.n,
        text::pad(&words::when(body.at, state.now, &state.place.zone), 10),
        body.mode.word(),
        who.join(", "),
        text::count(body.read),
        text::count(body.written),
        if receipt.holds { "" } else { " · its signature does not hold" }
    );
    (said, if receipt.holds { state.theme.text } else { state.theme.bad })
}
