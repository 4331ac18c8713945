//! How much a bench measures.

/// The amount of measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Enough for figures that can be compared.
    Full,
    /// `--smoke`: a few seconds, to verify that the bench still works. Targets are not judged.
    Smoke,
}

impl Scale {
    /// The scale that a command line asks for.
    pub(crate) fn from_arguments(arguments: &[String]) -> Self {
        let is_smoke = arguments.iter().any(|argument| argument == "--smoke");
        if is_smoke { Self::Smoke } else { Self::Full }
    }

    /// The value for this scale.
    pub(crate) fn choose<T>(self, full: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Smoke => smoke,
        }
    }

    /// Whether the targets were reached, in a word.
    pub(crate) fn judge(self, kept: bool) -> &'static str {
        match (self, kept) {
            (Self::Smoke, _) => "not judged",
            (Self::Full, true) => "reached",
            (Self::Full, false) => "MISSED",
        }
    }
}
