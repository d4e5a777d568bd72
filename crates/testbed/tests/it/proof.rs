//! What Tocsin as a whole promises, proved on the real services.

mod bad_input;
mod commands;
mod dead_letters;
mod engine_concurrency;
mod escalation;
mod exactly_once;
mod flood;
mod inbox;
mod kill_points;
mod least_privilege;
mod live;
mod notify_isolation;
mod notify_loss;
mod outage;
mod payloads;
mod peer_routing;
mod real_clients;
mod real_input;
mod redrive;
mod rolling_restart;
mod shutdown;
mod slack_buttons;
mod slow_clients;
mod store_loss;
mod system;
mod verify;
