//! Signing and checking the grant with which a client comes back. Valgrind shows the processor
//! without its instructions for SHA-256, so the count is that of the plain code; the time is not.

use martlet_core::model::{ClientId, UserId};
use martlet_core::session::{Grant, GrantKey, Identity, Pattern, Permissions, Verbs};

use crate::count::{Meter, Subject};
use crate::samples::{channel, now};

const ROUND: u64 = 100;

pub const SUBJECTS: &[Subject] = &[
    Subject { name: "grant: sign", units: ROUND, per: "grant", work: sign },
    Subject { name: "grant: verify", units: ROUND, per: "grant", work: verify },
];

fn grant() -> Grant {
    let rules = vec![(Pattern::parse("room-*").unwrap(), Verbs::READ)];
    Grant {
        client: ClientId::new(0x1234_5678_9abc_def0),
        issued: now().wall,
        expires: now().wall.plus_ms(3_600_000),
        identity: Identity {
            user: UserId::parse("user-123456"),
            expires: Some(now().wall.plus_ms(3_600_000)),
            channels: vec![channel(1)],
            permissions: Permissions::new(rules).unwrap(),
            info: Some(r#"{"name":"Ada"}"#.into()),
        },
        channels: Vec::new(),
    }
}

fn sign(meter: &mut Meter) {
    let (key, grant) = (GrantKey::new(&[7; 32]), grant());
    while meter.again() {
        let texts: Vec<_> = meter.measure(|| (0..ROUND).map(|_| key.sign(&grant)).collect());
        assert!(texts.iter().all(|text| text.starts_with("g1.")));
    }
}

fn verify(meter: &mut Meter) {
    let (key, grant) = (GrantKey::new(&[7; 32]), grant());
    let text = key.sign(&grant);
    while meter.again() {
        let read: Vec<_> =
            meter.measure(|| (0..ROUND).map(|_| key.verify(now().wall, &text)).collect());
        assert!(read.iter().all(|read| read.as_ref() == Ok(&grant)));
    }
}
