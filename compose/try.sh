#!/usr/bin/env bash
# try.sh single | ha [--keep]: brings a topology up, sends a webhook, and sees the incident and the notice, and that what runs is
# guarded. In ha it then kills the primaries of Postgres and Redis, each before and after the other, while webhooks come in, and counts
# what senders were answered and what was applied. Exits with 0 if nothing was refused, lost or doubled, and everything is healthy
# again. Takes everything down at the end, data included, unless --keep.
#
# Needs images (./dev images), curl, and Docker with Compose. TOCSIN_PORT chooses the port, COMPOSE the command, FAULTS whose
# primaries are killed one after the other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly topology=${1:-}
[[ $topology == single || $topology == ha ]] || {
  echo "usage: try.sh single | ha [--keep]" >&2
  exit 2
}
readonly keep=${2:-}
export TOCSIN_PORT=${TOCSIN_PORT:-18480}
readonly url=http://127.0.0.1:$TOCSIN_PORT
# How long anything may take that is waited for, in seconds.
readonly PATIENCE=120
# How long webhooks come in around each fault, and how long the sender rests between two of them, in seconds.
readonly AROUND=8 PAUSE=0.02
read -ra faults <<<"${FAULTS:-redis postgres redis}"

read -ra compose <<<"${COMPOSE:-docker compose}"
compose+=(--project-name "tocsin-try-$topology" --file "$topology.yaml")
work=$(mktemp -d)
sender=

say() { printf '%6d s  %s\n' "$SECONDS" "$*"; }

fail() {
  say "FAILED: $*"
  exit 1
}

end() {
  local status=$?
  [[ -z $sender ]] || kill "$sender" 2>/dev/null || true
  rm -rf "$work"
  if [[ $keep != --keep ]]; then
    "${compose[@]}" down --volumes --timeout 40 >/dev/null 2>&1 || true
  fi
  exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

# until_true WHAT COMMAND…: repeats it until it succeeds.
until_true() {
  local what=$1 begun=$SECONDS
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS - begun < PATIENCE)) || fail "$what did not come about in $PATIENCE s"
    sleep 0.2
  done
}

# send NUMBER: one webhook about an alert of its own. Prints its status, its time and its number.
send() {
  curl --silent --output /dev/null --max-time 10 --write-out "%{http_code} %{time_total} $1\n" \
    --header 'Content-Type: application/json' \
    --data "{\"title\":\"try $1\",\"severity\":\"critical\",\"labels\":{\"alertname\":\"Try\",\"number\":\"$1\"}}" \
    "$url/api/v1/webhooks/generic/$key" || true
}

get() {
  curl --silent --fail --max-time 10 --header "Authorization: Bearer $token" "$url$1"
}

alert_count() {
  get "/api/v1/alerts?limit=1" | sed -n 's/.*"total":\([0-9]*\).*/\1/p'
}

has_alerts() { [[ $(alert_count) == "$1" ]]; }

# has_between LEAST MOST: what was accepted is there; what was refused may be, since a refusal promises nothing.
has_between() {
  local count
  count=$(alert_count)
  ((count >= $1 && count <= $2))
}
was_told() { get /api/v1/incidents/1/notifications | grep -q '"status":"delivered"'; }
inbox_has() { "${compose[@]}" logs inbox 2>/dev/null | grep -q 'try 1'; }
accepts() { [[ $(send 1) == 200* ]]; }

# each FORMAT: what Docker says of every container.
each() {
  local containers
  mapfile -t containers < <("${compose[@]}" ps --all --quiet)
  docker inspect --format "{{.Name}} $1" "${containers[@]}"
}

# Whether each container is guarded as compose/README.md says.
all_guarded() {
  local guarded
  guarded=$(each 'user={{.Config.User}} read-only={{.HostConfig.ReadonlyRootfs}} caps={{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} memory={{.HostConfig.Memory}} cpus={{.HostConfig.NanoCpus}} pids={{.HostConfig.PidsLimit}}') &&
    ! grep -vE ' user=[^ ]+ read-only=true caps=\[ALL\] \[no-new-privileges:true\] memory=[1-9][0-9]* cpus=[1-9][0-9]* pids=[1-9][0-9]*$' <<<"$guarded" &&
    ! grep -E ' user=(0|root)[ :]' <<<"$guarded"
}

# Whoever runs is healthy, if he is ever asked; who ran once ended well.
all_healthy() {
  local health
  health=$(each '{{.State.Status}}/{{.State.ExitCode}} {{if index .State "Health"}}{{.State.Health.Status}}{{else}}-{{end}}') &&
    ! grep -vE ' (running/0 (healthy|-)|exited/0 -)$' <<<"$health"
}

redis_primary() {
  local answer
  # shellcheck disable=SC2016 # The password is read in the container.
  answer=$("${compose[@]}" exec -T sentinel-1 sh -c \
    'REDISCLI_AUTH=$(cat /run/secrets/sentinel-password) redis-cli -p 26379 --raw sentinel get-master-addr-by-name tocsin')
  echo "redis-${answer:9:1}"
}

postgres_primary() {
  local number
  for number in 1 2 3; do
    if "${compose[@]}" exec -T "postgres-$number" answers-200 8008 /primary 2>/dev/null; then
      echo "postgres-$number"
      return
    fi
  done
  return 1
}

another_leads() { # another_leads FUNCTION OLD
  local now
  now=$("$1") && [[ $now != "$2" ]]
}

# lose FUNCTION: kills whoever leads, waits until another does, and brings it back.
lose() {
  local primary
  primary=$("$1")
  sleep "$AROUND"
  say "killing $primary, which leads"
  "${compose[@]}" kill --signal KILL "$primary" >/dev/null 2>&1
  until_true "another leader than $primary" another_leads "$1" "$primary"
  say "$("$1") leads now"
  sleep "$AROUND"
  "${compose[@]}" start "$primary" >/dev/null 2>&1
  until_true "every container healthy" all_healthy
  sleep "$AROUND"
}

./secrets.sh "$topology"
key=$(cat "secrets/$topology/integration-key")
token=$(cat "secrets/$topology/api-token")
say "starting"
"${compose[@]}" up --detach --no-build >"$work/up" 2>&1 || {
  tail -n 20 "$work/up"
  fail "it did not come up"
}
until_true "an accepted webhook" accepts
say "a webhook was accepted"
until_true "an incident" has_alerts 1
say "its incident is shown"
until_true "a delivered notice" was_told
until_true "the notice in the inbox" inbox_has
say "its notice was delivered"
until_true "every container healthy" all_healthy
all_guarded || fail "not guarded"
say "$(each '' | wc -l) containers: none is root, all are read-only, without capabilities and bounded; all are healthy"

if [[ $topology == ha ]]; then
  (
    number=1
    until [[ -e $work/stop ]]; do
      number=$((number + 1))
      send "$number" >>"$work/answers"
      sleep "$PAUSE"
    done
  ) &
  sender=$!
  for fault in "${faults[@]}"; do
    lose "${fault}_primary"
  done
  # Not killed: its last webhook would be answered and not counted.
  touch "$work/stop"
  wait "$sender"
  sender=
  sent=$(wc -l <"$work/answers")
  accepted=$(grep -c '^200 ' "$work/answers")
  slowest=$(cut -d' ' -f2 "$work/answers" | sort -n | tail -n 1)
  p99=$(cut -d' ' -f2 "$work/answers" | sort -n | sed -n "$((sent * 99 / 100))p")
  say "$sent webhooks meanwhile: $accepted accepted, p99 $p99 s, slowest $slowest s"
  grep -v '^200 ' "$work/answers" | head -n 5 || true
  until_true "every accepted alert ($((accepted + 1)))" has_between "$((accepted + 1))" "$((sent + 1))"
  say "each of them was applied, once: $(alert_count) alerts"
  ((sent == accepted)) || fail "$((sent - accepted)) webhooks were refused"
fi

"${compose[@]}" run --rm --no-deps -T migrate verify 2>/dev/null || fail "the state is not as it must be"
say "passed"
