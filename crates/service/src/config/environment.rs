//! The environment, as a set of declared variables whose faults are collected.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ConfigError, Problem, Setting};

/// One environment variable: the single place for its name, default and meaning.
#[derive(Debug, Clone, Copy)]
pub struct Variable<T> {
    name: &'static str,
    default: fn() -> T,
    help: &'static str,
}

impl<T> Variable<T> {
    /// Declares a variable.
    pub const fn new(name: &'static str, default: fn() -> T, help: &'static str) -> Self {
        Self { name, default, help }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What `--help` says of a variable.
pub trait Documented: Sync {
    /// Name, default, meaning.
    fn row(&self) -> (&'static str, String, &'static str);
}

impl<T: Setting> Documented for Variable<T> {
    fn row(&self) -> (&'static str, String, &'static str) {
        (self.name, (self.default)().show(), self.help)
    }
}

/// The section of `--help` that lists variables.
#[must_use]
pub fn help_table(variables: &[&[&dyn Documented]]) -> String {
    let mut text = String::from("Environment:\n");
    for variable in variables.iter().copied().flatten() {
        let (name, default, help) = variable.row();
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {name}\n          {help} [default: {default}]");
    }
    text
}

/// The environment of one process, and the faults found in it so far.
#[derive(Debug, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_values(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// An environment with just these variables.
    pub fn from_values<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, problems: Vec::new() }
    }

    /// The value of a variable, or its default when it is unset. A fault is noted, and the default stands in for the
    /// value until [`Environment::finish`] reports it.
    pub fn get<T: Setting>(&mut self, variable: &Variable<T>) -> T {
        let Some(text) = self.text(variable.name, T::SECRET) else {
            return (variable.default)();
        };
        if let Some(value) = T::parse(text.trim()) {
            return value;
        }
        let fault = if T::SECRET { "cannot be read".to_owned() } else { format!("`{text}` cannot be read") };
        self.fault(variable.name, fault, format!("use {}", T::EXPECTS));
        (variable.default)()
    }

    /// The raw value of a variable that the configuration file names.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Notes a fault in `variable` unless `holds`.
    pub fn check<T: Setting>(&mut self, holds: bool, variable: &Variable<T>, remedy: &str) {
        if !holds {
            let fault = match self.raw(variable.name) {
                Some(text) if !T::SECRET => format!("`{text}` is out of bounds"),
                _ => "is out of bounds".to_owned(),
            };
            self.fault(variable.name, fault, remedy);
        }
    }

    /// Notes a fault.
    pub fn fault(&mut self, key: impl Into<String>, fault: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem { key: key.into(), fault: fault.into(), remedy: remedy.into() });
    }

    /// The value of what was read elsewhere. Its faults are noted here, and the default stands in for it.
    pub fn keep<T: Default>(&mut self, read: Result<T, ConfigError>) -> T {
        read.unwrap_or_else(|error| {
            self.problems.extend(error.problems);
            T::default()
        })
    }

    /// Everything that is wrong, at once, if anything is.
    pub fn finish(&mut self) -> Result<(), ConfigError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems: std::mem::take(&mut self.problems) })
        }
    }

    fn text(&mut self, name: &'static str, secret: bool) -> Option<String> {
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        let file_variable = format!("{name}_FILE");
        let path = secret.then(|| self.values.get(&file_variable).cloned()).flatten()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end().to_owned()),
            Err(error) => {
                self.fault(
                    file_variable,
                    format!("cannot read `{path}`: {error}"),
                    "name a file that this user can read",
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use secrecy::{ExposeSecret, SecretString};

    use super::*;

    const WAIT: Variable<Duration> = Variable::new("TOCSIN_WAIT", || Duration::from_secs(1), "how long to wait");
    const COUNT: Variable<usize> = Variable::new("TOCSIN_COUNT", || 3, "how many");
    const KEY: Variable<SecretString> = Variable::new("TOCSIN_KEY", || "default".into(), "a secret");

    #[test]
    fn an_unset_variable_has_its_default() {
        let mut env = Environment::from_values::<&str, &str>([]);
        assert_eq!((env.get(&WAIT), env.get(&COUNT)), (Duration::from_secs(1), 3));
        assert_eq!(env.finish(), Ok(()));
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_key_and_remedy() {
        let mut env = Environment::from_values([("TOCSIN_WAIT", "soon"), ("TOCSIN_COUNT", "-1")]);
        env.get(&WAIT);
        env.get(&COUNT);
        insta::assert_snapshot!(env.finish().unwrap_err());
    }

    #[test]
    fn a_secret_may_come_from_a_file_and_is_never_shown() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "hunter2").unwrap();
        let mut env = Environment::from_values([("TOCSIN_KEY_FILE", file.path().to_str().unwrap())]);
        let secret = env.get(&KEY);
        assert_eq!(secret.expose_secret(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));

        let mut env = Environment::from_values([("TOCSIN_KEY_FILE", "/nonexistent")]);
        env.get(&KEY);
        assert_eq!(env.finish().unwrap_err().problems[0].key, "TOCSIN_KEY_FILE");
    }

    #[test]
    fn help_tells_name_default_and_meaning() {
        let help = help_table(&[&[&WAIT, &COUNT]]);
        assert!(help.contains("TOCSIN_WAIT\n          how long to wait [default: 1s]"), "{help}");
    }
}
