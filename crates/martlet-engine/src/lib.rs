//! Stores and engines, one directory for each real product. Nothing here knows sessions or
//! protocols.

pub mod memory;
