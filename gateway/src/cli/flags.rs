//! The flags of the commands that read a configuration: one for each setting, made from the list of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::Inputs;
use crate::config::fault::Faults;
use crate::config::node::{Given, SETTINGS, settle};

/// The values of settings that the command line gives.
#[derive(Clone, Debug, Default)]
struct SettingFlags(BTreeMap<&'static str, String>);

/// Where the configuration is, and what of it is given otherwise.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ConfigFlags {
    /// The file with the node's settings; `./tidegate.toml` if it is there [env: TIDEGATE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ConfigFlags {
    /// What is needed to load the configuration.
    pub(super) fn inputs(self, environment: BTreeMap<String, String>) -> Inputs {
        Inputs { file: self.config, environment, flags: self.settings.0 }
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let (_, defaults) = settle(&Given::default(), &mut Faults::default());
        let args = SETTINGS.iter().zip(defaults).map(|(setting, default)| {
            let about = format!(
                "{} [env: {}] [default: {}]",
                setting.about,
                setting.variable(),
                default.value
            );
            let arg = Arg::new(setting.key)
                .long(setting.flag())
                .value_name(setting.value)
                .action(ArgAction::Set)
                .help_heading("Node settings")
                .help(about);
            match setting.value {
                "BOOL" => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
                _ => arg,
            }
        });
        command.args(args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|setting| {
            Some((setting.key, matches.get_one::<String>(setting.key)?.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}
