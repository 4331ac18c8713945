//! A page of tables alone, without pictures and scripts.

use crate::html::{element, table};
use crate::style::{HASHES, STYLE};
use labsim_picture::xml;

/// A table of texts, whatever they hold.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// What it is about.
    pub caption: &'a str,
    /// The names of its columns.
    pub heads: &'a [&'a str],
    /// Its rows, a text for each column; without any, nothing is written of it.
    pub rows: &'a [Vec<String>],
}

/// A page of tables as HTML. `about` is a sentence below the title.
#[must_use]
pub fn tables_page(title: &str, about: &str, tables: &[Table<'_>]) -> String {
    let [own, ..] = HASHES;
    let title = xml(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{own}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    out += &element("p", "quiet", about);
    out.extend(tables.iter().map(|it| table(it.caption, it.heads, it.rows)));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::{Table, tables_page};

    const EVIL: &str = "</title><script>alert(1)</script>\"'&\u{1b}[2J";

    #[test]
    fn no_text_of_a_table_is_markup_and_a_table_without_rows_is_left_out() {
        let rows = [vec![EVIL.to_owned(), "2".to_owned()]];
        let tables = [
            Table { caption: EVIL, heads: &["who", EVIL], rows: &rows },
            Table { caption: "nothing", heads: &["who"], rows: &[] },
        ];
        let page = tables_page(EVIL, EVIL, &tables);
        assert!(!page.contains("<script") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("<td>&lt;/title&gt;"), "{page}");
        assert_eq!((page.matches("<table>").count(), page.matches("</title>").count()), (1, 1));
        assert!(page.contains("default-src 'none'") && !page.contains("nothing"), "{page}");
    }
}
