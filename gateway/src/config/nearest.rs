//! Finds what a user probably meant.

/// The known word that is nearest to `word`, if one is near enough to be worth naming.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lowered, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The advice that names the nearest known word, or all of them if none is near.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "there are no keys here".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(nearest("tragets", ["targets", "path"]), Some("targets"));
        assert_eq!(nearest("Functions", ["functions", "path"]), Some("functions"));
        assert_eq!(
            nearest("url_path_template", ["urlPathTemplate", "path"]),
            Some("urlPathTemplate")
        );
    }

    #[test]
    fn another_word_is_not_taken_for_a_slip() {
        assert_eq!(nearest("colour", ["targets", "path"]), None);
        assert_eq!(did_you_mean("colour", &["targets", "path"]), "known here: targets, path");
    }
}
