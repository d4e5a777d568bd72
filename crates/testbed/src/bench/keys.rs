//! The integration that a bench sends as, with a limit that it cannot reach.

use sha2::{Digest, Sha256};

/// A million requests per second, which nobody sends.
const NO_LIMIT_PER_MINUTE: u32 = 60_000_000;

/// A `tocsin.yaml` with an integration that has `key` and all but no limit. No receiver: nobody is told of anything.
pub(super) fn config(key: &str) -> String {
    let sha256 = hex::encode(Sha256::digest(key));
    format!(
        "integrations: [{{name: bench, keys: [{{sha256: {sha256}}}], \
         limit: {{per_minute: {NO_LIMIT_PER_MINUTE}, over_limit: reject}}}}]\n"
    )
}
