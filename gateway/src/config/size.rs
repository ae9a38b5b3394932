//! Sizes in bytes as people write them: `64MiB`, `1 GB`, `4096`.

/// Units by their labels in lower case, with their size in bytes.
const UNITS: [(&str, u64); 14] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("bytes", 1),
];

/// Parses a size; a number without a unit is in bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if digits == 0 {
        return Err("is not a size; write a number and a unit, for example `64MiB`".to_owned());
    }
    let number: u64 = text[..digits].parse().map_err(|_| "is too large a size".to_owned())?;
    let unit = text[digits..].trim().to_lowercase();
    let bytes = if unit.is_empty() { Some(1) } else { bytes_of(&unit) };
    let Some(bytes) = bytes else {
        return Err(format!(
            "has no known unit in `{unit}`; known are B, KiB, MiB, GiB, TiB, kB, MB, GB and TB"
        ));
    };
    number.checked_mul(bytes).ok_or_else(|| "is too large a size".to_owned())
}

fn bytes_of(unit: &str) -> Option<u64> {
    UNITS.iter().find(|(label, _)| *label == unit).map(|(_, bytes)| *bytes)
}

/// The shortest exact text of a size.
pub(crate) fn show(bytes: u64) -> String {
    for (label, unit) in
        [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    {
        if bytes > 0 && bytes.is_multiple_of(unit) {
            return format!("{}{label}", bytes / unit);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test fails by panicking

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_binary_and_decimal_units() {
        for (text, expected) in [
            ("4096", 4096),
            ("64MiB", 64 << 20),
            ("1 GB", 1_000_000_000),
            ("2k", 2048),
            ("10 bytes", 10),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(parse("lots").unwrap_err().contains("is not a size"));
        assert!(parse("5 apples").unwrap_err().contains("no known unit in `apples`"));
        assert!(parse("99999999TiB").unwrap_err().contains("too large"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: u64) {
            prop_assert_eq!(parse(&show(bytes)), Ok(bytes));
        }
    }
}
