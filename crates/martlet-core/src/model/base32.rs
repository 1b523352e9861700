//! Crockford's base 32, lower case: digits and letters that survive URLs, headers and being read
//! aloud. Used by epochs, publication ids and client ids. Sorting the text sorts the number.

#[cfg(test)]
mod tests;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Writes the lowest `digits * 5` bits of `value`, most significant first.
pub fn encode(value: u128, digits: u32) -> String {
    (0..digits).rev().map(|i| ALPHABET[(value >> (i * 5)) as usize & 31] as char).collect()
}

/// Reads what [`encode`] wrote. `None` for a foreign character or more than 26 digits.
pub fn decode(text: &str) -> Option<u128> {
    if text.is_empty() || text.len() > 26 {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|&a| a == byte)?;
        value.checked_mul(32).map(|v| v | digit as u128)
    })
}
