//! Listeners and transports: bytes, sockets, TLS, HTTP and frames.
//!
//! This crate does not know what a frame means. It takes connections ([`listen`], [`stream`],
//! [`tls`]), finds out what each one wants ([`http1`], [`front`]), and offers the codecs of the
//! held-open ones ([`websocket`], [`layout`]). Whatever is held is written to through an
//! [`outlet::Outlet`] by calls that never wait, from the worker that owns the connection; there
//! is no task and no queue for writing.
//!
//! Everything here runs on one thread of a current-thread runtime, except accepting.

pub mod body;
pub mod cors;
pub mod framing;
pub mod front;
pub mod fuzz;
pub mod http1;
pub mod layout;
pub mod listen;
pub mod outlet;
pub mod stream;
pub mod tls;
pub mod websocket;
