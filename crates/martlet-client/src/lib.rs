//! martlet-client.
