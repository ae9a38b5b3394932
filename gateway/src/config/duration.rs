//! Durations as people write them: the texts that Flink takes (`30s`, `1 min`, `500`).

use std::time::Duration;

/// Units by their labels, with their length in nanoseconds.
const UNITS: [(&[&str], u128); 7] = [
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1),
    (&["us", "µs", "micro", "micros", "microsecond", "microseconds"], 1_000),
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000_000),
    (&["min", "m", "minute", "minutes"], 60_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
];

/// Parses a duration; a number without a unit is in milliseconds, as in Flink.
pub(crate) fn parse_flink(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    in_units(number, if unit.is_empty() { "ms" } else { unit })
}

/// Parses a duration that must name its unit.
pub(crate) fn parse_with_unit(text: &str) -> Result<Duration, String> {
    match split(text)? {
        (number, "") => Err(format!("needs a unit, for example `{number}s` or `{number}ms`")),
        (number, unit) => in_units(number, unit),
    }
}

/// As [`parse_flink`], and more than nothing.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse_flink(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// The shortest exact text of a duration.
pub(crate) fn show(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let exact = UNITS.iter().rev().find(|(_, length)| nanos.is_multiple_of(*length));
    exact.map_or_else(
        || format!("{nanos}ns"),
        |(labels, length)| format!("{}{}", nanos / length, labels[0]),
    )
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if digits == 0 {
        return Err("is not a duration; write a number and a unit, for example `30s`".to_owned());
    }
    let number = text[..digits].parse().map_err(|_| "is too long a duration".to_owned())?;
    Ok((number, text[digits..].trim()))
}

fn in_units(number: u64, unit: &str) -> Result<Duration, String> {
    let lowered = unit.to_lowercase();
    let Some((_, length)) = UNITS.iter().find(|(labels, _)| labels.contains(&lowered.as_str()))
    else {
        return Err(format!(
            "has no known unit in `{unit}`; known are ns, us, ms, s, min, h and d"
        ));
    };
    let nanos = u128::from(number) * length;
    let seconds =
        u64::try_from(nanos / 1_000_000_000).map_err(|_| "is too long a duration".to_owned())?;
    let rest =
        u32::try_from(nanos % 1_000_000_000).map_err(|_| "is too long a duration".to_owned())?;
    Ok(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test fails by panicking

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_what_flink_takes() {
        let cases = [
            ("500", Duration::from_millis(500)),
            ("1min", Duration::from_mins(1)),
            ("2 m", Duration::from_mins(2)),
            (" 10 seconds ", Duration::from_secs(10)),
            ("3 H", Duration::from_hours(3)),
            ("1d", Duration::from_hours(24)),
            ("7us", Duration::from_micros(7)),
            ("9ns", Duration::from_nanos(9)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_flink(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(parse_flink("soon").unwrap_err().contains("is not a duration"));
        assert!(parse_flink("-1s").unwrap_err().contains("is not a duration"));
        assert!(parse_flink("1.5s").unwrap_err().contains("no known unit"));
        assert!(parse_flink("3 fortnights").unwrap_err().contains("no known unit in `fortnights`"));
        assert!(parse_flink("99999999999999999999s").unwrap_err().contains("too long"));
        assert!(parse_flink("18446744073709551615d").unwrap_err().contains("too long"));
        assert!(parse_with_unit("30").unwrap_err().contains("`30s`"));
        assert!(parse_positive("0s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(nanos in 0..u64::MAX) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_with_unit(&show(duration)), Ok(duration));
        }
    }
}
