//! `/stats` as a page for people.

/// The text in a page of its own.
pub(crate) fn render(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Stats</title></head>\n<body>\n\
         <pre>\n{escaped}</pre>\n</body>\n</html>\n"
    )
}
