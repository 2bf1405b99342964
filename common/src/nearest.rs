//! The name that was probably meant, for "did you mean".

/// The one of `known` that `name` was probably meant to be: at most a third of it is wrong.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are no slips of the fingers, and comparing takes the product of the lengths.
    if name.len() > 40 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let (distance, near) = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(known, &name), known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_guesses_are_not_made() {
        let check = |name, expected| assert_eq!(nearest(name, ["bus", "ring-size"]), expected);
        check("ring-sise", Some("ring-size"));
        check("ring_size", Some("ring-size"));
        check("RING-SIZE", Some("ring-size"));
        check("bsu", Some("bus"));
        check("colour", None);
        check("", None);
        check(&"ring-size".repeat(5), None);
        assert_eq!(nearest("bus", []), None);
    }
}
