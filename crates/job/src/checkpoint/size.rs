//! Sizes and times as people write them.

use std::time::Duration;

/// What letters behind a number mean.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// `2GiB`, `500MB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write a number and a unit, as 2GiB or 500MB");
    let unit = UNITS.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        Some((number.trim_end(), factor))
    });
    let (number, factor) = unit.ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(*factor) {
        Some(size) if size > 0 => Ok(size),
        Some(_) | None => Err(wrong()),
    }
}

/// `90s`, `10m`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is no time; write a number of seconds or minutes, as 90s or 10m");
    let (number, factor) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 60),
        (None, None) => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(u64::from(number) * factor))
}
