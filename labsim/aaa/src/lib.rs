//! TACACS+ messages and sessions, client and server.
