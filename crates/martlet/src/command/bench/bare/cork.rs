//! All publications that one turn of epoll has found are put together, and each reader gets them
//! by one send.

use super::{Delivery, Sockets};

/// The loop that sends once a turn.
#[derive(Default)]
pub struct Cork {
    channels: Vec<Channel>,
    corked: Vec<usize>,
}

#[derive(Default)]
struct Channel {
    readers: Vec<usize>,
    frames: Vec<u8>,
}

impl Delivery for Cork {
    fn follow(&mut self, channel: usize, reader: usize, _: Option<u64>) -> &[u8] {
        super::of(&mut self.channels, channel).readers.push(reader);
        &[]
    }

    fn forget(&mut self, channel: usize, reader: usize) {
        super::of(&mut self.channels, channel).readers.retain(|other| *other != reader);
    }

    fn publish(&mut self, channel: usize, frame: &[u8], _: &mut Sockets) {
        let frames = &mut super::of(&mut self.channels, channel).frames;
        if frames.is_empty() {
            self.corked.push(channel);
        }
        frames.extend_from_slice(frame);
    }

    fn turn(&mut self, sockets: &mut Sockets) -> bool {
        for channel in self.corked.drain(..) {
            let channel = &mut self.channels[channel];
            for reader in &channel.readers {
                sockets.send(*reader, &channel.frames);
            }
            channel.frames.clear();
        }
        false
    }

    fn writable(&mut self, _: usize, _: usize, _: &mut Sockets) {}
}
