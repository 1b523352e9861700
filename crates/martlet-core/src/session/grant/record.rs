//! The compact binary record inside a grant: varint numbers, and texts with their length in
//! front. Reading never allocates by an announced length.

/// The most entries of a list that is read.
const LIST_MAX: usize = 1_024;

#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }

    pub fn option(&mut self, text: Option<&[u8]>) {
        self.number(text.is_some().into());
        text.into_iter().for_each(|text| self.text(text));
    }

    pub fn option_number(&mut self, number: Option<u64>) {
        self.number(number.is_some().into());
        number.into_iter().for_each(|number| self.number(number));
    }

    pub fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| write(self, item));
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }

    /// The outer `None` is a broken record.
    pub fn option(&mut self) -> Option<Option<&'a [u8]>> {
        if self.number()? == 0 { Some(None) } else { self.text().map(Some) }
    }

    /// The outer `None` is a broken record.
    pub fn option_number(&mut self) -> Option<Option<u64>> {
        if self.number()? == 0 { Some(None) } else { self.number().map(Some) }
    }

    pub fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = usize::try_from(self.number()?).ok().filter(|len| *len <= LIST_MAX)?;
        (0..len).map(|_| read(self)).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
