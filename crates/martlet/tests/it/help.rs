//! `--help` and `--version` answer, and wrong arguments are refused with exit code 2.

use crate::program::martlet;

#[test]
fn help_says_how_to_begin() {
    let run = martlet(&["--help"]);
    assert_eq!(run.code, 0);
    for example in ["martlet serve", "martlet sub news", "martlet pub news"] {
        assert!(run.out.contains(example), "{}", run.out);
    }
    assert_eq!(martlet(&["--version"]).out, format!("martlet {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_subcommand_shows_an_example() {
    for (arguments, example) in [
        (&["serve", "--help"][..], "martlet serve --config martlet.toml"),
        (&["config", "--help"], "martlet config check martlet.toml"),
        (&["token", "--help"], "martlet token"),
        (&["token", "create", "--help"], "martlet token create --config martlet.toml --user ann"),
        (&["token", "inspect", "--help"], "martlet token inspect --config martlet.toml"),
    ] {
        let run = martlet(arguments);
        assert_eq!(run.code, 0, "{arguments:?}");
        assert!(run.out.contains(example), "{arguments:?}: {}", run.out);
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [&["fly"][..], &["serve", "--lisen", "x"], &["config"], &["token", "inspect"]]
    {
        let run = martlet(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.err.is_empty(), "{arguments:?}");
    }
}
