//! Checks one table of `auth.tokens`: that it names one key, and that the key can be used.

use std::path::Path;

use super::Checker;
use crate::config::error::Fault;
use crate::config::sections::TokenKeys;
use crate::identity::{Algorithm, Key, KeyError, KeySet, Keys, TokenSource, jwks_address};

/// The keys of the table that name a key, of which one must be given.
const NAMES: &str = "secret, secret_file, public_key, public_key_file, jwks_url or jwks_file";

/// Turns the table at `index` into a source of keys, or notes why it is none.
pub fn check(checker: &mut Checker<'_>, index: usize, table: &TokenKeys) -> Option<TokenSource> {
    let path = format!("auth.tokens[{index}]");
    only_one(checker, &path, table)?;
    let keys = keys(checker, &path, table)?;
    Some(TokenSource {
        keys,
        algorithm: table.algorithm,
        audience: table.audience.clone(),
        issuer: table.issuer.clone(),
    })
}

fn only_one(checker: &mut Checker<'_>, path: &str, table: &TokenKeys) -> Option<()> {
    let given = [
        table.secret.is_some(),
        table.secret_file.is_some(),
        table.public_key.is_some(),
        table.public_key_file.is_some(),
        table.jwks_url.is_some(),
        table.jwks_file.is_some(),
    ];
    match given.iter().filter(|given| **given).count() {
        1 => Some(()),
        0 => {
            checker.wrong(path, Fault::new(format!("there is no key: give {NAMES}")));
            None
        }
        _ => {
            let fault = Fault::new(format!("there are several keys: give one of {NAMES}"));
            checker.wrong(path, fault.hint("add another [[auth.tokens]] for another key"));
            None
        }
    }
}

fn keys(checker: &mut Checker<'_>, path: &str, table: &TokenKeys) -> Option<Keys> {
    if let Some(url) = &table.jwks_url {
        return match jwks_address(url) {
            Ok(address) => Some(Keys::Url(address)),
            Err(message) => {
                checker.wrong(&format!("{path}.jwks_url"), Fault::new(message));
                None
            }
        };
    }
    if let Some(file) = &table.jwks_file {
        key_set_file(checker, &format!("{path}.jwks_file"), file, table.algorithm)?;
        return Some(Keys::File(file.clone()));
    }
    let (path, key) = match checker.secret(path, &table.secret, &table.secret_file) {
        Some(secret) => (path.to_owned(), Key::secret(&secret.0)),
        None => public_key(checker, path, table)?,
    };
    let fits = key.and_then(|key| key.only(table.algorithm));
    match fits {
        Ok(key) => Some(Keys::Fixed(key.named(table.key_id.clone()))),
        Err(error) => {
            checker.wrong(&path, Fault::new(error.to_string()));
            None
        }
    }
}

/// Reads a key set now to tell what is wrong with it; the server will read it again.
fn key_set_file(
    checker: &mut Checker<'_>,
    path: &str,
    file: &Path,
    only: Option<Algorithm>,
) -> Option<()> {
    let text = checker.text_of(path, file)?;
    match KeySet::parse(text.as_bytes(), only) {
        Ok(_) => Some(()),
        Err(error) => {
            checker.wrong(path, Fault::new(format!("{}: {error}", file.display())));
            None
        }
    }
}

fn public_key(
    checker: &mut Checker<'_>,
    path: &str,
    table: &TokenKeys,
) -> Option<(String, Result<Key, KeyError>)> {
    if let Some(pem) = &table.public_key {
        return Some((format!("{path}.public_key"), Key::public_pem(pem)));
    }
    let file = table.public_key_file.as_ref()?;
    let path = format!("{path}.public_key_file");
    let pem = checker.text_of(&path, file)?;
    Some((path, Key::public_pem(&pem)))
}
