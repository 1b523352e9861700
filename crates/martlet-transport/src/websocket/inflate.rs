//! Decompressing messages, each by itself, never past a limit.

use flate2::{Decompress, FlushDecompress, Status};
use thiserror::Error;

use super::DEFLATE_TAIL;

/// Output is made in steps of this size, so that a bomb stops soon after its limit.
const STEP_BYTES: usize = 16 * 1024;
/// More room than this is given back after a message.
const KEPT_BYTES: usize = 256 * 1024;
/// A message may end its deflate stream and begin another; more often than this it is an attack,
/// for each beginning costs far more than the two bytes it takes.
const STREAMS: usize = 64;

/// Why a message could not be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InflateFault {
    /// It is larger than the limit.
    #[error("the message is larger than the limit once inflated")]
    TooBig,
    /// It is not deflated data.
    #[error("the message is not deflated data")]
    Garbage,
}

/// A decompressor, one for each worker: it remembers nothing from message to message.
pub struct Inflater {
    decompress: Decompress,
    output: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompress: Decompress::new(false), output: Vec::new() }
    }
}

impl Inflater {
    /// The message, at most `limit` bytes of it.
    pub fn inflate(&mut self, deflated: &[u8], limit: usize) -> Result<&[u8], InflateFault> {
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        self.decompress.reset(false);
        let mut streams = 0;
        self.take(deflated, limit, &mut streams)?;
        self.take(&DEFLATE_TAIL, limit, &mut streams)?;
        Ok(&self.output)
    }

    fn take(
        &mut self,
        mut input: &[u8],
        limit: usize,
        streams: &mut usize,
    ) -> Result<(), InflateFault> {
        loop {
            self.make_room(limit);
            let before = self.decompress.total_in();
            let status = self
                .decompress
                .decompress_vec(input, &mut self.output, FlushDecompress::Sync)
                .map_err(|_| InflateFault::Garbage)?;
            let eaten = (self.decompress.total_in() - before) as usize;
            input = &input[eaten..];
            if self.output.len() > limit {
                return Err(InflateFault::TooBig);
            }
            match status {
                Status::StreamEnd => {
                    *streams += 1;
                    if *streams > STREAMS {
                        return Err(InflateFault::Garbage);
                    }
                    self.decompress.reset(false);
                }
                // Room left over means that everything so far has been written out.
                _ if input.is_empty() && self.output.len() < self.output.capacity() => {
                    return Ok(());
                }
                Status::BufError if eaten == 0 && self.output.len() < self.output.capacity() => {
                    return Err(InflateFault::Garbage);
                }
                _ => {}
            }
            if input.is_empty() && matches!(status, Status::StreamEnd) {
                return Ok(());
            }
        }
    }

    /// Room for one more byte than the limit allows, or for a step, whichever is less.
    fn make_room(&mut self, limit: usize) {
        if self.output.len() == self.output.capacity() {
            let left = (limit + 1).saturating_sub(self.output.len()).max(1);
            self.output.reserve_exact(left.min(STEP_BYTES.max(self.output.len())));
        }
    }
}

#[cfg(test)]
mod tests;
