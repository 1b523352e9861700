//! `martlet token`: makes and reads tokens, and makes keys and secrets.

use crate::failure::Failure;

mod create;
mod inspect;
mod key;

/// Make and read tokens, and make API keys.
///
/// An application makes its tokens itself, with any JWT library. These are for trying out, for
/// scripts, and for seeing why a token is refused.
///
/// Make one for user ann:  martlet token create --config martlet.toml --user ann
///
/// See what it says:  martlet token inspect --config martlet.toml TOKEN
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Create(Box<create::Arguments>),
    Inspect(inspect::Arguments),
    Key(key::Arguments),
    /// Make a new secret, for tokens or grants
    Secret,
}

/// Does what the arguments say.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.action {
        Action::Create(arguments) => create::run(&arguments),
        Action::Inspect(arguments) => inspect::run(&arguments),
        Action::Key(arguments) => key::run(&arguments),
        Action::Secret => key::secret(),
    }
}
