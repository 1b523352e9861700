//! A running node and those who mean it no good: each test attacks it over real sockets, while a
//! well-behaved publisher and subscriber go on. The attacker gets its code and a sentence or is
//! cut off, the others see no difference, and what the attack took is given back.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

mod calm;
mod node;
mod raw;
mod ws;

mod floods;
mod h2;
mod heads;
mod http2;
mod identity;
mod memory;
mod names;
mod polls;
mod slow;
mod violations;
