//! Secrets that the file names: in place, in a file of their own, or in an environment variable.

use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use url::Url;

use super::{Environment, Problem, is_encrypted_or_near};

/// How a secret of Standard Webhooks begins.
const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
/// Base64 whose padding may have been lost on the way.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The SHA-256 of nothing, which is what a command makes of a variable that is not set.
const SHA256_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

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

    /// What `tocsin.yaml` alone shows to be wrong with a secret that will be read by `read`. A secret that stands in a
    /// file or a variable is not looked at: those belong to the service that uses it.
    pub fn fault_in_place<T>(&self, read: impl Fn(&Self, &Environment) -> Result<T, Problem>) -> Option<Problem> {
        self.fault().or_else(|| self.inline.as_ref().and_then(|_| read(self, &Environment::default()).err()))
    }

    /// The secret, with white space around it removed. It is never empty.
    pub fn resolve(&self, env: &Environment) -> Result<SecretString, Problem> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let problem = |suffix: &str, fault: String, remedy: String| Problem {
            key: format!("{}{suffix}", self.key),
            fault,
            remedy,
        };
        let text = if let Some(secret) = &self.inline {
            secret.clone()
        } else if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let remedy = "name a file that this user can read".to_owned();
                problem("_file", format!("cannot read `{}`: {error}", path.display()), remedy)
            })?;
            text.into()
        } else {
            let name = self.env.as_deref().unwrap_or_default();
            let text = env.raw(name).ok_or_else(|| {
                problem(
                    "_env",
                    format!("the variable {name} is not set"),
                    format!("set {name} in the service's environment"),
                )
            })?;
            text.into()
        };
        match text.expose_secret().trim() {
            "" => Err(problem("", "is empty".to_owned(), "give a value".to_owned())),
            text => Ok(text.into()),
        }
    }

    /// Whether there is one at all, for a secret that may be left out.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.inline.is_some() || self.file.is_some() || self.env.is_some()
    }

    /// The address of something that speaks HTTP: with TLS, unless it is on this machine or `allows_plain`.
    pub fn http_address(&self, env: &Environment, allows_plain: bool) -> Result<SecretString, Problem> {
        let address = self.resolve(env)?;
        let url = Url::parse(address.expose_secret()).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        match url {
            Some(url) if allows_plain || is_encrypted_or_near(&url) => Ok(address),
            Some(_) => Err(Problem::new(&self.key, "is not an https address", "use https, so that nobody reads along")),
            None => {
                Err(Problem::new(&self.key, "is not an http(s) address", "give the whole address, from https:// on"))
            }
        }
    }

    /// A SHA-256, of which the secret is the 64 hexadecimal digits.
    pub fn sha256(&self, env: &Environment) -> Result<[u8; 32], Problem> {
        let digits = self.resolve(env)?;
        let mut sha256 = [0; 32];
        if hex::decode_to_slice(digits.expose_secret(), &mut sha256).is_err() {
            let remedy = "make it with: printf %s \"$TOKEN\" | sha256sum";
            return Err(Problem::new(&self.key, "is not 64 hexadecimal digits", remedy));
        }
        if sha256 == SHA256_OF_NOTHING {
            return Err(Problem::new(&self.key, "is the hash of an empty text", "hash the token or key itself"));
        }
        Ok(sha256)
    }

    /// The key of a Standard Webhooks secret (<https://www.standardwebhooks.com>): `whsec_`, and base64 of 24 to 64
    /// bytes.
    pub fn standard_webhooks_key(&self, env: &Environment) -> Result<SecretSlice<u8>, Problem> {
        let secret = self.resolve(env)?;
        let encoded = secret.expose_secret().strip_prefix(WEBHOOK_SECRET_PREFIX);
        encoded
            .and_then(|encoded| BASE64.decode(encoded).ok())
            .filter(|key| (24..=64).contains(&key.len()))
            .map(SecretSlice::from)
            .ok_or_else(|| {
                let remedy = "make it with: echo \"whsec_$(openssl rand -base64 32)\"";
                Problem::new(&self.key, "is not whsec_ and base64 of 24 to 64 bytes", remedy)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(text: &str) -> SecretSource {
        SecretSource { key: "x".to_owned(), inline: Some(text.into()), file: None, env: None }
    }

    fn fault<T>(read: Result<T, Problem>) -> String {
        read.err().map(|problem| format!("{}: {}", problem.key, problem.fault)).unwrap_or_default()
    }

    #[test]
    fn a_secret_is_never_empty_wherever_it_stands() {
        let env = Environment::from_values([("EMPTY", " \n")]);
        let variable = SecretSource { key: "x".to_owned(), inline: None, file: None, env: Some("EMPTY".to_owned()) };
        assert_eq!(fault(inline(" ").resolve(&env)), "x: is empty");
        assert_eq!(fault(variable.resolve(&env)), "x: is empty");
        assert_eq!(inline(" s ").resolve(&env).unwrap().expose_secret(), "s");
    }

    #[test]
    fn a_hash_is_64_digits_and_not_that_of_nothing() {
        let env = Environment::default();
        assert_eq!(inline(&"0A".repeat(32)).sha256(&env).unwrap(), [10; 32]);
        for wrong in ["", "0a", "é", &"0a".repeat(33), &"0g".repeat(32), &hex::encode(SHA256_OF_NOTHING)] {
            assert!(inline(wrong).sha256(&env).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_standard_webhooks_secret_has_its_prefix_and_its_length() {
        let env = Environment::default();
        let key = |text: &str| inline(text).standard_webhooks_key(&env).map(|key| key.expose_secret().to_vec());
        assert_eq!(key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap().len(), 24);
        let unpadded = format!("whsec_{}", "A".repeat(43));
        assert_eq!(key(&unpadded).unwrap(), [0; 32]);
        assert_eq!(key(&format!("{unpadded}=")).unwrap(), [0; 32]);
        for wrong in ["whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", &format!("whsec_{}", "A".repeat(88))]
        {
            let error = key(wrong).unwrap_err();
            assert!(!format!("{error:?}").contains("MfKQ"), "the value is not repeated");
        }
    }

    #[test]
    fn only_what_stands_in_the_file_is_judged_by_the_file_alone() {
        let file = SecretSource { inline: None, file: Some("/nonexistent".into()), ..inline("") };
        assert_eq!(file.fault_in_place(SecretSource::sha256), None);
        assert!(inline("nonsense").fault_in_place(SecretSource::sha256).is_some());
    }
}
