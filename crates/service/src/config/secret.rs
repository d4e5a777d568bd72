//! Secrets that the file names: in place, in a file of their own, or in an environment variable.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{Environment, Problem};

/// Where a secret `X` of `tocsin.yaml` comes from: the keys `X`, `X_file` and `X_env`, of which one is given.
#[derive(Debug, Clone)]
pub struct SecretSource {
    /// The path of the secret in the file, without suffix: `receivers[0].slack.webhook_url`.
    pub key: String,
    /// The value itself.
    pub inline: Option<SecretString>,
    /// A file that holds it.
    pub file: Option<PathBuf>,
    /// A variable that holds it.
    pub env: Option<String>,
}

impl SecretSource {
    /// A fault unless just one of the three is given.
    #[must_use]
    pub fn fault(&self) -> Option<Problem> {
        let given =
            usize::from(self.inline.is_some()) + usize::from(self.file.is_some()) + usize::from(self.env.is_some());
        let name = self.key.rsplit('.').next().unwrap_or(&self.key);
        (given != 1).then(|| Problem {
            key: self.key.clone(),
            fault: if given == 0 { "is missing".to_owned() } else { "is given more than once".to_owned() },
            remedy: format!("give one of `{name}`, `{name}_file` and `{name}_env`"),
        })
    }

    /// The secret, with white space around it removed.
    pub fn resolve(&self, env: &Environment) -> Result<SecretString, Problem> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let problem = |suffix: &str, fault: String, remedy: String| Problem {
            key: format!("{}{suffix}", self.key),
            fault,
            remedy,
        };
        if let Some(secret) = &self.inline {
            return Ok(secret.clone());
        }
        let text = if let Some(path) = &self.file {
            std::fs::read_to_string(path).map_err(|error| {
                let remedy = "name a file that this user can read".to_owned();
                problem("_file", format!("cannot read `{}`: {error}", path.display()), remedy)
            })?
        } else {
            let name = self.env.as_deref().unwrap_or_default();
            env.raw(name).map(str::to_owned).ok_or_else(|| {
                problem(
                    "_env",
                    format!("the variable {name} is not set"),
                    format!("set {name} in the service's environment"),
                )
            })?
        };
        match text.trim() {
            "" => Err(problem("", "is empty".to_owned(), "give a value".to_owned())),
            text => Ok(text.into()),
        }
    }
}
