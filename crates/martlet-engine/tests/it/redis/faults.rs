//! Redis that fails.
