//! `icore config`: where it looks, what it says, and that the defaults it prints are no wishes.

use crate::run::{Place, Ran};

#[test]
fn looks_where_xdg_says_and_where_it_is_told() {
    let place = Place::new();
    let shown = |ran: Ran| ran.stdout.trim().to_owned();
    assert_eq!(shown(place.run_locked(&["config", "path"])), place.text("user/.config/icore/config.toml"));
    let ran = Ran::of(place.command().env("XDG_CONFIG_HOME", place.path("elsewhere")).args(["config", "path"]));
    assert_eq!(shown(ran), place.text("elsewhere/icore/config.toml"));
    let ran = Ran::of(place.command().env("ICORE_CONFIG", place.path("mine.toml")).args(["config", "path"]));
    assert_eq!(shown(ran), place.text("mine.toml"));
    assert!(!place.path("user/.config").exists(), "nothing is made");
}

#[test]
fn the_defaults_are_a_file_to_start_from() {
    let place = Place::new();
    let shown = place.run_locked(&["config", "show"]);
    assert!(shown.stdout.contains("[keys.everywhere]\n# help = \"f1\""), "{}", shown.stdout);
    place.write("user/.config/icore/config.toml", &shown.stdout);
    let ran = place.run_locked(&["config", "check"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn what_is_wrong_is_said_and_stops_nothing() {
    let place = Place::new();
    place.write(
        "user/.config/icore/config.toml",
        "[theme]\nname = \"pink\"\n[keys.everywhere]\nquit = \"\"\nfly = \"f6\"\n",
    );
    let ran = place.run_locked(&["config", "check"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (1, 3), "{ran:?}");
    for said in ["no theme \"pink\"", "always keeps a key", "no such action"] {
        assert!(ran.stdout.contains(said), "{ran:?}");
    }
    let doctor = place.run_locked(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert!(doctor.stdout.contains("no theme \"pink\""), "{doctor:?}");

    place.write("user/.config/icore/config.toml", "[theme\n");
    let ran = place.run_locked(&["config", "check", "--json"]);
    assert_eq!(ran.code, 1);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(said["complaints"][0].as_str().unwrap().contains("Line 1"), "{said}");
}
