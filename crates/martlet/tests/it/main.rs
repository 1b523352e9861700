//! Tests of the program as people run it: each starts the built binary.

mod help;
