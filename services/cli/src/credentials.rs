//! Secrets: from a file or the environment, and never from an argument, which everybody on the machine can read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use reqwest::header::HeaderValue;

use crate::failure::Failure;

/// The API's token.
pub(crate) const TOKEN: &str = "TOCSIN_TOKEN";
/// The integration key of a test alert.
pub(crate) const KEY: &str = "TOCSIN_KEY";
/// A file of this name is standard input.
const STDIN: &str = "-";

/// `Bearer …` of the secret in `file`, or else in the variable `name` or in the file that `{name}_FILE` names; none where
/// none is set.
pub(crate) fn bearer(file: Option<&Path>, name: &'static str) -> Result<Option<HeaderValue>, Failure> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    bearer_of(file, name, set(name), set(&format!("{name}_FILE")).map(PathBuf::from))
}

fn bearer_of(
    file: Option<&Path>,
    name: &'static str,
    plain: Option<OsString>,
    file_of_env: Option<PathBuf>,
) -> Result<Option<HeaderValue>, Failure> {
    let secret = match (file, plain, file_of_env) {
        (Some(path), _, _) => read(path)?,
        (None, Some(_), Some(_)) => return Err(Failure::TwoSecrets(name)),
        (None, None, Some(path)) => read(&path)?,
        (None, Some(secret), None) => secret.into_string().map_err(|_| Failure::UnusableSecret(name))?,
        (None, None, None) => return Ok(None),
    };
    let secret = secret.trim();
    let header = HeaderValue::from_str(&format!("Bearer {secret}"));
    let mut header = header.ok().filter(|_| !secret.is_empty()).ok_or(Failure::UnusableSecret(name))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new(STDIN) { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    text.map_err(|source| Failure::Secret { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: Option<&Path>, plain: Option<&str>, file_of_env: Option<&Path>) -> Result<Option<String>, Failure> {
        let found = bearer_of(file, TOKEN, plain.map(OsString::from), file_of_env.map(Path::to_owned))?;
        assert!(found.as_ref().is_none_or(HeaderValue::is_sensitive));
        Ok(found.map(|header| header.to_str().unwrap().to_owned()))
    }

    #[test]
    fn an_option_counts_before_the_environment_which_must_be_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "of-a-file\n").unwrap();
        let is = |text: &str| Some(format!("Bearer {text}"));
        assert_eq!(of(None, None, None).unwrap(), None);
        assert_eq!(of(None, Some("plain"), None).unwrap(), is("plain"));
        assert_eq!(of(None, None, Some(&path)).unwrap(), is("of-a-file"));
        assert_eq!(of(Some(&path), Some("plain"), None).unwrap(), is("of-a-file"));
        assert!(matches!(of(None, Some("plain"), Some(&path)), Err(Failure::TwoSecrets(TOKEN))));
        assert!(matches!(of(None, Some("a\nb"), None), Err(Failure::UnusableSecret(TOKEN))));
        assert!(matches!(of(None, Some(" "), None), Err(Failure::UnusableSecret(TOKEN))));
        assert!(matches!(of(Some(&folder.path().join("none")), None, None), Err(Failure::Secret { .. })));
    }
}
