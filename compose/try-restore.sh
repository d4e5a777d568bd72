#!/usr/bin/env bash
# try-restore.sh: backs the single topology up, loses it, restores it, and compares. The backup is of the worst kind: Redis was
# copied while deliveries waited, and Postgres after they had been applied, so that all of them come a second time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export TOCSIN_PORT=${TOCSIN_PORT:-18482} TOCSIN_PROJECT=tocsin-try-restore
# All through Redis, however busy this machine is: what went to the inbox would not come a second time.
export TOCSIN_INGEST_COMMIT_TIMEOUT=10s
readonly url=http://127.0.0.1:$TOCSIN_PORT WEBHOOKS=200 PATIENCE=90
read -ra compose <<<"${COMPOSE:-docker compose}"
compose+=(--project-name "$TOCSIN_PROJECT" --file single.yaml)
work=$(mktemp -d)

end() {
  local status=$?
  "${compose[@]}" down --volumes --timeout 40 >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

say() { printf '%6d s  %s\n' "$SECONDS" "$*"; }
sql() { "${compose[@]}" exec -T postgres psql --host=/tmp --username=postgres --no-psqlrc --tuples-only --no-align tocsin --command "$1" </dev/null; }
until_true() {
  local begun=$SECONDS
  until "$@" >/dev/null 2>&1; do
    ((SECONDS - begun < PATIENCE)) || { say "FAILED: $* did not come about"; exit 1; }
    sleep 0.3
  done
}
send() {
  curl --silent --fail --output /dev/null --header 'Content-Type: application/json' \
    --data "{\"title\":\"try $1\",\"severity\":\"critical\",\"labels\":{\"alertname\":\"Try$1\"}}" "$url/api/v1/webhooks/generic/$key"
}
all_applied() { [[ $(sql 'SELECT count(*) FROM alerts') == "$((WEBHOOKS + 1))" ]]; }
all_told() { [[ $(sql "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')") == 0 ]]; }
state() {
  sql "SELECT (SELECT count(*) FROM alerts), (SELECT sum(occurrences) FROM alerts), (SELECT count(*) FROM incidents),
       (SELECT count(*) FROM timeline), (SELECT count(*) FROM event_ids), (SELECT count(*) FROM notifications)"
}
metric() { "${compose[@]}" exec -T worker bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3' </dev/null | grep "^$1" | cut -d' ' -f2; }
repeated() { (($(metric 'tocsin_worker_deliveries_total{path="stream",outcome="repeated"}') >= WEBHOOKS)); }

./secrets.sh single
key=$(cat secrets/single/integration-key)
"${compose[@]}" up --detach --no-build >/dev/null 2>&1
until_true send 0
"${compose[@]}" stop worker >/dev/null 2>&1
for number in $(seq "$WEBHOOKS"); do send "$number"; done
say "$WEBHOOKS webhooks accepted, and none applied"
./backup.sh take-redis "$work" >/dev/null
"${compose[@]}" start worker >/dev/null 2>&1
until_true all_applied
until_true all_told
./backup.sh take-postgres "$work"
before=$(state)
say "backed up: alerts|occurrences|incidents|timeline|event ids|notices $before"
TOCSIN_RESTORE=yes ./backup.sh restore "$work" >"$work/log" 2>&1 || {
  tail -n 20 "$work/log"
  exit 1
}
say "lost and restored"
until_true repeated
after=$(state)
say "all $WEBHOOKS came again and were recognised: $after"
"${compose[@]}" run --rm --no-deps -T migrate verify </dev/null 2>/dev/null
[[ $before == "$after" ]] || { say "FAILED: the state differs"; exit 1; }
until_true send 1001
say "and it accepts; passed"
