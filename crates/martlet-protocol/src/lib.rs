//! martlet-protocol.
