//! Logging: nowhere by default. `ICORE_LOG=debug` sends this program's own records to stderr; other crates stay silent
//! at every level, because what they log is not ours to vouch for.

use tracing_subscriber::EnvFilter;

/// The rooms whose records carry no personal text.
const ROOMS: [&str; 8] = [
    "icore",
    "hinet_node",
    "hinet_vault",
    "hinet_consent",
    "hinet_index",
    "hinet_model",
    "hinet_connectors",
    "hinet_protocol",
];

/// Starts logging where `ICORE_LOG` names a level; an unknown level is said and ignored.
pub fn start() {
    let Some(level) = std::env::var_os("ICORE_LOG").filter(|level| !level.is_empty()) else { return };
    let level = level.to_string_lossy().to_ascii_lowercase();
    if !["off", "error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        eprintln!("warning: ICORE_LOG is not one of off, error, warn, info, debug, trace; logging stays off.");
        return;
    }
    let rooms = ROOMS.map(|room| format!("{room}={level}")).join(",");
    let filter = EnvFilter::builder().parse_lossy(format!("off,{rooms}"));
    // A second subscriber can only be refused, and then the first one goes on.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}
