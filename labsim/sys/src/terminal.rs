//! Terminals.

use nix::errno::Errno;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// The width of a terminal's window in columns now (TIOCGWINSZ, ioctl_tty(2)). Nothing if `terminal` is none,
/// or does not know its width.
#[must_use]
pub fn columns(terminal: BorrowedFd<'_>) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `winsize` to the address, which outlives the call.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })
        .ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    #[test]
    fn what_is_no_terminal_has_no_width() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(columns(file.as_fd()), None);
    }
}
