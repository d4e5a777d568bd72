//! W3C trace context (<https://www.w3.org/TR/trace-context/>): the few bytes that tie a webhook to the notice it causes.

use std::fmt;
use std::str::FromStr;

/// A `traceparent` of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// The text is not a valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent (00-<32 hex>-<16 hex>-<2 hex>, ids not zero)")]
pub struct InvalidTraceparent;

impl TraceContext {
    /// A context from ids that a tracer gave.
    #[must_use]
    pub const fn new(trace_id: u128, span_id: u64, flags: u8) -> Self {
        Self { trace_id, span_id, flags }
    }

    /// A new, unsampled root, for when no tracer runs and the sender named no trace.
    #[must_use]
    pub fn random() -> Self {
        Self { trace_id: rand::random::<u128>() | 1, span_id: rand::random::<u64>() | 1, flags: 0 }
    }

    /// The trace's id.
    #[must_use]
    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The id of the span that is the parent of what follows.
    #[must_use]
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// The trace flags; bit 0 says that the trace is sampled.
    #[must_use]
    pub const fn flags(self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut trace_id, mut span_id) = ([0; 32], [0; 16]);
        f.write_str("00-")?;
        f.write_str(hex_of(&self.trace_id.to_be_bytes(), &mut trace_id))?;
        f.write_str("-")?;
        f.write_str(hex_of(&self.span_id.to_be_bytes(), &mut span_id))?;
        write!(f, "-{:02x}", self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let mut parts = text.split('-');
            let version = lower_hex(parts.next()?, 2)?;
            let trace_id = lower_hex(parts.next()?, 32)?;
            let span_id = u64::try_from(lower_hex(parts.next()?, 16)?).ok()?;
            let flags = u8::try_from(lower_hex(parts.next()?, 2)?).ok()?;
            // A later version may append fields; version 00 may not, and 0xff is forbidden.
            let well_formed =
                trace_id != 0 && span_id != 0 && version != 0xff && (version != 0 || parts.next().is_none());
            well_formed.then_some(Self { trace_id, span_id, flags })
        };
        parsed().ok_or(InvalidTraceparent)
    }
}

/// `bytes` in hexadecimal digits; `digits` has room for two of each.
fn hex_of<'a>(bytes: &[u8], digits: &'a mut [u8]) -> &'a str {
    let written = hex::encode_to_slice(bytes, digits);
    debug_assert!(written.is_ok(), "two digits for each byte");
    std::str::from_utf8(digits).unwrap_or_default()
}

fn lower_hex(text: &str, len: usize) -> Option<u128> {
    let well_formed = text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    well_formed.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_the_round_trip() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(text.parse::<TraceContext>().unwrap().to_string(), text);
        let random = TraceContext::random();
        assert_eq!(random.to_string().parse(), Ok(random));
    }

    #[test]
    fn malformed_traceparents_are_refused() {
        for text in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceparent), "{text}");
        }
    }
}
