//! The client's configuration file: options that need not be typed each time (`spec/node.md` §10.1, §10.3).

use crate::grammar::{CliError, Command, Invocation, Opt};
use serde::{Deserialize, Serialize};
use soru_tezos::json::pretty;
use std::path::{Path, PathBuf};

const GROUP: &str = "Commands for editing and viewing the client's config file";
const OUTPUT: &[Opt] = &[Opt::value("output", Some('o'), "path", "file to write (default: the config file)")];

/// What the file may say. Fields of the reference's that are not here are refused, since they would have no effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Directory of the wallet.
    pub base_dir: PathBuf,
    /// Old way to give the host of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_addr: Option<String>,
    /// Old way to give the port of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_port: Option<u16>,
    /// Old way to ask for https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default = "ConfigFile::web_port")]
    web_port: u16,
    /// Where keys kept as `remote:…` are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_signer: Option<String>,
    /// Blocks to wait for on top of an operation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<i8>,
    /// Passwords of encrypted keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_filename: Option<PathBuf>,
}

impl ConfigFile {
    fn web_port() -> u16 {
        8080
    }

    /// What holds without a file.
    fn default_in(base_dir: PathBuf) -> ConfigFile {
        ConfigFile {
            base_dir,
            node_addr: None,
            node_port: None,
            tls: None,
            media_type: None,
            endpoint: None,
            web_port: ConfigFile::web_port(),
            remote_signer: None,
            confirmations: Some(0),
            password_filename: None,
        }
    }

    /// The endpoint, if the file names one in one way or the other.
    pub fn endpoint(&self) -> Option<String> {
        match (&self.endpoint, &self.node_addr, self.node_port) {
            (Some(endpoint), ..) => Some(endpoint.clone()),
            (None, None, None) => None,
            (None, host, port) => {
                let scheme = if self.tls == Some(true) { "https" } else { "http" };
                Some(format!("{scheme}://{}:{}", host.as_deref().unwrap_or("localhost"), port.unwrap_or(8732)))
            }
        }
    }

    fn read(path: &Path) -> Result<ConfigFile, CliError> {
        let file = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::Usage(format!("Can't parse the configuration file as a JSON: {file}\n{error}"))
        })?;
        serde_json::from_str(&text)
            .map_err(|error| CliError::Usage(format!("Can't parse the configuration file: {file}\n{error}")))
    }

    fn write(&self, path: &Path) -> Result<(), CliError> {
        let failed = |error: std::io::Error| CliError::failed(format!("cannot write {}: {error}", path.display()));
        let json = serde_json::to_value(self).map_err(CliError::failed)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(path, format!("{}\n", pretty(&json))).map_err(failed)
    }

    /// The file with what the command line says instead.
    fn altered(mut self, invocation: &Invocation) -> Result<ConfigFile, CliError> {
        if let Some(directory) = invocation.option("base-dir") {
            self.base_dir = directory.into();
        }
        if super::context::names_endpoint(invocation) {
            self.endpoint = Some(super::context::endpoint_option(invocation));
            (self.node_addr, self.node_port, self.tls) = (None, None, None);
        }
        let text = |name: &str| invocation.option(name).map(str::to_owned);
        self.remote_signer = text("remote-signer").or(self.remote_signer);
        self.media_type = text("media-type").or(self.media_type);
        self.password_filename = text("password-filename").map(PathBuf::from).or(self.password_filename);
        let confirmations = invocation.read_option("wait", |text| match text {
            "none" => Ok(None),
            number => number.parse().map(Some).map_err(|_| "give a number of blocks up to 127, or none"),
        })?;
        self.confirmations = confirmations.unwrap_or(self.confirmations);
        Ok(self)
    }
}

/// The file: `-c`, else `config` in the wallet's directory.
fn path(invocation: &Invocation) -> PathBuf {
    let in_wallet = || super::context::base_dir_option(invocation).join("config");
    invocation.option("config-file").map_or_else(in_wallet, PathBuf::from)
}

/// The configuration beside the wallet, if there is one, for programs whose own `--config-file` is another file.
pub fn beside_wallet(invocation: &Invocation) -> Result<Option<ConfigFile>, CliError> {
    let path = super::context::base_dir_option(invocation).join("config");
    if path.exists() { ConfigFile::read(&path).map(Some) } else { Ok(None) }
}

/// The configuration of a client command, if there is a file. One that was named must exist.
pub fn load(invocation: &Invocation) -> Result<Option<ConfigFile>, CliError> {
    let path = path(invocation);
    let named = invocation.option("config-file").is_some();
    if named || path.exists() { ConfigFile::read(&path).map(Some) } else { Ok(None) }
}

/// The file, or what holds without, under the command line's options.
fn current(invocation: &Invocation) -> Result<ConfigFile, CliError> {
    let default = || ConfigFile::default_in(super::context::base_dir_option(invocation));
    let path = path(invocation);
    let file = if path.exists() { ConfigFile::read(&path)? } else { default() };
    file.altered(invocation)
}

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            GROUP,
            "config show",
            &[],
            "Show the current config (config file content + command line arguments).",
            |i| Box::pin(show(i)),
        ),
        Command::new(GROUP, "config reset", &[], "Reset the config file to the factory defaults.", |i| {
            Box::pin(reset(i))
        }),
        Command::new(GROUP, "config update", &[], "Update the config file with the options given here.", |i| {
            Box::pin(update(i))
        }),
        Command::new(GROUP, "config init", &[OUTPUT], "Create a config file with the options given here.", |i| {
            Box::pin(init(i))
        }),
    ]
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let path = path(&invocation);
    if !path.exists() {
        eprintln!("Warning: no config file at {},\n  displaying the default configuration.", path.display());
    }
    let json = serde_json::to_value(current(&invocation)?).map_err(CliError::failed)?;
    println!("{}\n", pretty(&json));
    Ok(())
}

async fn reset(invocation: Invocation) -> Result<(), CliError> {
    ConfigFile::default_in(super::context::base_dir_option(&invocation)).write(&path(&invocation))
}

async fn update(invocation: Invocation) -> Result<(), CliError> {
    current(&invocation)?.write(&path(&invocation))
}

async fn init(invocation: Invocation) -> Result<(), CliError> {
    let target = invocation.option("output").map_or_else(|| path(&invocation), PathBuf::from);
    if target.exists() {
        return Err(CliError::Usage(format!("Config file already exists at location: {}", target.display())));
    }
    let config = ConfigFile::default_in(super::context::base_dir_option(&invocation));
    config.altered(&invocation)?.write(&target)
}
