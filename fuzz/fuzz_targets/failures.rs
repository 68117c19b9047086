#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| reprise_fuzz::failures::check(input));
