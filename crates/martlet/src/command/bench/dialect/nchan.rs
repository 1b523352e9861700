//! Nchan's subscribers over WebSocket: each message is the data of a publication and nothing else.
//! One publishes by HTTP.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// The dialect of those who follow.
#[derive(Debug)]
pub struct Nchan;

impl Dialect for Nchan {
    fn carrier(&self) -> Carrier {
        Carrier::Text
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        let name = who.name().unwrap_or_default();
        upgrade(who.door, &format!("/sub/{name}"), None)
    }

    fn lets_in(&self, _: Who<'_>) -> bool {
        true
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        Some((Heard::Publication(bytes), bytes.len()))
    }

    fn publishes(&self) -> bool {
        false
    }

    fn publish(&self, _: &Door, _: usize, _: &[u8], _: &mut Vec<u8>) {}
}
