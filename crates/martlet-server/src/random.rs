//! Random bits from the operating system, for keys, names and seeds.

/// Fills as many bytes as are wanted.
///
/// # Panics
/// If the operating system has no randomness: nothing that follows would be safe.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 64 random bits.
pub fn bits() -> u64 {
    u64::from_le_bytes(bytes())
}
