//! What a misspelt name was probably meant to be, and how names are shown.

/// The closest of `names`, if it is close.
pub(crate) fn suggest(wrong: &str, names: impl Iterator<Item = String>) -> Option<String> {
    // Comparing is quadratic in the length.
    if wrong.len() > 200 {
        return None;
    }
    let fold = |name: &str| name.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let folded = fold(wrong);
    let limit = folded.chars().count().div_ceil(4).clamp(1, 6);
    names
        .map(|name| (fold(&name), name))
        .filter(|(other, _)| other.len().abs_diff(folded.len()) <= limit)
        .map(|(other, name)| (strsim::osa_distance(&folded, &other), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A name from the text, fit to be shown: on one line, and not too long.
pub(crate) fn shown(name: &str) -> String {
    const MAX: usize = 100;
    let mut shown: String = name.chars().take(MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    shown
}
