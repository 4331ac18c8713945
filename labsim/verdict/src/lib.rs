//! What was expected, what was observed, and what it means. Pure.
