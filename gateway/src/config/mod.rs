//! Configuration: what the application is (`module.yaml`) and how the node runs (`tidegate.toml`, environment,
//! flags). Everything is read and checked, and all faults are reported together, before anything starts.

mod duration;
pub mod fault;
pub mod module;
mod nearest;
pub mod node;
mod print;
mod size;
mod token;
mod yaml;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use self::fault::{Code, Fault, Faults};
pub use self::module::ModuleConfig;
pub use self::node::NodeSettings;
use self::node::{EffectiveSetting, Given};
pub use self::token::{Token, TokenError};

/// The file that is read if none is named and it is there.
const FILE: &str = "tidegate.toml";
/// The variable that names another one.
const FILE_VARIABLE: &str = "TIDEGATE_CONFIG";

/// What a command was given to find its configuration.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The `tidegate.toml` that a flag names.
    pub file: Option<PathBuf>,
    /// All environment variables.
    pub environment: BTreeMap<String, String>,
    /// Values of settings from flags, by the name of the setting.
    pub flags: BTreeMap<&'static str, String>,
}

/// The configuration in effect: complete and without errors.
#[derive(Clone, Debug)]
pub struct Effective {
    /// How the node runs.
    pub node: NodeSettings,
    /// What the application is.
    pub module: ModuleConfig,
    /// What clients must bring to be let in; nothing lets everybody in.
    pub ingress_token: Option<Token>,
    /// Each setting with where its value comes from.
    pub settings: Vec<EffectiveSetting>,
    /// What is doubtful.
    pub warnings: Faults,
}

/// Finds, reads and checks the configuration. The faults are everything that is wrong, errors and warnings.
pub fn load(inputs: Inputs) -> Result<Effective, Faults> {
    let mut faults = Faults::default();
    let file = node_file(&inputs, &mut faults);
    let given = Given { file, environment: inputs.environment, flags: inputs.flags };
    let (node, settings) = node::settle(&given, &mut faults);
    let module = read_module(&node.module, &mut faults);
    let ingress_token =
        node.ingress.token_file.as_deref().and_then(|path| read_token(path, &mut faults));
    faults.sort();
    if node.strict {
        faults.make_strict();
    }
    if faults.has_errors() {
        return Err(faults);
    }
    Ok(Effective { node, module, ingress_token, settings, warnings: faults })
}

/// The text of `tidegate.toml` with its name; a file that was named must be there.
fn node_file(inputs: &Inputs, faults: &mut Faults) -> Option<(String, String)> {
    let variable = inputs.environment.get(FILE_VARIABLE).map(PathBuf::from);
    let named = inputs.file.clone().or(variable);
    let path = named.clone().unwrap_or_else(|| FILE.into());
    match std::fs::read_to_string(&path) {
        Ok(text) => Some((path.display().to_string(), text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            faults.push(unreadable(&path, &error));
            None
        }
    }
}

/// Reads and checks the module alone. Its doubtful parts are given beside it, or are errors if the node is strict.
///
/// # Errors
/// Everything that is wrong.
pub fn load_module(path: &Path, strict: bool) -> Result<(ModuleConfig, Faults), Faults> {
    let mut faults = Faults::default();
    let module = read_module(path, &mut faults);
    faults.sort();
    if strict {
        faults.make_strict();
    }
    if faults.has_errors() { Err(faults) } else { Ok((module, faults)) }
}

fn read_module(path: &Path, faults: &mut Faults) -> ModuleConfig {
    match std::fs::read_to_string(path) {
        Ok(text) => module::read(&text, &path.display().to_string(), faults),
        Err(error) => {
            let fault = unreadable(path, &error);
            faults.push(fault.with_help(
                "`module` in tidegate.toml or `--module` names the file of the application",
            ));
            ModuleConfig::default()
        }
    }
}

fn read_token(path: &Path, faults: &mut Faults) -> Option<Token> {
    let source = || path.display().to_string();
    match Token::of_file(path) {
        Ok(token) => return Some(token),
        Err(TokenError::Unreadable(error)) => faults.push(unreadable(path, &error)),
        Err(error @ TokenError::NotAToken) => {
            faults.push(Fault::new(Code::BadValue, source(), error.to_string()));
        }
    }
    None
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Code::Unreadable,
        path.display().to_string(),
        format!("the file cannot be read: {error}"),
    )
}
