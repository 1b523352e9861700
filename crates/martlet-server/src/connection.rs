//! Connections that stay open, one file for each kind. Each is a task that reads; writing is the
//! sweep's.

pub mod sse;
pub mod websocket;
