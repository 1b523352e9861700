use std::fs;

use super::*;

#[test]
fn a_program_is_found_as_a_shell_finds_it() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    for name in ["a", "b"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    fs::write(folder.join("b/martlet"), "").unwrap();
    let folders = || ["a", "b"].map(|name| folder.join(name)).into_iter();
    let find = |name: &str| find(Path::new(name), folder, folders());
    assert_eq!(find("martlet"), Some(folder.join("b/martlet")));
    assert_eq!(find("b/martlet"), Some(folder.join("b/martlet")));
    assert_eq!(find("./b/martlet"), Some(folder.join("./b/martlet")));
    let whole = folder.join("b/martlet");
    assert_eq!(find(whole.to_str().unwrap()), Some(whole));
    for unknown in ["a/martlet", "-martlet", ""] {
        assert_eq!(find(unknown), None, "{unknown}");
    }
}

#[test]
fn a_link_stays_a_link() {
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("martlet");
    fs::write(place.path().join("martlet-1"), "").unwrap();
    std::os::unix::fs::symlink("martlet-1", &link).unwrap();
    assert_eq!(find(&link, place.path(), std::iter::empty()), Some(link));
}
