#!/usr/bin/env bash
# secrets.sh single | ha: makes the secrets of a topology in compose/secrets/TOPOLOGY, one file each, where they are missing.
# Safe to run again: what is there stays, and what follows from it (addresses, hashes) is written anew. To rotate one, delete
# its file, run this, and follow docs/OPERATIONS.md.
set -euo pipefail

topology=${1:-}
case "$topology" in
  single)
    database=postgres:5432 replica='' redis=redis:6379
    ;;
  ha)
    database=haproxy:5432 replica=haproxy:5433 redis=10.78.0.21:6379
    ;;
  *)
    echo "usage: secrets.sh single | ha" >&2
    exit 2
    ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")"
readonly ACL=../crates/bus/users.acl
readonly SERVICES=(ingest worker notifier api)
folder=secrets/$topology

# The folder is closed to everybody else on this machine. The files are not: the users of the containers must read them, and
# compose mounts them with the rights that they have here.
umask 022
mkdir -p "$folder"
chmod 700 secrets "$folder"
cd "$folder"
acl=../../$ACL

# random BYTES: in hex, from the kernel.
random() {
  od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

# keep NAME VALUE: writes it unless it is there.
keep() {
  [[ -s $1 ]] || put "$1" "$2"
}

# put NAME VALUE: whole or not at all; an unchanged file is left alone, since containers have it mounted.
put() {
  if [[ ! -e $1 ]] || [[ $(cat "$1") != "$2" ]]; then
    printf '%s\n' "$2" >"$1.new"
    mv "$1.new" "$1"
  fi
}

sha256_of() {
  tr -d '\n' <"$1" | sha256sum | cut -d' ' -f1
}

for name in superuser owner replication "${SERVICES[@]}"; do
  keep "postgres-$name" "$(random 24)"
done
for name in admin replica sentinel "${SERVICES[@]}"; do
  keep "redis-$name" "$(random 24)"
done

# Users of Redis: those that are shipped with a password each, and what replicas and Sentinels need.
users=$(cat "$acl")
for name in admin "${SERVICES[@]}"; do
  users=${users/"user $name on resetpass"/"user $name on #$(sha256_of "redis-$name")"}
done
if [[ $topology == ha ]]; then
  # At the Sentinels: of themselves and their administrator, and of whoever asks them who leads.
  keep sentinel-password "$(random 24)"
  keep sentinel-services "$(random 24)"
  users+="
user replica on #$(sha256_of redis-replica) +psync +replconf +ping
user sentinel on #$(sha256_of redis-sentinel) allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill"
fi
put users.acl "$users"

put database-url-owner "postgres://tocsin:$(cat postgres-owner)@$database/tocsin"
for name in "${SERVICES[@]}"; do
  put "database-url-$name" "postgres://tocsin_$name:$(cat "postgres-$name")@$database/tocsin"
  put "redis-url-$name" "redis://$name:$(cat "redis-$name")@$redis"
done
if [[ -n $replica ]]; then
  put database-replica-url-api "postgres://tocsin_api:$(cat postgres-api)@$replica/tocsin"
fi

# What people and senders show: the token of the API, and the key of the first integration.
keep api-token "tocsin_$(random 24)"
put api-token-sha256 "$(sha256_of api-token)"
keep integration-key "$(random 24)"
put integration-key-sha256 "$(sha256_of integration-key)"
keep session-secret "$(random 32)"
# Who is told. At first a stand-in that logs what it gets: put the address of your own receiver here, or change tocsin.yaml.
keep receiver-url "http://inbox:8080/notices"

echo "compose/$folder: $(find . -type f | wc -l) secrets"
