//! Maya's papers: one table of the files under `assets/demo`, each with the day it was last changed. Maya, her family, her
//! cat and her colleagues are made up, and so is every number.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

/// One document.
pub struct Paper {
    /// The day it was last changed.
    day: &'static str,
    /// Its path below her folder; the first part is the folder that is opened.
    path: &'static str,
    text: &'static str,
}

macro_rules! papers {
    ($($day:literal $path:literal,)*) => {
        &[$(Paper { day: $day, path: $path, text: include_str!(concat!("../../../../assets/demo/", $path)) },)*]
    };
}

/// All of them, by path.
const PAPERS: &[Paper] = papers! {
    "2026-01-11" "house/bicycle.md",
    "2026-03-31" "house/bills.csv",
    "2025-11-03" "house/boiler.md",
    "2025-09-14" "house/wifi.md",
    "2026-03-24" "house/window.txt",
    "2026-03-06" "letters/grandmother.md",
    "2025-10-01" "letters/insurance.txt",
    "2026-02-04" "letters/landlord.md",
    "2026-03-02" "mail/ana-flat.txt",
    "2026-03-12" "mail/ana-train.txt",
    "2026-03-10" "mail/library.txt",
    "2026-03-05" "mail/tomas-birthday.txt",
    "2026-02-16" "mail/vet.txt",
    "2026-01-04" "notes/decisions.md",
    "2026-03-08" "notes/garden.md",
    "2026-02-19" "notes/ideas.md",
    "2026-03-11" "notes/packing.md",
    "2026-01-10" "notes/phone-numbers.md",
    "2026-03-16" "notes/porto-after.md",
    "2026-03-03" "notes/porto.md",
    "2026-03-18" "notes/reading.md",
    "2026-03-22" "notes/running.md",
    "2026-03-25" "notes/talk.md",
    "2025-10-26" "recipes/bread.md",
    "2025-11-08" "recipes/caldo-verde.md",
    "2026-01-17" "recipes/marmalade.md",
    "2025-12-20" "recipes/orange-cake.md",
    "2026-03-24" "work/how-a-city-drinks.md",
    "2026-03-02" "work/meeting-03-02.md",
    "2026-03-09" "work/meeting-03-09.md",
    "2026-03-23" "work/meeting-03-23.md",
    "2026-02-27" "work/night_flow.py",
    "2026-01-08" "work/offer-sensors.txt",
    "2026-03-02" "work/ops.md",
    "2026-03-23" "work/sensors.csv",
};

/// How many there are.
pub const COUNT: usize = PAPERS.len();

/// The folders they lie in, each once.
pub fn folders() -> Vec<&'static str> {
    let mut folders: Vec<&str> = PAPERS.iter().filter_map(|paper| paper.path.split('/').next()).collect();
    folders.dedup();
    folders
}

/// Writes them below `dir`, each with its day.
pub fn write(dir: &Path) -> io::Result<()> {
    for paper in PAPERS {
        let path = dir.join(paper.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create(path)?;
        file.write_all(paper.text.as_bytes())?;
        file.set_modified(morning(paper.day))?;
    }
    Ok(())
}

/// Eight in the morning of a day, in Greenwich.
fn morning(day: &str) -> SystemTime {
    let at: jiff::Timestamp = format!("{day}T08:00:00Z").parse().expect("the days of the table are days");
    at.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(dir: &Path, found: &mut Vec<String>, root: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, root);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_paper_is_in_the_table_with_its_day() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo");
        let mut found = Vec::new();
        walk(&root, &mut found, &root);
        found.sort();
        assert_eq!(found, PAPERS.iter().map(|paper| paper.path).collect::<Vec<_>>());
        assert!((25..=40).contains(&COUNT), "{COUNT}");
        assert_eq!(folders(), ["house", "letters", "mail", "notes", "recipes", "work"]);
        PAPERS.iter().for_each(|paper| assert!(morning(paper.day) > SystemTime::UNIX_EPOCH));
    }
}
