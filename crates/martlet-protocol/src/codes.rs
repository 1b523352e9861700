//! The page of codes and the TypeScript constants, made from the one table in `martlet-core`.
//! A test compares them with the files in the tree; `UPDATE=1` makes it write them.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use martlet_core::model::{Code, CodeKind};

/// `docs/reference/codes.md`.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for (title, text, belongs) in SECTIONS {
        page.push_str(&format!("\n## {title}\n\n{text}\n\n{COLUMNS}\n"));
        for code in Code::ALL.iter().filter(|code| belongs(code.kind())) {
            row(&mut page, *code);
        }
    }
    page
}

const HEAD: &str = "\
# Codes

<!-- Made from crates/martlet-core/src/model/code.rs by `UPDATE=1 cargo test -p martlet-protocol codes`. -->

Every refusal and every close has a number, a name, a sentence and a hint. They are the same on every wire:
see [errors and closes](protocol.md#errors-and-closes). The status is that of an HTTP answer with the code.
";

const COLUMNS: &str = "\
| code | name | status | what happened | what to do |
| --- | --- | --- | --- | --- |";

type Section = (&'static str, &'static str, fn(CodeKind) -> bool);

const SECTIONS: &[Section] = &[
    (
        "Refusals",
        "One command was not done; the connection lives. The same command will not succeed until something changes.",
        |kind| kind == CodeKind::Refusal,
    ),
    (
        "Temporary refusals",
        "One command was not done, but the same command may succeed later (`\"temporary\":true`).",
        |kind| kind == CodeKind::Temporary,
    ),
    (
        "Closes, come back",
        "The connection ends and the client comes back by itself (`\"reconnect\":true`). On WebSocket these are the close codes.",
        |kind| kind == CodeKind::CloseAndReturn,
    ),
    (
        "Closes, stay away",
        "The connection ends and the client stays away until its application acts (`\"reconnect\":false`).",
        |kind| kind == CodeKind::CloseForGood,
    ),
];

fn row(page: &mut String, code: Code) {
    let (number, name, status) = (code.number(), code.name(), code.http_status());
    let (message, hint) = (cell(code.message()), cell(code.hint()));
    writeln!(page, "| {number} | `{name}` | {status} | {message} | {hint} |")
        .expect("a text takes every text");
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `clients/js/src/codes.ts`.
pub fn typescript() -> String {
    let mut module = String::from(MODULE_HEAD);
    for code in Code::ALL {
        let (number, name, message) = (code.number(), code.name(), code.message());
        writeln!(module, "  /** {message} */\n  {name}: {number},")
            .expect("a text takes every text");
    }
    module.push_str(MODULE_TAIL);
    module
}

const MODULE_HEAD: &str = "\
// Every refusal and close by name. Made from crates/martlet-core/src/model/code.rs by
// `UPDATE=1 cargo test -p martlet-protocol codes`; not to be edited by hand.
// 1000 to 1999 refuse one command; 3000 to 3499 end a connection and the client comes back;
// 3500 to 3999 end it and the client stays away.

export const codes = {
";

const MODULE_TAIL: &str = "\
} as const;

/** The name of a code. */
export type CodeName = keyof typeof codes;

/** The number of a code. */
export type Code = (typeof codes)[CodeName];
";
