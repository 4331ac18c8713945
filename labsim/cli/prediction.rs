//! A prediction of the source that a client will see, against what it saw.

use std::net::IpAddr;

/// A prediction against what was seen, in a sentence.
pub(crate) fn compared(predicted: Option<&str>, seen: Option<IpAddr>) -> String {
    let seen_text = match seen {
        Some(seen) => format!("the first answer came from {seen}"),
        None => "no answer reached the client".to_owned(),
    };
    match predicted.map(|text| (text, text.parse::<IpAddr>())) {
        None => format!("seen: {seen_text}"),
        Some((_, Ok(predicted))) if Some(predicted) == seen => {
            format!("as you predicted: {seen_text}")
        }
        Some((_, Ok(predicted))) => format!("you predicted {predicted}, and {seen_text}"),
        Some((text, Err(_))) => {
            let beginning: String = text.chars().take(64).collect();
            format!("`{beginning}` is no IP address; {seen_text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn a_prediction_is_compared_as_an_address_and_what_is_none_is_said() {
        let vip = "172.16.4.99".parse().ok();
        assert_eq!(compared(None, vip), "seen: the first answer came from 172.16.4.99");
        let right = compared(Some("172.16.4.99"), vip);
        assert_eq!(right, "as you predicted: the first answer came from 172.16.4.99");
        let wrong = compared(Some("10.1.1.51"), vip);
        assert_eq!(wrong, "you predicted 10.1.1.51, and the first answer came from 172.16.4.99");
        let none = compared(Some("rs1"), None);
        assert_eq!(none, "`rs1` is no IP address; no answer reached the client");
        let same = compared(Some("2001:db8:0::1"), "2001:db8::1".parse().ok());
        assert!(same.starts_with("as you predicted"), "{same}");
    }
}
