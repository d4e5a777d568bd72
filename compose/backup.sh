#!/usr/bin/env bash
# backup.sh take FOLDER: copies what the running single topology keeps into FOLDER, without stopping anything.
# backup.sh restore FOLDER: puts it back. What the topology holds is deleted first; it must be told so: TOCSIN_RESTORE=yes.
#
# Redis is copied before Postgres, so that what was accepted is in one of them: what has been applied meanwhile is in both, is
# read again after the restoring, and is recognised (promise 3). The other way round it could be in neither.
set -euo pipefail

action=${1:-}
folder=$(realpath -m "${2:-.}")
readonly action folder
cd "$(dirname "${BASH_SOURCE[0]}")"
read -ra compose <<<"${COMPOSE:-docker compose}"
compose+=(--project-name "${TOCSIN_PROJECT:-compose}" --file single.yaml)

redis() {
  # shellcheck disable=SC2016 # The password is read in the container.
  "${compose[@]}" exec -T redis sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis-admin) exec redis-cli --user admin --raw "$@"' - "$@" \
    </dev/null
}

redis_rewrites() { redis info persistence | grep -q 'aof_rewrite_in_progress:1'; }

# The append-only file, while it is not being rewritten. Its end may be cut off within a command, which Redis forgives when it loads.
take_redis() {
  # shellcheck disable=SC2016 # The password is read in the container.
  local status=0 percentage
  percentage=$(redis config get auto-aof-rewrite-percentage | tail -n 1)
  redis config set auto-aof-rewrite-percentage 0 >/dev/null
  while redis_rewrites; do sleep 0.2; done
  "${compose[@]}" exec -T redis tar --create --directory /data --warning no-file-changed appendonlydir \
    >"$folder/redis.tar" </dev/null || status=$?
  redis config set auto-aof-rewrite-percentage "$percentage" >/dev/null
  # 1: a file grew while it was read.
  ((status <= 1)) || return "$status"
}

take_postgres() {
  "${compose[@]}" exec -T postgres pg_dump --host=/tmp --username=postgres --format=custom tocsin >"$folder/postgres.dump" </dev/null
}

restore() {
  "${compose[@]}" down --volumes --timeout 40
  "${compose[@]}" run --rm --no-deps -T --entrypoint tar redis --extract --directory /data <"$folder/redis.tar"
  # The database and its roles are made as at a first start; then it is filled.
  "${compose[@]}" run --rm -T prepare </dev/null
  "${compose[@]}" exec -T postgres pg_restore --host=/tmp --username=postgres --exit-on-error --single-transaction \
    --dbname=tocsin <"$folder/postgres.dump"
  "${compose[@]}" up --detach --no-build
}

case "$action" in
  take | take-redis | take-postgres)
    umask 077
    mkdir -p "$folder"
    [[ $action == take-postgres ]] || take_redis
    [[ $action == take-redis ]] || take_postgres
    ls -l "$folder"
    ;;
  restore)
    [[ ${TOCSIN_RESTORE:-} == yes ]] || {
      echo "this deletes what is there now; say TOCSIN_RESTORE=yes" >&2
      exit 2
    }
    [[ -s $folder/redis.tar && -s $folder/postgres.dump ]] || {
      echo "$folder holds no whole backup" >&2
      exit 2
    }
    restore
    ;;
  *)
    echo "usage: backup.sh take | restore FOLDER" >&2
    exit 2
    ;;
esac
