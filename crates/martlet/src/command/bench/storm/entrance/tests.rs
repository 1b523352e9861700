use martlet_core::crowd::AdmissionRate;

use super::*;

const NOW: Instant = Instant(5_000_000);

fn admission(per_second: u32) -> Admission {
    Admission::new(AdmissionRate { per_second })
}

#[test]
fn whoever_has_a_grant_of_the_cluster_is_let_in() {
    let entrance = Entrance::new();
    assert_eq!(entrance.arrive(NOW, 7, entrance.grant(7), &mut admission(0), 1), Ok(()));
}

#[test]
fn whoever_has_none_is_not() {
    let entrance = Entrance::new();
    let altered: Box<str> = format!("{}x", entrance.grant(7)).into();
    let close = entrance.arrive(NOW, 7, altered, &mut admission(0), 1).unwrap_err();
    assert_eq!(close.code, Code::Unauthorized);
}

#[test]
fn when_the_house_is_full_the_session_says_when_to_come_back() {
    let (entrance, mut admission) = (Entrance::new(), admission(8));
    let mut arrive =
        |client| entrance.arrive(NOW, client, entrance.grant(client), &mut admission, 1);
    assert_eq!((arrive(1), arrive(2)), (Ok(()), Ok(())));
    let close = arrive(3).unwrap_err();
    assert_eq!(close.code, Code::Busy);
    assert!(close.after.is_some_and(|after| after >= Duration::from_millis(250)), "{close:?}");
}
