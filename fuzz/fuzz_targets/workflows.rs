#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| reprise_fuzz::workflows::check(input));
