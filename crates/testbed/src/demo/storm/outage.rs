//! What happens: who alerts, from when until when, and which webhooks tell of it.
//!
//! Time is a share of the whole: 0 when the database fails, 1 when the last webhook is sent.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tocsin_shared::{AlertSeverity, AlertStatus};

/// The database that fails.
pub(super) const DATABASE: &str = "orders-db";
/// When it is back.
const RECOVERY: f64 = 0.7;
/// Until when it is said to be down: so long that what depends on it has recovered (Prometheus' `keep_firing_for`).
const KEPT_FIRING_UNTIL: f64 = 0.96;
/// Services of which the error rate goes up and down.
const FLAPPING: usize = 10;
/// How often it goes up.
const SPELLS: usize = 6;
/// No repeat is sent so shortly before an alert recovers: it might arrive after that.
const MARGIN: f64 = 0.02;

/// The services that need the database.
const SERVICES: [&str; 40] = [
    "accounts",
    "addresses",
    "analytics",
    "auth",
    "basket",
    "billing",
    "bundles",
    "catalog",
    "checkout",
    "coupons",
    "customers",
    "delivery",
    "discounts",
    "exports",
    "fraud",
    "fulfilment",
    "gateway",
    "gifts",
    "history",
    "imports",
    "inventory",
    "invoices",
    "ledger",
    "loyalty",
    "mailing",
    "orders",
    "payments",
    "pricing",
    "profiles",
    "ratings",
    "receipts",
    "refunds",
    "returns",
    "reviews",
    "search",
    "shipping",
    "stock",
    "subscriptions",
    "taxes",
    "wishlist",
];

/// Who tells of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Prometheus,
    Grafana,
    Datadog,
    Generic,
}

impl Sender {
    pub(super) const ALL: [Self; 4] = [Self::Prometheus, Self::Grafana, Self::Datadog, Self::Generic];

    /// The last segment of its webhook's path.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Grafana => "grafana",
            Self::Datadog => "datadog",
            Self::Generic => "generic",
        }
    }

    /// The variable in which `tocsin.yaml` expects the hash of its key.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Prometheus => "STORM_PROMETHEUS_SHA256",
            Self::Grafana => "STORM_GRAFANA_SHA256",
            Self::Datadog => "STORM_DATADOG_SHA256",
            Self::Generic => "STORM_GENERIC_SHA256",
        }
    }
}

/// A time in which an alert fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spell {
    pub(super) from: f64,
    pub(super) until: f64,
}

/// An alert, and when it fires.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    pub(super) sender: Sender,
    pub(super) cluster: &'static str,
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    pub(super) severity: AlertSeverity,
    spells: Vec<Spell>,
}

impl Alert {
    /// Whether its service needs the database.
    pub(super) fn depends_on_database(&self) -> bool {
        SERVICES.contains(&self.service)
    }

    /// The spell that it is in, or was in last, at a time; `None` before the first.
    fn last_spell(&self, at: f64) -> Option<Spell> {
        self.spells.iter().copied().take_while(|spell| spell.from <= at).last()
    }
}

/// What one webhook says of one alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// Which alert: a place in [`Outage::alerts`].
    pub(super) alert: usize,
    pub(super) status: AlertStatus,
    pub(super) spell: Spell,
    /// When it is said.
    pub(super) at: f64,
}

/// All that happens.
#[derive(Debug, PartialEq)]
pub(super) struct Outage {
    pub(super) alerts: Vec<Alert>,
}

impl Outage {
    /// The outage of this seed.
    pub(super) fn new(seed: u64) -> Self {
        use AlertSeverity::{Critical, Warning};
        let mut rng = StdRng::seed_from_u64(seed);
        let mut alerts = Vec::new();
        let mut alert = |sender, cluster, service, name, severity, spells| {
            alerts.push(Alert { sender, cluster, service, name, severity, spells });
        };
        let down = |from| vec![Spell { from, until: RECOVERY }];
        let kept = vec![Spell { from: 0.0, until: KEPT_FIRING_UNTIL }];
        alert(Sender::Prometheus, "prod", DATABASE, "DatabaseDown", Critical, kept);
        alert(Sender::Datadog, "prod", DATABASE, "No connection to the database", Critical, down(0.01));
        alert(Sender::Prometheus, "prod", DATABASE, "ReplicationBroken", Warning, down(0.015));
        for (number, service) in SERVICES.into_iter().enumerate() {
            let mut spell = |from, until| Spell { from: rng.random_range(from), until: rng.random_range(until) };
            let errors = spell(0.04..0.25, 0.74..0.9);
            let errors = if number < FLAPPING { pieces(errors) } else { vec![errors] };
            alert(Sender::Prometheus, "prod", service, "HighErrorRate", Critical, errors);
            let slow = spell(0.02..0.2, 0.75..0.95);
            alert(Sender::Prometheus, "prod", service, "HighRequestLatency", Warning, vec![slow]);
            let pool = spell(0.02..0.1, 0.71..0.8);
            alert(Sender::Grafana, "prod", service, "Connection pool is exhausted", Warning, vec![pool]);
            let budget = spell(0.05..0.3, 0.75..0.95);
            alert(Sender::Datadog, "prod", service, "Error budget is burning", Critical, vec![budget]);
            if number % 4 == 0 {
                let queue = spell(0.1..0.3, 0.8..0.95);
                alert(Sender::Generic, "prod", service, "Queue is growing", Warning, vec![queue]);
            }
        }
        // Has nothing to do with it.
        let disk = vec![Spell { from: 0.4, until: 0.98 }];
        alert(Sender::Prometheus, "tools", "build-server", "DiskAlmostFull", Warning, disk);
        Self { alerts }
    }

    /// So many webhooks: one for each change, and between them repeats of what is the case.
    pub(super) fn webhooks(&self, count: u32, seed: u64) -> Vec<Vec<Told>> {
        let mut rng = StdRng::seed_from_u64(seed);
        let changes = self.changes();
        let mut changes = changes.iter().peekable();
        let slots = (0..count).map(|slot| f64::from(slot) / f64::from(count));
        slots
            .map(|at| {
                let change = changes.next_if(|change| change.at <= at).copied();
                self.group(change.unwrap_or_else(|| self.repeat(at, &mut rng)), at)
            })
            .collect()
    }

    /// Everything that begins or ends, in order.
    fn changes(&self) -> Vec<Told> {
        use AlertStatus::{Firing, Resolved};
        let spells = self.alerts.iter().enumerate().flat_map(|(alert, known)| {
            known.spells.iter().flat_map(move |&spell| {
                [(Firing, spell.from), (Resolved, spell.until)].map(|(status, at)| Told { alert, status, spell, at })
            })
        });
        let mut changes: Vec<_> = spells.collect();
        changes.sort_by(|one, other| one.at.total_cmp(&other.at));
        changes
    }

    /// Somebody says again what he has said: that an alert fires, or when none is left that one is over.
    fn repeat(&self, at: f64, rng: &mut StdRng) -> Told {
        let told = |alert, status| move |spell| Told { alert, status, spell, at };
        let known = || self.alerts.iter().enumerate().filter_map(|(alert, known)| Some((alert, known.last_spell(at)?)));
        let firing: Vec<_> = known()
            .filter(|(_, spell)| at < spell.until - MARGIN)
            .map(|(alert, spell)| told(alert, AlertStatus::Firing)(spell))
            .collect();
        let over = known().filter(|(_, spell)| spell.until < at - MARGIN);
        let over = || over.map(|(alert, spell)| told(alert, AlertStatus::Resolved)(spell)).collect::<Vec<_>>();
        let choice = firing.choose(rng).copied().or_else(|| over().choose(rng).copied());
        // At the very beginning there is the failure itself.
        choice.unwrap_or_else(|| told(0, AlertStatus::Firing)(self.alerts[0].spells[0]))
    }

    /// Alertmanager and Grafana tell of all alerts of a group at a time: those that fire beside the one that is told of.
    fn group(&self, told: Told, at: f64) -> Vec<Told> {
        let Alert { sender, service, .. } = self.alerts[told.alert];
        let mut group = vec![told];
        if matches!(sender, Sender::Prometheus | Sender::Grafana) {
            let beside =
                self.alerts.iter().enumerate().filter(|(alert, beside)| {
                    *alert != told.alert && (beside.sender, beside.service) == (sender, service)
                });
            group.extend(beside.filter_map(|(alert, beside)| {
                let spell = beside.last_spell(at).filter(|spell| at < spell.until)?;
                Some(Told { alert, status: AlertStatus::Firing, spell, at })
            }));
        }
        group
    }
}

/// A spell with breaks.
fn pieces(whole: Spell) -> Vec<Spell> {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let piece = |number: usize| whole.from + (whole.until - whole.from) * number as f64 / SPELLS as f64;
    (0..SPELLS)
        .map(|number| {
            let (from, next) = (piece(number), piece(number + 1));
            let until = if number + 1 == SPELLS { next } else { f64::midpoint(from, next) };
            Spell { from, until }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::MIN_WEBHOOKS;
    use super::*;

    #[test]
    fn a_seed_gives_one_storm() {
        assert_eq!(Outage::new(1), Outage::new(1));
        assert_ne!(Outage::new(1), Outage::new(2));
        assert_eq!(Outage::new(1).webhooks(2_000, 1), Outage::new(1).webhooks(2_000, 1));
    }

    #[test]
    fn every_change_is_told_when_it_has_happened_and_in_the_end_nothing_fires() {
        for seed in 0..3 {
            let outage = Outage::new(seed);
            let webhooks = outage.webhooks(MIN_WEBHOOKS, seed);
            assert_eq!(webhooks.len(), MIN_WEBHOOKS as usize);
            for (number, change) in outage.changes().into_iter().enumerate() {
                assert!(webhooks.iter().any(|told| told[0] == change), "seed {seed}: change {number} is told");
            }
            for alert in 0..outage.alerts.len() {
                let told = webhooks.iter().flatten().filter(|told| told.alert == alert);
                let last = told.max_by(|one, other| one.at.total_cmp(&other.at)).map(|told| told.status);
                assert_eq!(last, Some(AlertStatus::Resolved), "seed {seed}: {:?}", outage.alerts[alert]);
            }
        }
    }
}
