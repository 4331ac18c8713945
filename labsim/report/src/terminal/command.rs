//! The command that runs one scenario again.

use std::borrow::Cow;
use std::path::Path;

/// `labsim run FILE`, with the options of the present run that matter.
pub(super) fn run_again(file: &Path, options: &str) -> String {
    let file = file.to_string_lossy();
    // A name that begins with `-` would be an option.
    let separator = if file.starts_with('-') { " --" } else { "" };
    format!("labsim run{options}{separator} {}", quote(&file))
}

/// `labsim diagnose FILE`.
pub(super) fn diagnose(file: &Path) -> String {
    let file = file.to_string_lossy();
    let separator = if file.starts_with('-') { " --" } else { "" };
    format!("labsim diagnose{separator} {}", quote(&file))
}

/// A word of a shell's command.
fn quote(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    if text.chars().any(char::is_control) {
        // A terminal would obey control characters; shells read `$'...'`.
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
        let escape = |c: char| match c.is_control() {
            true => c.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
            false => c.to_string(),
        };
        return Cow::Owned(format!("$'{}'", escaped.chars().map(escape).collect::<String>()));
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_file_back_as_it_is() {
        for (file, expected) in [
            ("scenarios/snat.yaml", "labsim run --jobs 1 scenarios/snat.yaml"),
            ("my files/a.yaml", "labsim run --jobs 1 'my files/a.yaml'"),
            ("it's.yaml", "labsim run --jobs 1 'it'\\''s.yaml'"),
            ("-x.yaml", "labsim run --jobs 1 -- -x.yaml"),
            ("a\x1b'b.yaml", "labsim run --jobs 1 $'a\\x1b\\'b.yaml'"),
        ] {
            assert_eq!(run_again(Path::new(file), " --jobs 1"), expected);
        }
    }
}
