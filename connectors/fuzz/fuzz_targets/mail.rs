//! `hinet_fuzz` holds what this target does.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: hinet_fuzz::begin(),
    |input: &[u8]| hinet_fuzz::mail(hinet_fuzz::room(), input)
);
