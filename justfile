# Thin names for what is done often; `./dev` works without just.

target := env("CARGO_TARGET_DIR", "target")

# list the recipes
default:
    @just --list

# start everything
up *args:
    ./dev up {{ args }}

# stop everything
down *args:
    ./dev down {{ args }}

# what runs
status *args:
    ./dev status {{ args }}

# everything that CI checks
test:
    ./dev test

# measure, e.g. `just bench ingest --rounds 3`
bench *args:
    ./dev bench {{ args }}

# break it, e.g. `just chaos redis-killed --runs 3`
chaos *args:
    ./dev chaos {{ args }}

# watch an outage, e.g. `just demo storm --seed 2`
demo *args:
    ./dev demo {{ args }}

# the clients of other vendors that tests use
clients:
    ./dev clients

# the tests of one crate on real servers, e.g. `just test-one tocsin-store ledger`
test-one crate *args: build
    {{ target }}/debug/tocsin-testbed with-stores -- cargo test --locked -p {{ crate }} {{ args }}

# all binaries, for tests
build:
    cargo build --workspace --bins --locked

# format the code
fmt:
    cargo fmt --all

# lints, as CI runs them
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# licences, bans and sources of dependencies
deny:
    cargo deny check licenses bans sources

# look for bodies that break a parser, e.g. `just fuzz 600 grafana` (targets: services/ingest/fuzz/fuzz_targets)
fuzz *args:
    ./dev fuzz {{ args }}

# load of senders or readers, e.g. `just k6 sustained --duration 1m`
k6 *args:
    ./dev k6 {{ args }}

# check the Kubernetes manifests and the alert rules
manifests *args:
    ./dev manifests {{ args }}
