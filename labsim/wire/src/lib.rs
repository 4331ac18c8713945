//! Views and builders of packet headers, decoded frames and the pcapng format. No I/O.
