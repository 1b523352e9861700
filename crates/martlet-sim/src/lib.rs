//! martlet-sim.
