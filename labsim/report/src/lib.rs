//! Consumes events: the terminal and JSON lines.
