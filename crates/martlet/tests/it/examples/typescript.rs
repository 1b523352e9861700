//! The TypeScript of all pages, checked and compiled at once against the client of `clients/js`.
//! Without Node, or before `npm ci` there, nothing is done, except in CI, where that is an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::page::Page;
use super::root;

/// All examples, ready to be run.
pub struct Compiled {
    directory: TempDir,
}

const PROJECT: &str = r#"{
  "extends": "EXTENDED",
  "compilerOptions": {
    "types": ["node"], "typeRoots": ["ROOTS"], "declaration": false, "noUnusedLocals": false,
    "rootDir": ".", "outDir": "out"
  },
  "include": ["*.ts"]
}"#;

/// Compiles the examples of all pages. `None` where there is no Node.
#[allow(clippy::print_stderr, reason = "who runs the tests is to know what was not")]
pub fn compile(pages: &[Page]) -> Option<Compiled> {
    let client = root().join("clients/js");
    let compiler = client.join("node_modules/.bin/tsc");
    if !compiler.exists() || Command::new("node").arg("--version").output().is_err() {
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!ci, "CI needs Node, and npm ci in clients/js");
        eprintln!("skipped: TypeScript examples need Node, and npm ci in clients/js");
        return None;
    }
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let compiled = Compiled { directory };
    compiled.install(&client, &compiler);
    compiled.write(pages, &client);
    tsc(&compiler, &["-p", &compiled.at("tsconfig.json")]);
    Some(compiled)
}

fn tsc(compiler: &Path, arguments: &[&str]) {
    let output = Command::new(compiler).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "TypeScript in the documentation:\n{told}");
}

impl Compiled {
    fn at(&self, path: &str) -> String {
        self.directory.path().join(path).display().to_string()
    }

    /// Puts the client where `import "martlet"` finds it.
    fn install(&self, client: &Path, compiler: &Path) {
        let package = self.at("node_modules/martlet");
        fs::create_dir_all(&package).unwrap();
        fs::copy(client.join("package.json"), format!("{package}/package.json")).unwrap();
        let project = client.join("tsconfig.json").display().to_string();
        tsc(compiler, &["-p", &project, "--outDir", &format!("{package}/dist")]);
    }

    fn write(&self, pages: &[Page], client: &Path) {
        fs::write(self.at("package.json"), r#"{"type":"module"}"#).unwrap();
        let roots = client.join("node_modules/@types").display().to_string();
        let extended = client.join("tsconfig.json").display().to_string();
        let project = PROJECT.replace("EXTENDED", &extended).replace("ROOTS", &roots);
        fs::write(self.at("tsconfig.json"), project).unwrap();
        for page in pages {
            for (number, block) in page.blocks.iter().enumerate() {
                if block.language == "ts" {
                    let file = self.at(&format!("{}.ts", name(page, number)));
                    // Each is a module, whether it imports something or not.
                    fs::write(file, format!("{}\nexport {{}};\n", block.text)).unwrap();
                }
            }
        }
    }

    /// The compiled form of a block.
    pub fn javascript(&self, page: &Page, number: usize) -> String {
        fs::read_to_string(self.at(&format!("out/{}.js", name(page, number)))).unwrap()
    }

    /// A file of its own for something to be run, beside the packages it imports.
    pub fn file(&self, javascript: &str) -> PathBuf {
        let file = tempfile::Builder::new().suffix(".js").tempfile_in(self.directory.path());
        let (mut file, path) = file.unwrap().keep().unwrap();
        std::io::Write::write_all(&mut file, javascript.as_bytes()).unwrap();
        path
    }
}

fn name(page: &Page, number: usize) -> String {
    format!("{}-{number}", page.name.replace(['/', '.'], "-"))
}
