//! martlet-server.
