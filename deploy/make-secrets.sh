#!/bin/sh
# Makes the secrets of a cluster as files in ./secrets, which git ignores: `sh deploy/make-secrets.sh [directory]`.
# What is there is kept; to change one, delete its file, and tokens.txt where it is a token.
set -eu
directory=${1:-secrets}
umask 077
mkdir -p "$directory"
cd "$directory"

random() { head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n'; }
make() { [ -s "$1" ] || printf '%s\n' "$(random)" >"$1"; }
hashed() { printf %s "$(cat "$1")" | sha256sum | cut -d' ' -f1; }

# What servers prove to each other that they know; what shops sign cookies with.
make link_secret
make cookie_secret
# What clients and operators show. The servers are given only the hashes.
make shop_token
make admin_token
make metrics_token
make grafana_password
[ -s tokens.txt ] || cat >tokens.txt <<EOF
shop:write:sha256:$(hashed shop_token)
operator:admin:sha256:$(hashed admin_token)
prometheus:read:sha256:$(hashed metrics_token)
EOF

# Containers read these as users of their own. The directory is for its owner alone, so nobody else on this machine can.
chmod 700 .
chmod 444 link_secret cookie_secret shop_token admin_token metrics_token grafana_password tokens.txt
echo "$directory: $(ls | tr '\n' ' ')"
