//! Compressing messages, each by itself, so that one compressed frame serves every subscriber.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::DEFLATE_TAIL;

/// Payloads below this many bytes are sent as they are: deflate would not shorten them enough.
pub const WORTH_BYTES: usize = 64;

/// A compressor, one for each worker: it remembers nothing from message to message.
pub struct Deflater {
    compress: Compress,
    scratch: Vec<u8>,
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Deflater {
    /// A compressor of this level, from 1 (fast) to 9 (small).
    pub fn new(level: u32) -> Self {
        let level = Compression::new(level.clamp(1, 9));
        Self { compress: Compress::new(level, false), scratch: Vec::new() }
    }

    /// The payload compressed, or `None` where that would not make it shorter.
    pub fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < WORTH_BYTES {
            return None;
        }
        self.compress.reset();
        self.scratch.clear();
        // Output that fills this is no shorter than the input, so there is never a second round.
        self.scratch.reserve_exact(payload.len());
        let room = self.scratch.capacity();
        let status = self.compress.compress_vec(payload, &mut self.scratch, FlushCompress::Sync);
        let whole = matches!(status, Ok(Status::Ok))
            && self.compress.total_in() == payload.len() as u64
            && self.scratch.len() < room;
        if !whole || !self.scratch.ends_with(&DEFLATE_TAIL) {
            return None;
        }
        self.scratch.truncate(self.scratch.len() - DEFLATE_TAIL.len());
        (self.scratch.len() < payload.len()).then_some(&self.scratch)
    }
}
