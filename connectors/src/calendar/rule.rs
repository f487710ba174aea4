//! Recurrence rules in words.

use std::fmt::Write as _;

/// A rule such as `FREQ=WEEKLY;BYDAY=MO` in words; what has no words stays as it stands.
pub(super) fn words(rule: &str) -> String {
    let mut parts: Vec<(String, &str)> = rule
        .split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim()))
        .collect();
    let mut take = |name: &str| -> Option<String> {
        let at = parts.iter().position(|(known, _)| known == name)?;
        Some(parts.remove(at).1.to_owned())
    };
    let unit = match take("FREQ").map(|unit| unit.to_ascii_uppercase()).as_deref() {
        Some("SECONDLY") => "second",
        Some("MINUTELY") => "minute",
        Some("HOURLY") => "hour",
        Some("DAILY") => "day",
        Some("WEEKLY") => "week",
        Some("MONTHLY") => "month",
        Some("YEARLY") => "year",
        _ => return rule.to_owned(),
    };
    let mut out = match take("INTERVAL").as_deref() {
        None | Some("1") => format!("every {unit}"),
        Some("2") => format!("every second {unit}"),
        Some(number) => format!("every {number} {unit}s"),
    };
    if let Some(days) = take("BYDAY") {
        let _ = write!(out, " on {}", list(&days, day));
    }
    if let Some(days) = take("BYMONTHDAY") {
        let _ = write!(out, " on {} of the month", list(&days, |day| format!("the {}", ordinal(day))));
    }
    if let Some(months) = take("BYMONTH") {
        let _ = write!(out, " in {}", list(&months, month));
    }
    if let Some(places) = take("BYSETPOS") {
        let _ = write!(out, " (only {} of these)", list(&places, |place| format!("the {}", ordinal(place))));
    }
    if let Some(count) = take("COUNT") {
        let _ = if count == "1" { write!(out, ", once") } else { write!(out, ", {count} times") };
    }
    if let Some(until) = take("UNTIL") {
        let digits: String = until.chars().take_while(char::is_ascii_digit).collect();
        let _ = match digits.len() {
            8 => write!(out, " until {}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]),
            _ => write!(out, " until {until}"),
        };
    }
    // On which day a week begins is no news.
    take("WKST");
    for (name, value) in parts {
        let _ = write!(out, "; {name}={value}");
    }
    out
}

fn list(values: &str, word: impl Fn(&str) -> String) -> String {
    let words: Vec<String> = values.split(',').map(|value| word(value.trim())).collect();
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

fn day(value: &str) -> String {
    let names = [
        ("MO", "Monday"),
        ("TU", "Tuesday"),
        ("WE", "Wednesday"),
        ("TH", "Thursday"),
        ("FR", "Friday"),
        ("SA", "Saturday"),
        ("SU", "Sunday"),
    ];
    let upper = value.to_ascii_uppercase();
    let Some((code, name)) = names.iter().find(|(code, _)| upper.ends_with(code)) else { return value.to_owned() };
    match &upper[..upper.len() - code.len()] {
        "" => (*name).to_owned(),
        place => format!("the {} {name}", ordinal(place)),
    }
}

fn month(value: &str) -> String {
    let names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let number: usize = value.parse().unwrap_or(0);
    number.checked_sub(1).and_then(|at| names.get(at)).map_or_else(|| value.to_owned(), |name| (*name).to_owned())
}

fn ordinal(value: &str) -> String {
    let Ok(number) = value.trim_start_matches('+').parse::<i32>() else { return value.to_owned() };
    let ending = match (number.unsigned_abs() % 100, number.unsigned_abs() % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    match number {
        -1 => "last".to_owned(),
        ..0 => format!("{}{ending} to last", number.unsigned_abs()),
        _ => format!("{number}{ending}"),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn rules_in_words() {
        for (rule, expected) in [
            ("FREQ=DAILY", "every day"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;WKST=SU", "every second week on Monday, Wednesday and Friday"),
            ("FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20241231T000000Z", "every month on the last Friday until 2024-12-31"),
            ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=2SU", "every year on the 2nd Sunday in March and October"),
            ("FREQ=MONTHLY;BYMONTHDAY=1,-2;INTERVAL=3", "every 3 months on the 1st and the 2nd to last of the month"),
            ("FREQ=DAILY;COUNT=5;BYHOUR=9", "every day, 5 times; BYHOUR=9"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(words(rule), expected, "{rule}");
        }
    }
}
