//! `/help`, and the home page.

use std::fmt::Write as _;

use super::pages::{PAGES, Parameters};
use super::{AdminContext, AdminResponse, HTML};

/// What `/help` says, which is also the answer to a path that there is no page for.
pub(super) fn text() -> String {
    PAGES.iter().fold("admin commands are:\n".to_owned(), |mut out, page| {
        let post = if page.mutates { " (POST)" } else { "" };
        let _ = writeln!(out, "  {}{post}: {}", page.path, page.help);
        for (name, help) in page.parameters {
            let _ = writeln!(out, "      {name}: {help}");
        }
        out
    })
}

pub(super) fn help(_: &AdminContext, _: &Parameters) -> AdminResponse {
    AdminResponse::text(text())
}

const HEAD: &str = "<!DOCTYPE html>
<html lang='en'>
<head>
<title>Sandgate Admin</title>
<style>
body { font-family: sans-serif; margin: 1.5em; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: 4px 12px 4px 4px; vertical-align: top; }
tr.page:nth-child(even) { background: #eee; }
form { margin: 0; }
button { font: inherit; }
</style>
</head>
<body>
<table>
<thead><tr><th>Command</th><th>Description</th></tr></thead>
<tbody>
";

/// Every page as a link, or as a button if it changes something.
pub(super) fn home(_: &AdminContext, _: &Parameters) -> AdminResponse {
    let mut out = HEAD.to_owned();
    for page in PAGES.iter().filter(|page| page.path != "/") {
        let (path, name) = (page.path, page.path.trim_start_matches('/'));
        let command = match page.mutates {
            true => format!("<form action='{path}' method='post'><button>{name}</button></form>"),
            false => format!("<a href='{path}'>{name}</a>"),
        };
        let _ = writeln!(out, "<tr class='page'><td>{command}</td><td>{}</td></tr>", escape(page.help));
    }
    out.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    AdminResponse::new(200, HTML, out)
}

/// Text as it stands in HTML, in an attribute too.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
