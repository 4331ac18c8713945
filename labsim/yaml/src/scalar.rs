//! What a plain scalar's text can be read as.

/// A plain scalar that was meant to be a whole number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Number(i128),
    /// Digits, but more than 127 bits of them.
    Huge,
    /// `0123`: octal to YAML 1.1, decimal to others.
    LeadingZero,
    No,
}

/// Reads decimal, `0x` and `0o` numbers (YAML 1.2.2, 10.3.2).
pub(crate) fn whole(text: &str) -> Whole {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(digits), _) if digits.len() == text.len() - 2 => (16, digits),
        (_, Some(digits)) if digits.len() == text.len() - 2 => (8, digits),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Whole::No;
    }
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        return Whole::LeadingZero;
    }
    match i128::from_str_radix(digits, radix) {
        Ok(number) => Whole::Number(if negative { -number } else { number }),
        Err(_) => Whole::Huge,
    }
}

/// Reads a finite number: what YAML 1.2's core schema allows but infinities and NaN.
pub(crate) fn float(text: &str) -> Option<f64> {
    let shape = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let number = shape.then(|| text.parse::<f64>().ok()).flatten();
    number.filter(|number| number.is_finite())
}

/// Whether the text stands for no value (YAML 1.2.2, 10.3.2).
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

/// The boolean that a word means which is not valid here, such as `yes`.
pub(crate) fn meant_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "enabled" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "disabled" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Whole, float, whole};

    #[test]
    fn whole_numbers_are_read_exactly() {
        for (text, number) in [
            ("0", Whole::Number(0)),
            ("-5", Whole::Number(-5)),
            ("+7", Whole::Number(7)),
            ("0xff", Whole::Number(255)),
            ("0o17", Whole::Number(15)),
            ("0123", Whole::LeadingZero),
            ("-01", Whole::LeadingZero),
            ("99999999999999999999999999999999999999999", Whole::Huge),
            ("", Whole::No),
            ("-", Whole::No),
            ("-0x1", Whole::No),
            ("0x", Whole::No),
            ("1_000", Whole::No),
            ("1.0", Whole::No),
            ("+-1", Whole::No),
            ("٣", Whole::No),
        ] {
            assert_eq!(whole(text), number, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(float("1.5e3"), Some(1500.0));
        assert_eq!(float("-.5"), Some(-0.5));
        for text in [".inf", "inf", "nan", ".nan", "1e999", "", ".", "1_0"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }
}
