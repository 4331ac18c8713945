//! Descriptors handed from process to process over a unix socket (SCM_RIGHTS, unix(7)).

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, RecvMsg, UnixAddr, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// The most descriptors of one message that are received.
pub const MOST: usize = 4;

/// Sends a byte, and with it descriptors; the receiver gets copies.
///
/// # Errors
/// Those of sendmsg(2); `EAGAIN` where the socket does not wait and its queue is full.
pub fn send(socket: BorrowedFd<'_>, byte: u8, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let numbers: Vec<RawFd> = descriptors.iter().map(|it| it.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &rights[..0] } else { &rights[..] };
    let bytes = [byte];
    let data = [IoSlice::new(&bytes)];
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &data, control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives a byte and the descriptors that came with it, at most [`MOST`], close-on-exec. A signal does not
/// end the wait: a socket with a timeout would return `EINTR` (signal(7)).
///
/// # Errors
/// Those of recvmsg(2); `ENOBUFS` if there are more, of which the first ones stay open in this process; [`io::ErrorKind::UnexpectedEof`] if the peer has closed.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<(u8, Vec<OwnedFd>)> {
    loop {
        match receive_once(socket) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

fn receive_once(socket: BorrowedFd<'_>) -> io::Result<(u8, Vec<OwnedFd>)> {
    let mut byte = [0];
    let mut control = nix::cmsg_space!([RawFd; MOST]);
    let mut data = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message: RecvMsg<'_, '_, UnixAddr> =
        recvmsg(socket.as_raw_fd(), &mut data, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel made these descriptors for this call; they have no other owner.
            let owned = numbers.into_iter().map(|it| unsafe { OwnedFd::from_raw_fd(it) });
            descriptors.extend(owned);
        }
    }
    match message.bytes {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok((byte[0], descriptors)),
    }
}

/// Closes the descriptors that this process was started with, but for the standard streams: those that are
/// not close-on-exec, as all are that a process of Rust opens itself. What outlives its caller would hold
/// the caller's files and locks.
///
/// # Errors
/// `/proc/self/fd` cannot be read.
pub fn close_inherited() -> io::Result<()> {
    let names = std::fs::read_dir("/proc/self/fd")?.collect::<io::Result<Vec<_>>>()?;
    let numbers = names.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &RawFd| *number > libc::STDERR_FILENO) {
        // SAFETY: takes a number only; one that is not open is refused.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            // SAFETY: nothing in this process knows the number.
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MOST, receive, send};
    use nix::errno::Errno;
    use std::fs::File;
    use std::io::{ErrorKind, Read as _, Write as _, pipe};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_received_descriptor_is_the_senders_file_and_more_than_the_most_are_refused() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = pipe().unwrap();
        send(ours.as_fd(), 7, &[writer.as_fd(); MOST]).unwrap();
        send(ours.as_fd(), 8, &[]).unwrap();
        send(ours.as_fd(), 9, &[ours.as_fd(); MOST + 2]).unwrap();
        drop(writer);
        let (byte, mut received) = receive(theirs.as_fd()).unwrap();
        assert_eq!(byte, 7);
        assert_eq!(received.len(), MOST);
        File::from(received.pop().unwrap()).write_all(b"x").unwrap();
        drop(received);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x", "no copy is left open");
        assert_eq!(receive(theirs.as_fd()).unwrap().0, 8);
        let error = receive(theirs.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOBUFS as i32));
        // The refused ones hold the first pair open.
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        assert_eq!(receive(theirs.as_fd()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
