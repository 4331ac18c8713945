//! Moves frames between the kernel and the forwarder, and decapsulates where the kernel cannot.
