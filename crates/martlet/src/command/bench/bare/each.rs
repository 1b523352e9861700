//! One send for each delivery. Nothing can deliver publications one by one for less; what is
//! cheaper puts several into one write.

use super::{Delivery, Sockets};

/// The loop that sends each by itself.
#[derive(Default)]
pub struct Each {
    readers: Vec<Vec<usize>>,
}

impl Delivery for Each {
    fn follow(&mut self, channel: usize, reader: usize, _: Option<u64>) -> &[u8] {
        super::of(&mut self.readers, channel).push(reader);
        &[]
    }

    fn forget(&mut self, channel: usize, reader: usize) {
        super::of(&mut self.readers, channel).retain(|other| *other != reader);
    }

    fn publish(&mut self, channel: usize, frame: &[u8], sockets: &mut Sockets) {
        for reader in super::of(&mut self.readers, channel) {
            sockets.send(*reader, frame);
        }
    }

    fn turn(&mut self, _: &mut Sockets) -> bool {
        false
    }

    fn writable(&mut self, _: usize, _: usize, _: &mut Sockets) {}
}
