//! Whether what a topology has in its database is as it must be.

use std::time::Duration;

use super::{Service, Topology};
use crate::command::Run;
use crate::{Result, programs};

/// How long reading every table once may take.
const VERIFY_DEADLINE: Duration = Duration::from_mins(2);

impl Topology {
    /// Asks `tocsin-worker verify`, with the worker's own role, which may do so at any moment.
    ///
    /// # Errors
    /// [`TestbedError::CommandFailed`](crate::TestbedError::CommandFailed) with what it found when the state breaks an
    /// invariant.
    pub async fn verify(&self) -> Result<()> {
        Run::new(programs::service(Service::Worker)?)
            .args(["verify"])
            .scrub_env()
            .env("TOCSIN_DATABASE_URL", self.tenant().database_url_for(Service::Worker))
            .output(VERIFY_DEADLINE)
            .await?;
        Ok(())
    }
}
