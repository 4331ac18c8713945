//! What becomes of memory that is freed.

/// The size from which glibc gives blocks back as long as nothing was freed (mallopt(3)).
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Has every large block given back to the kernel once it is freed, in this process and its children by
/// fork. glibc raises the size from which it does that with each such block, and a process that holds
/// captures now and then, each read by a thread of its own, keeps the memory of many. Other C libraries do
/// so anyway.
pub fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two numbers; the lock of the allocator is its own. That it is refused changes
    // nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
