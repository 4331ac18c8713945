//! Pieces of HTML.

use labsim_picture::xml;
use std::fmt::Display;

/// An element with escaped text in it.
pub(crate) fn element(name: &str, class: &str, text: impl Display) -> String {
    let text = xml(&text.to_string());
    match class {
        "" => format!("<{name}>{text}</{name}>\n"),
        _ => format!("<{name} class=\"{class}\">{text}</{name}>\n"),
    }
}

/// A row of a table, each cell's text escaped. The next cell and the next row end it: a page has thousands.
pub(crate) fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{}", xml(cell))).collect();
    format!("<tr>{cells}\n")
}

/// A table; nothing without rows.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: String =
        heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", xml(head))).collect();
    let rows: String = rows.iter().map(|cells| row(cells)).collect();
    let caption = xml(caption);
    format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// A part that is opened by a click or by Enter.
pub(crate) fn details(summary: &str, is_open: bool, body: &str) -> String {
    let open = if is_open { " open" } else { "" };
    format!("<details{open}><summary>{}</summary>\n{body}</details>\n", xml(summary))
}

/// Lines of text in a box; nothing without lines.
pub(crate) fn lines(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        lines => element("pre", "", lines.join("\n")),
    }
}

/// The same markup with fewer letters: values of attributes that need no quotes have none. Escaped texts have
/// no quotes.
pub(crate) fn lean(markup: &str) -> String {
    let mut out = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some((before, after)) = rest.split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else { break };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        out.push_str(before);
        if value.is_empty() || !value.chars().all(is_plain) {
            out.extend(["=\"", value, "\""]);
        } else {
            out.extend(["=", value]);
            // Else the slash would be the value's.
            if after.starts_with('/') {
                out.push(' ');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::lean;

    #[test]
    fn only_values_that_need_none_lose_their_quotes() {
        assert_eq!(
            lean("<a class=\"x\" d=\"M1 2\" alt=\"\" y=\"1\"/>a=&quot;b&quot; = \"c\""),
            "<a class=x d=\"M1 2\" alt=\"\" y=1 />a=&quot;b&quot; = \"c\""
        );
    }
}
