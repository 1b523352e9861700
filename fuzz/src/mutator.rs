//! Makes inputs out of others: flipped bits, doubled and missing parts, halves of two inputs put
//! together, words that decoders look for. The same seed makes the same inputs.

/// The longest input that is made, in bytes. Every limit of the decoders is below it.
pub const BYTES_MAX: usize = 80 * 1024;

/// Numbers at which arithmetic goes wrong.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "+1",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999999",
    "1e-999999",
    "0.1",
    "00",
    "NaN",
];

/// Bytes that mean something to one decoder or another.
const BYTES: &[u8] = b"\0\x01\x7f\x80\x81\xfe\xff\r\n\t \"\\'{}[]():;,.=&%+~#/<>*-_";

/// A source of mutations.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// A source that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15 }
    }

    /// An input made of one of `inputs`, using `words` that the decoder knows.
    pub fn make(&mut self, inputs: &[&[u8]], words: &[&str]) -> Vec<u8> {
        let mut bytes = self.pick(inputs).to_vec();
        for _ in 0..1 + self.below(6) {
            self.change(&mut bytes, inputs, words);
            bytes.truncate(BYTES_MAX);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[&[u8]], words: &[&str]) {
        match self.below(10) {
            0 => self.flip_bit(bytes),
            1 => self.set_byte(bytes),
            2 => self.insert(bytes, &[BYTES[self.clone().below(BYTES.len())]]),
            3 => self.remove(bytes),
            4 => bytes.truncate(self.below(bytes.len() + 1)),
            5 => self.repeat(bytes),
            6 => self.splice(bytes, inputs),
            7 => {
                let word = self.pick(NUMBERS).as_bytes();
                self.insert(bytes, word);
            }
            8 => self.change_number(bytes),
            _ => {
                let word = words.get(self.below(words.len().max(1))).copied().unwrap_or_default();
                self.insert(bytes, word.as_bytes());
            }
        }
    }

    fn flip_bit(&mut self, bytes: &mut [u8]) {
        let (at, bit) = (self.below(bytes.len()), self.below(8));
        bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
    }

    fn set_byte(&mut self, bytes: &mut [u8]) {
        let (at, new) = (self.below(bytes.len()), BYTES[self.below(BYTES.len())]);
        bytes.get_mut(at).into_iter().for_each(|byte| *byte = new);
    }

    fn insert(&mut self, bytes: &mut Vec<u8>, new: &[u8]) {
        let at = self.below(bytes.len() + 1);
        bytes.splice(at..at, new.iter().copied());
    }

    fn remove(&mut self, bytes: &mut Vec<u8>) {
        let part = self.part(bytes.len());
        bytes.drain(part);
    }

    /// Repeats a part, now and then very often: that is how bombs are made.
    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let part = self.part(bytes.len().min(64));
        let times = [1, 2, 16, 256, 20_000][self.below(5)];
        let most = BYTES_MAX / part.len().max(1);
        let new = bytes[part].repeat(times.min(most));
        self.insert(bytes, &new);
    }

    fn splice(&mut self, bytes: &mut Vec<u8>, inputs: &[&[u8]]) {
        let other = self.pick(inputs);
        let from = self.below(other.len() + 1);
        bytes.truncate(self.below(bytes.len() + 1));
        bytes.extend_from_slice(&other[from..]);
    }

    /// Puts another number in the place of one that is there.
    fn change_number(&mut self, bytes: &mut Vec<u8>) {
        let from = self.below(bytes.len() + 1);
        let Some(begin) = bytes[from..].iter().position(u8::is_ascii_digit) else { return };
        let begin = from + begin;
        let length = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let new = self.pick(NUMBERS).bytes();
        bytes.splice(begin..begin + length, new);
    }

    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(length + 1), self.below(length + 1));
        a.min(b)..a.max(b)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A number below `end`, or 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
