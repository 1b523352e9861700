//! The body of a response that does not end: taken out of its chunks as it comes. Holds no more
//! than an unfinished line with the size of a chunk.

/// Finds a body in bytes.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Without chunks everything is body.
    pub chunked: bool,
    left: usize,
    /// Bytes between a chunk and the next one's size, which are passed over.
    between: usize,
    size: Vec<u8>,
}

/// What ends a body, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The last chunk came.
    Over,
    /// These are no chunks.
    Malformed,
}

/// The longest line with a size.
const SIZE_BYTES_MAX: usize = 64;

impl Chunks {
    /// Hands the pieces of the body to `sink`.
    pub fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), End> {
        if !self.chunked {
            sink(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.between > 0 {
                let passed = self.between.min(bytes.len());
                (self.between, bytes) = (self.between - passed, &bytes[passed..]);
            } else if self.left > 0 {
                let piece = self.left.min(bytes.len());
                sink(&bytes[..piece]);
                (self.left, bytes) = (self.left - piece, &bytes[piece..]);
                self.between = if self.left == 0 { 2 } else { 0 };
            } else {
                bytes = self.read_size(bytes)?;
            }
        }
        Ok(())
    }

    fn read_size<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], End> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.size.extend_from_slice(bytes);
            let long = self.size.len() > SIZE_BYTES_MAX;
            return if long { Err(End::Malformed) } else { Ok(&[]) };
        };
        self.left = match self.size.is_empty() {
            true => size(&bytes[..end])?,
            false => {
                self.size.extend_from_slice(&bytes[..end]);
                size(&std::mem::take(&mut self.size))?
            }
        };
        if self.left == 0 { Err(End::Over) } else { Ok(&bytes[end + 1..]) }
    }
}

/// The number at the beginning of a line.
fn size(line: &[u8]) -> Result<usize, End> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = std::str::from_utf8(&line[..digits]).map_err(|_| End::Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| End::Malformed)
}

#[cfg(test)]
mod tests;
