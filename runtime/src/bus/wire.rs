//! Numbers and texts as they are on the wire (D-Bus specification, "Marshaling"): aligned, in the order of either side.

/// The order of octets in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// Appends to octets, in little-endian order. What is aligned is aligned to the start.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Octets since the start.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    pub(super) fn align(&mut self, to: usize) {
        let end = self.start + self.len().next_multiple_of(to);
        self.out.resize(end, 0);
    }

    pub(super) fn octet(&mut self, octet: u8) {
        self.out.push(octet);
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    pub(super) fn number(&mut self, number: u32) {
        self.align(4);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(0);
    }

    pub(super) fn signature(&mut self, signature: &str) {
        // Ours are all shorter than 256 octets, which is what a signature may have.
        self.out.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.out.extend_from_slice(signature.as_bytes());
        self.out.push(0);
    }

    /// Writes something that is preceded by its length, which does not count what aligns its first element to
    /// `alignment`.
    pub(super) fn array(&mut self, alignment: usize, write: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.out.len();
        self.align(alignment);
        let first = self.out.len();
        write(self);
        let octets = length(self.out.len() - first).to_le_bytes();
        if let Some(field) = self.out.get_mut(place - octets.len()..place) {
            field.copy_from_slice(&octets);
        }
    }
}

/// A length as the wire has it. No message of ours comes near the end of the type.
pub(super) fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Reads octets. Whatever is not there is `None`.
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Reader<'a> {
    /// What is aligned is aligned to the start of `data`.
    pub(super) fn new(data: &'a [u8], order: Order) -> Self {
        Self { data, at: 0, order }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    pub(super) fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.align(4);
        let octets = *self.take(4)?.first_chunk::<4>()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(octets),
            Order::Big => u32::from_be_bytes(octets),
        })
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        self.terminated(length)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.octet()?);
        self.terminated(length)
    }

    fn terminated(&mut self, length: usize) -> Option<&'a str> {
        let text = self.take(length)?;
        (self.octet()? == 0).then_some(())?;
        std::str::from_utf8(text).ok()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.data.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}
