//! `$NAME=value`, and `$NAME` or `${NAME}` where it is used.

use std::collections::BTreeMap;

/// Longest text of a variable, and of a word with variables.
const LONGEST: usize = 4096;

/// What is defined so far.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Defines a variable by its line, if it is such a line.
    ///
    /// # Errors
    /// What is wrong with the definition.
    pub(super) fn define(&mut self, line: &str) -> Result<bool, String> {
        let Some((name, value)) = line.strip_prefix('$').and_then(|rest| rest.split_once('='))
        else {
            return Ok(false);
        };
        if name.is_empty() || !name.bytes().all(is_part) {
            return Ok(false);
        }
        if value.trim_end().ends_with('\\') {
            return Err(
                "a definition of several lines is not read; write its lines where they are \
                        used"
                    .to_owned(),
            );
        }
        let value = self.expand(value.trim())?;
        self.0.insert(name.to_owned(), value);
        Ok(true)
    }

    /// A text with the variables' values; an undefined one stays as it is, as in keepalived.
    ///
    /// # Errors
    /// It becomes too long.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, next) = match after.strip_prefix('{').and_then(|it| it.split_once('}')) {
                Some((name, next)) => (name, next),
                None => {
                    let end = after.bytes().take_while(|byte| is_part(*byte)).count();
                    after.split_at(end)
                }
            };
            match self.0.get(name) {
                Some(value) => {
                    expanded.push_str(value);
                    rest = next;
                }
                None => {
                    expanded.push('$');
                    rest = after;
                }
            }
            if expanded.len() > LONGEST {
                return Err(format!("with its variables this is longer than {LONGEST} bytes"));
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::Variables;

    #[test]
    fn variables_are_replaced_and_do_not_grow_without_end() {
        let mut variables = Variables::default();
        assert_eq!(variables.define("$NET=10.1.1"), Ok(true));
        assert_eq!(variables.define("$VIP=${NET}.99 "), Ok(true));
        assert_eq!(variables.define("virtual_server $VIP=1"), Ok(false));
        assert!(variables.define("$LONG=a \\").is_err());
        assert_eq!(
            variables.expand("$VIP ${NET}.1 $NO $").as_deref(),
            Ok("10.1.1.99 10.1.1.1 $NO $")
        );
        assert_eq!(variables.define("$A=0123456789"), Ok(true));
        assert!((0..20).any(|_| variables.define("$A=$A$A").is_err()));
    }
}
