#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| daemon::fuzz::run("filter", bytes));
