//! martlet-engine.
