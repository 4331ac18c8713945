//! The script of the page, and data for it.

/// What the walk, the filter, the themes and the links are made by. Without it the page has everything but
/// these.
pub(crate) const SCRIPT: &str = concat!(
    "\"use strict\";(()=>{\n",
    include_str!("script/read.js"),
    include_str!("script/element.js"),
    include_str!("script/boxes.js"),
    include_str!("script/ladder.js"),
    include_str!("script/walk.js"),
    include_str!("script/explorer.js"),
    include_str!("script/page.js"),
    "})();\n"
);

/// The hash (SHA-256, base64) of [`SCRIPT`], as the page's policy names it.
pub(crate) const SCRIPT_HASH: &str = "QJdiyJ2LUElbw2/OhqjXh8cit05jhHNP+eOeeac2hz8=";

/// An element that a script reads JSON from. Nothing in it ends the element.
pub(crate) fn script_data(id: &str, json: &str) -> String {
    let json = json.replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"{id}\">{json}</script>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::base64;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_policy_names_the_hash_of_the_script() {
        let hash = base64(&Sha256::digest(SCRIPT.as_bytes()));
        assert_eq!(hash, SCRIPT_HASH, "write this into SCRIPT_HASH");
    }

    #[test]
    fn the_script_is_small_and_makes_no_markup_of_texts() {
        assert!(SCRIPT.len() < 60_000, "{}", SCRIPT.len());
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
            "</script",
            "fetch(",
        ] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn data_does_not_end_its_element() {
        let element = script_data("x", r#"{"a":"</script><!--"}"#);
        assert_eq!(element.matches("</script>").count(), 1, "{element}");
    }
}
