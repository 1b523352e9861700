//! Every decoder with random bytes, with nearly good bytes, and with what has broken others.

use proptest::prelude::*;

use super::*;
use crate::native::samples;

const ALL: [fn(&[u8]); 7] =
    [json_command, json_event, proto_command, proto_event, plain_query, cursor, transcript];

fn all(bytes: &[u8]) {
    ALL.iter().for_each(|decoder| decoder(bytes));
}

#[test]
fn what_has_broken_others_breaks_nothing() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let keys: String = (0..100_000).map(|i| format!("\"{i}\":0,")).collect();
    let inputs = [
        String::new(),
        deep("[", "]"),
        deep("{\"ping\":", "}"),
        deep("{\"publish\":{\"channel\":\"a\",\"data\":[", "]}}"),
        format!("{{{keys}\"ping\":{{}}}}"),
        format!("{{\"publish\":{{\"channel\":\"a\",\"tags\":{{{keys}\"x\":\"\"}},\"data\":1}}}}"),
        format!("{{\"id\":{}}}", "9".repeat(1 << 20)),
        "{\"id\":-1,\"ping\":{}}{\"id\":1e999999,\"ping\":{}}".into(),
        "\u{feff}{\"ping\":{}}".into(),
        "{\"presence\":{\"channel\":\"\\ud800\\u0000</script>\u{2028}\"}}".into(),
        "channel=".repeat(100_000),
        "x\n".to_owned() + &"channel=%e2%80%a8&".repeat(100_000),
        "1.k3f9x2ab.a~".repeat(100_000),
        "18446744073709551615.zzzzzzzz.%00%zz%".into(),
        "NaN".into(),
    ];
    inputs.iter().for_each(|input| all(input.as_bytes()));
    all(&[0xff; 4096]);
    all(&[0x0b; 65_536]);
    all(&[0x00; 65_536]);
}

proptest! {
    #[test]
    fn random_bytes_break_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        all(&bytes);
    }

    #[test]
    fn one_wrong_byte_breaks_nothing(
        command in samples::command(),
        answer in samples::answer(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut frames = vec![Vec::new(); 4];
        native::json::encode_command(&command, &mut frames[0]);
        native::json::encode_answer(&answer, &mut frames[1]);
        native::proto::encode_command(&command, &mut frames[2]);
        native::proto::encode_answer(&answer, &mut frames[3]);
        for mut frame in frames {
            let at = at.index(frame.len());
            frame[at] = byte;
            all(&frame);
        }
    }
}
