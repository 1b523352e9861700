//! How refusals and closes are told apart on the wire, and read back by a client. The wire has
//! number and sentence; the words of `martlet-core` have code and detail.

use std::time::Duration;

use martlet_core::model::{Close, Code, Refusal};

/// A refusal from its number and sentence. A number that a newer server made is taken for the
/// nearest code that asks for the same behaviour, and stays readable in the detail.
pub(crate) fn refusal(number: u32, message: &str, temporary: bool, after: Option<u64>) -> Refusal {
    let stand_in = if temporary { Code::Internal } else { Code::Malformed };
    let (code, detail) = code_and_detail(number, message, stand_in);
    Refusal { code, detail, after: after.map(Duration::from_millis) }
}

/// A close from its number and sentence, with the same care for unknown numbers.
pub(crate) fn close(
    number: u32,
    message: &str,
    reconnect: bool,
    after: Option<u64>,
    node: Option<Box<str>>,
) -> Close {
    let stand_in = if reconnect { Code::Failed } else { Code::Disconnected };
    let (code, detail) = code_and_detail(number, message, stand_in);
    Close { code, detail, after: after.map(Duration::from_millis), node }
}

fn code_and_detail(number: u32, message: &str, stand_in: Code) -> (Code, Option<Box<str>>) {
    match u16::try_from(number).ok().and_then(Code::from_number) {
        Some(code) => (code, detail(code, message)),
        None => (stand_in, Some(format!("{number}: {message}").into())),
    }
}

/// What stands in brackets after the code's own sentence; all of it if the sentence is another.
fn detail(code: Code, message: &str) -> Option<Box<str>> {
    let Some(rest) = message.strip_prefix(code.message()) else {
        return Some(message.into());
    };
    let inner = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    match inner {
        Some(inner) => Some(inner.into()),
        None if rest.is_empty() => None,
        None => Some(message.into()),
    }
}

/// Whole milliseconds, as the wires carry durations. Whoever waits them has waited long enough.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
