//! Charts as SVG, drawn by hand: bars side by side, and a curve.

use std::fmt::Write as _;

/// A group of bars.
#[derive(Default)]
pub(crate) struct Bars<'a> {
    pub title: &'a str,
    /// What a full bar stands for.
    pub most: f64,
    pub bars: Vec<(String, f64)>,
    /// Between what each lies, in their order; none where nobody knows.
    pub spans: Vec<(f64, f64)>,
}

const WIDTH: usize = 760;
const HEIGHT: usize = 220;
const LEFT: usize = 40;
/// Bars beside which names find no room as they are.
const MANY: usize = 8;
/// What a bar takes at least.
const STEP: usize = 30;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A page of groups of bars, one above the other, and a curve below.
pub(crate) fn page(title: &str, groups: &[Bars<'_>], curve: Option<(&str, &[f32])>) -> String {
    let count = groups.len() + usize::from(curve.is_some());
    let height = 40 + count * HEIGHT;
    let most = groups.iter().map(|group| group.bars.len()).max().unwrap_or(0);
    let width = WIDTH.max(2 * LEFT + STEP * most);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for (at, group) in groups.iter().enumerate() {
        bars(&mut out, group, (width, 40 + at * HEIGHT));
    }
    if let Some((title, numbers)) = curve {
        line(&mut out, title, numbers, 40 + groups.len() * HEIGHT);
    }
    out.push_str("</svg>\n");
    out
}

#[allow(clippy::cast_precision_loss, reason = "pixels are few")]
fn bars(out: &mut String, group: &Bars<'_>, (width, top): (usize, usize)) {
    let (base, tall) = ((top + HEIGHT - 50) as f64, (HEIGHT - 90) as f64);
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", top + 20, escaped(group.title));
    let step = (width - 2 * LEFT) as f64 / group.bars.len().max(1) as f64;
    let many = group.bars.len() > MANY;
    let high = |value: f64| if value.is_finite() { (value / group.most).clamp(0.0, 1.0) * tall } else { 0.0 };
    let size = if many { 9 } else { 12 };
    for (at, (name, value)) in group.bars.iter().enumerate() {
        let (x, wide, up) = (LEFT as f64 + at as f64 * step, (step * 0.6).min(90.0), high(*value));
        let middle = x + wide / 2.0;
        let above = group.spans.get(at).map_or(up, |(_, most)| high(*most).max(up));
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{up:.1}\" fill=\"#3b6ea5\"/>\n\
             <text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"middle\">{value:.2}</text>\n\
             {}",
            base - up,
            base - above - 5.0,
            label(name, middle, base + 16.0, many)
        );
        if let Some((least, most)) = group.spans.get(at) {
            let (low, top) = (base - high(*least), base - high(*most));
            let _ = writeln!(
                out,
                "<path d=\"M{:.1} {low:.1}h6m-3 0V{top:.1}m-3 0h6\" fill=\"none\" stroke=\"#1b1b1b\"/>",
                middle - 3.0
            );
        }
    }
    let _ =
        writeln!(out, "<line x1=\"{LEFT}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\" stroke=\"#444444\"/>", width - LEFT);
}

/// What a bar is called; tilted where there is little room.
fn label(name: &str, x: f64, y: f64, tilted: bool) -> String {
    let name = escaped(name);
    if tilted {
        let turned = format!("transform=\"rotate(-25 {x:.1} {y:.1})\"");
        return format!("<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"9\" text-anchor=\"end\" {turned}>{name}</text>");
    }
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{name}</text>")
}

#[allow(clippy::cast_precision_loss, reason = "pixels are few")]
fn line(out: &mut String, title: &str, numbers: &[f32], top: usize) {
    let (base, tall) = ((top + HEIGHT - 30) as f64, (HEIGHT - 70) as f64);
    let finite: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).map(f64::from).collect();
    let most = finite.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let across = (WIDTH - 2 * LEFT) as f64 / finite.len().saturating_sub(1).max(1) as f64;
    let point = |(at, number): (usize, &f64)| {
        format!("{:.1},{:.1}", LEFT as f64 + at as f64 * across, base - number / most * tall)
    };
    let points: Vec<String> = finite.iter().enumerate().map(point).collect();
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\">{} (highest {most:.2}, {} steps)</text>\n\
         <polyline fill=\"none\" stroke=\"#a5523b\" stroke-width=\"1.5\" points=\"{}\"/>\n\
         <line x1=\"{LEFT}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\" stroke=\"#444444\"/>",
        top + 20,
        escaped(title),
        finite.len(),
        points.join(" "),
        WIDTH - LEFT
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_well_formed_whatever_it_is_given() {
        let groups = [Bars {
            title: "a < b",
            most: 1.0,
            bars: vec![("x&y".into(), 2.0), ("none".into(), f64::NAN), ("half".into(), 0.5)],
            spans: vec![(1.0, 3.0), (f64::NAN, 0.5)],
        }];
        let page = page("E2", &groups, Some(("loss", &[2.0, f32::NAN, 1.0])));
        assert!(page.starts_with("<svg") && page.ends_with("</svg>\n"));
        assert!(page.contains("a &lt; b") && page.contains("x&amp;y") && !page.contains("NaN,"));
        assert_eq!((page.matches("<rect").count(), page.matches("<path").count()), (1 + 3, 2));
        assert!(super::page("", &[], Some(("", &[]))).contains("polyline"));
        let many = [Bars { title: "", most: 1.0, bars: vec![("a<b".into(), 0.5); 9], spans: Vec::new() }];
        let page = super::page("", &many, None);
        assert!(page.matches("rotate(").count() == 9 && page.contains("a&lt;b"), "{page}");
        assert!(page.contains("width=\"760\""));
        // Where there are more, the page is wider.
        let more = [Bars { most: 1.0, bars: vec![("a".into(), 0.5); 40], ..Bars::default() }];
        assert!(super::page("", &more, None).contains("width=\"1280\""));
    }
}
