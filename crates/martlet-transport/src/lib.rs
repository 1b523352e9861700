//! martlet-transport.
