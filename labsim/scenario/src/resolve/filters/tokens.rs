//! The words of a rule.

/// Signs, the longer ones first.
const SIGNS: [&str; 15] =
    ["==", "!=", "<=", ">=", "<", ">", "{", "}", "(", ")", ",", "&", "|", "!", "="];

/// Splits a rule into words and signs. Quotation marks around a word are left out.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, tail) = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => rest.split_at(sign.len()),
            None => {
                let is_end = |byte: char| byte.is_whitespace() || "=!<>{}(),&|".contains(byte);
                rest.split_at(rest.find(is_end).unwrap_or(rest.len()))
            }
        };
        tokens.push(unquoted(token));
        rest = tail.trim_start();
    }
    tokens
}

fn unquoted(token: &str) -> &str {
    token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_and_signs_are_told_apart_with_and_without_spaces() {
        for (text, tokens) in [
            ("", &[][..]),
            ("iifname \"tunl0\" drop", &["iifname", "tunl0", "drop"]),
            (
                "tcp dport{22,80-90}accept",
                &["tcp", "dport", "{", "22", ",", "80-90", "}", "accept"],
            ),
            ("ip ttl<=1 drop", &["ip", "ttl", "<=", "1", "drop"]),
            ("a&(b|c)!=d", &["a", "&", "(", "b", "|", "c", ")", "!=", "d"]),
            ("ip6 saddr 2001:db8::/32 drop", &["ip6", "saddr", "2001:db8::/32", "drop"]),
        ] {
            assert_eq!(split(text), tokens, "{text}");
        }
    }
}
