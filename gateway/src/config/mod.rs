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
use self::node::{EffectiveSetting, Given, GuardSettings};
pub use self::token::{Token, TokenError, TokenSource};

/// The file that is read if none is named and it is there.
const FILE: &str = "tidegate.toml";
/// The variable that names another one.
const FILE_VARIABLE: &str = "TIDEGATE_CONFIG";
/// The variables with tokens themselves, for those who keep secrets in the environment. They are no settings: those are shown.
const INGRESS_TOKENS: &str = "TIDEGATE_INGRESS_TOKENS";
const ADMIN_TOKENS: &str = "TIDEGATE_ADMIN_TOKENS";

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
    /// What clients must bring to be let in.
    pub ingress_tokens: TokenSource,
    /// What operators must bring to be let in.
    pub admin_tokens: TokenSource,
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
    let variable = |name: &str| given.environment.get(name).map(String::as_str);
    let (node, settings) = node::settle(&given, &mut faults);
    let module = read_module(&node.module, &mut faults);
    let ingress_tokens =
        tokens(&node.ingress.guard, INGRESS_TOKENS, variable(INGRESS_TOKENS), &mut faults);
    let admin_tokens = tokens(&node.admin_guard, ADMIN_TOKENS, variable(ADMIN_TOKENS), &mut faults);
    if !node.admin_listen.ip().is_loopback() && !admin_tokens.is_required() {
        faults.push(exposed(&node));
    }
    faults.sort();
    if node.strict {
        faults.make_strict();
    }
    if faults.has_errors() {
        return Err(faults);
    }
    Ok(Effective { node, module, ingress_tokens, admin_tokens, settings, warnings: faults })
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

/// The tokens of a listener, which can be read now.
fn tokens(
    guard: &GuardSettings,
    name: &'static str,
    variable: Option<&str>,
    faults: &mut Faults,
) -> TokenSource {
    let source = TokenSource::new(guard.token_file.clone(), variable).unwrap_or_else(|error| {
        faults.push(Fault::new(Code::BadValue, name, error.to_string()));
        TokenSource { file: guard.token_file.clone(), fixed: Vec::new() }
    });
    if let (Some(path), Err(error)) = (&source.file, source.read()) {
        faults.push(match &error {
            TokenError::Unreadable(error) => unreadable(path, error),
            _ => Fault::new(Code::BadValue, path.display().to_string(), error.to_string()),
        });
    }
    source
}

/// Operators see payloads, so others than this machine must prove that they may.
fn exposed(node: &NodeSettings) -> Fault {
    let text = format!(
        "`admin.listen` is {}, which others than this machine can reach, and no token is required there",
        node.admin_listen
    );
    let fault = Fault::new(Code::Contradiction, "admin.listen", text);
    fault.with_help(format!("give `admin.token_file` or {ADMIN_TOKENS}, or listen on 127.0.0.1"))
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Code::Unreadable,
        path.display().to_string(),
        format!("the file cannot be read: {error}"),
    )
}
