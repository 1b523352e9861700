//! `martlet token`: what is made is read, and what is wrong is refused.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::program::{Run, martlet, martlet_with};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn configured(tokens: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("martlet.toml");
    std::fs::write(&path, format!("[[auth.tokens]]\n{tokens}")).unwrap();
    (directory, path)
}

fn create(arguments: &[&str]) -> String {
    let run = martlet(&[&["token", "create"], arguments].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
    run.out.trim().to_owned()
}

fn inspect(token: &str, config: Option<&PathBuf>) -> Run {
    let mut arguments = vec!["token", "inspect", token];
    if let Some(path) = config {
        arguments.extend(["--config", path.to_str().unwrap()]);
    }
    martlet(&arguments)
}

#[test]
fn a_token_is_made_and_told_in_words() {
    let secret = ["--secret", SECRET];
    let what = ["--user", "ann", "--channel", "inbox", "--info", r#"{"name":"Ann"}"#];
    let rules = ["--permission", "room:*=subscribe,publish", "--permission", "room:*=history"];
    let token = create(&[&secret[..], &what, &rules, &["--expires", "7d"]].concat());
    let run = inspect(&token, None);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "Signed with HS256.",
            "A token for a connection of user ann.",
            "It follows from the beginning: inbox.",
            "It permits in room:*: subscribe, publish, history.",
            "Members see: {\"name\":\"Ann\"}",
        ]
    );
    assert!(lines[5].starts_with("It ends ") && lines[5].contains(" in 167h59m"), "{}", lines[5]);
    assert_eq!(lines[6], "Nobody has checked the signature; give --config to do so.");
}

#[test]
fn a_configuration_says_how_to_make_and_check_tokens() {
    let (_directory, path) = configured(&format!(
        "secret = \"{SECRET}\"\naudience = [\"chat\"]\nissuer = \"me\"\nkey_id = \"k1\"\n"
    ));
    let config = path.to_str().unwrap();
    let token = create(&["--config", config, "--user", "ann", "--expires", "never"]);
    let run = inspect(&token, Some(&path));
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("Signed with HS256, by the key \"k1\".\n"), "{}", run.out);
    assert!(run.out.contains("It never ends.\n"), "{}", run.out);
    assert!(run.out.ends_with("takes the token.\n"), "{}", run.out);
    let other = create(&["--secret", SECRET, "--user", "ann"]);
    let refused = inspect(&other, Some(&path));
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.err,
        "martlet: The token is not valid. (its issuer (iss) is not the configured one) (1101)\n  \
         hint: Check its signature, algorithm, audience and issuer against the server's \
         configuration.\n"
    );
}

#[test]
fn a_private_key_signs_and_its_public_key_checks() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let (directory, path) = configured("public_key_file = \"public.pem\"\n");
    std::fs::write(directory.path().join("public.pem"), key.public_key_pem()).unwrap();
    let private = directory.path().join("private.pem");
    std::fs::write(&private, key.serialize_pem()).unwrap();
    let private = private.to_str().unwrap();
    let token =
        create(&["--private-key", private, "--for-channel", "room:1", "--permission", "publish"]);
    let run = martlet_with(
        &["token", "inspect", "-", "--config", path.to_str().unwrap()],
        &[],
        &format!("{token}\n"),
    );
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let expected = "Signed with ES256.\n\
                    A token for the channel room:1, for whoever brings it, with: publish.\n";
    assert!(run.out.starts_with(expected), "{}", run.out);
    let run = martlet(&["token", "create", "--config", path.to_str().unwrap()]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("has no secret for tokens"), "{}", run.err);
}

#[test]
fn a_token_that_is_over_or_forged_is_not_good() {
    let (_directory, path) = configured(&format!("secret = \"{SECRET}\"\n"));
    let over = create(&["--secret", SECRET, "--expires", "0s"]);
    let run = inspect(&over, None);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("It ended "), "{}", run.out);
    assert!(run.err.starts_with("martlet: The token has expired. (1102)\n"), "{}", run.err);
    let forged = create(&["--secret", "another secret of thirty-two bytes", "--user", "root"]);
    let run = inspect(&forged, Some(&path));
    assert_eq!(run.code, 1);
    assert!(run.err.contains("the signature is wrong"), "{}", run.err);
    for garbage in ["", "x", "a.b.c"] {
        let run = inspect(garbage, None);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{garbage}");
    }
}

#[test]
fn a_token_that_nobody_would_take_is_not_made() {
    for (arguments, said) in [
        (&["--user", ""][..], "its sub is not"),
        (&["--channel", "a b"], "its channels are not"),
        (&["--permission", "room:*=fly"], "its permissions have"),
        (&["--permission", "room:*"], "does not say where"),
        (&["--info", "{"], "--info is not JSON"),
        (&["--expires", "soon"], "is not a duration"),
        (&["--expires", "3600"], "is not a duration"),
    ] {
        let all = [&["token", "create", "--secret", SECRET], arguments].concat();
        let run = martlet(&all);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(run.err.contains(said), "{arguments:?}: {}", run.err);
    }
    let run = martlet(&["token", "create", "--user", "ann"]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.err,
        "martlet: there is no key to sign with\n  \
         hint: give --config, --secret or --private-key\n"
    );
}

#[test]
fn a_new_key_comes_with_its_lines_for_the_configuration() {
    let run = martlet(&["token", "key", "--name", "feed", "--scope", "publish", "--scope", "read"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let (key, lines) = run.out.split_once('\n').unwrap();
    assert!(key.starts_with("mk_"), "{key}");
    assert!(!lines.contains(key), "the key is not among the lines");
    assert!(lines.contains("name = \"feed\"") && lines.contains("[\"publish\", \"read\"]"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("martlet.toml");
    std::fs::write(&path, lines).unwrap();
    let check = martlet(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(check.code, 0, "{}", check.err);
    assert!(check.out.contains("1 key for the backend API"), "{}", check.out);
}

#[test]
fn a_new_secret_is_long_enough_for_the_configuration() {
    let secret = martlet(&["token", "secret"]).out;
    let (_directory, path) = configured(&format!("secret = \"{}\"\n", secret.trim()));
    let check = martlet(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(check.code, 0, "{}", check.err);
}
