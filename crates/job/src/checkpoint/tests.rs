//! The commands without a store.

use super::size::{size, time};

#[test]
fn sizes_and_times_have_units() {
    assert_eq!(size("2GiB"), Ok(2 << 30));
    assert_eq!(size("500 MB"), Ok(500_000_000));
    for text in [
        "",
        "2",
        "GiB",
        "-1GiB",
        "0GiB",
        "1.5GiB",
        "99999999999999TiB",
    ] {
        assert!(size(text).is_err(), "{text}");
    }
    assert_eq!(time("90s").map(|time| time.as_secs()), Ok(90));
    assert_eq!(time("10m").map(|time| time.as_secs()), Ok(600));
    for text in ["", "90", "s", "0s", "-1s", "1.5m", "1h"] {
        assert!(time(text).is_err(), "{text}");
    }
}
