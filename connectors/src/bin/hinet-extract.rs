//! The extracting child by itself, for this crate's tests; people have it as `icore __extract`.

fn main() -> std::process::ExitCode {
    hinet_connectors::extract_child()
}
