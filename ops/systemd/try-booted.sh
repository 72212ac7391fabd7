#!/bin/sh
# Runs the units and the installer under a real systemd: a privileged container of Debian, booted, with this checkout's
# HEAD as two releases and a broken third one. Needs docker. Prints what it sees, ends at the first thing that is wrong.
# PRIVILEGES replaces --privileged where docker itself has not every capability, for example
# PRIVILEGES="--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
set -eu
cd "$(dirname "$0")/../.."
name=quantum-booted-$$
image=quantum-booted

docker build --quiet --tag $image - <<'END'
FROM node:24-bookworm-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    systemd systemd-sysv dbus libnss-systemd git curl redis-server && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
# As the root of a host is: systemd leaves it to whoever starts a container, and without it units see no credentials.
CMD ["sh", "-c", "mount --make-rshared / && exec /sbin/init"]
END
end() {
  [ $? = 0 ] || docker exec $name journalctl --no-pager --unit 'quantum-*' --lines 30 --output cat || true
  docker rm --force --volumes $name >/dev/null
}
trap end EXIT
# shellcheck disable=SC2086 # several words
docker run --detach --name $name ${PRIVILEGES:---privileged} --tmpfs /run --tmpfs /run/lock \
  --volume /sys/fs/cgroup:/sys/fs/cgroup:rw --volume "$PWD:/checkout:ro" $image >/dev/null

inside() { docker exec --interactive $name "$@"; }
step() { printf '\n== %s\n' "$*"; }

step "booted"
for _ in $(seq 60); do inside systemctl is-system-running --quiet 2>/dev/null && break; sleep 0.5; done
inside systemctl is-system-running || inside systemctl --failed

step "this checkout as releases v1 and v2, and v3 that refuses to start"
inside sh -eu <<'END'
git config --global safe.directory '*'
git config --global user.name operator
git config --global user.email operator@localhost
git clone --quiet /checkout /srv/quantum
cd /srv/quantum
git tag v1
git commit --quiet --allow-empty --message "another release"
git tag v2
for service in services/*/src/main.ts; do echo 'if (!process.argv.includes("--help")) process.exit(2);' | cat - $service >/tmp/main.ts && cp /tmp/main.ts $service; done
git commit --quiet --all --message "a release that refuses to start"
git tag v3
git checkout --quiet v2
npx -y pnpm@12.21.0 install --frozen-lockfile >/dev/null

systemd-run --quiet --unit exchange-sim --working-directory "$PWD" node services/exchange-sim/src/main.ts
END

step "install the four services, the governor in place of another one"
inside sh -c 'printf "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n" >/etc/systemd/system/quantum-governor.service && systemctl enable --quiet --now quantum-governor'
quantum() { inside node /srv/quantum/ops/install/quantum.mjs "$@"; }
services="governor position-brain executor apply-layer"
for service in $services; do quantum install $service v1 && { echo "nothing may start yet"; exit 1; }; done
inside systemctl is-active quantum-governor

step "what the operator does then: Redis's users, and the configuration"
inside sh -eu <<'END'
install -o redis -g redis -m 600 /etc/quantum/redis/users.acl /etc/redis/users.acl
printf 'aclfile /etc/redis/users.acl\nappendonly yes\nappendfsync always\n' >>/etc/redis/redis.conf
systemctl restart redis-server
sed -i -e 's|^BINANCE_BASE_URL=.*|BINANCE_BASE_URL=http://127.0.0.1:8099|' -e 's/^BINANCE_TESTNET_API_KEY=.*/BINANCE_TESTNET_API_KEY=sim-key/' \
  -e 's/^BINANCE_TESTNET_API_SECRET=.*/BINANCE_TESTNET_API_SECRET=sim-secret/' -e 's/^APPLY_MODE=.*/APPLY_MODE=paper/' \
  -e 's/^EXECUTOR_MODE=.*/EXECUTOR_MODE=paper/' \
  -e 's/^P33_COOLDOWN_SEC=.*/P33_COOLDOWN_SEC=0/' -e 's/^\(GOV_MAX_.*\)=.*/\1=100000/' /etc/quantum/*.env
END

step "install them"
for service in $services; do quantum install $service v1; done
inside systemd-run --quiet --unit harvest-feed --working-directory /srv/quantum --setenv FEED_SYMBOLS=BTCUSDT \
  --setenv REDIS_URL=redis://feed@localhost:6379/0 --setenv REDIS_PASSWORD_FILE=/etc/quantum/redis/feed/password \
  node services/harvest-feed/src/main.ts
quantum status

step "each issuer signs with its own key"
inside sh -eu <<'END'
stat --format '%a %n' /etc/quantum/keys /etc/quantum/keys/*
for unit in quantum-governor quantum-position-state-brain; do
  journalctl --unit $unit --output cat | grep --max-count 1 "permits are signed with key"
done
END

step "each service is its own Redis user, and nobody is the default one"
inside sh -eu <<'END'
redis-cli ping
export REDISCLI_AUTH="$(cat /etc/quantum/redis/admin/password)"
redis-cli --user admin client list | grep -o ' user=[a-z0-9-]*' | sort | uniq -c
redis-cli --user admin acl log
stat --format '%a %U %n' /etc/quantum /etc/quantum/*.env /etc/quantum/redis /etc/quantum/redis/*/password
END

step "what an operator greps"
inside timeout 20 sh -c 'journalctl --follow --unit quantum-apply-layer --output cat | grep --max-count 3 "\[PERMIT_WAIT\] OK"'

step "update, a release that refuses to start, roll back"
quantum install executor v2
quantum install executor v3 && { echo "v3 must not install"; exit 1; }
quantum status
quantum rollback executor
quantum status

step "back to the other governor, and to ours again"
quantum rollback governor
quantum status
quantum rollback governor

step "the console: without users the host looks, a user who is added logs in, one who is removed is out"
quantum install console v2 && { echo "nothing may start yet"; exit 1; }
quantum install console v2
inside sh -eu <<'END'
cd /srv/quantum
console=http://127.0.0.1:8050
users=/var/lib/quantum-console/users.json
permitctl() { npx -y pnpm@12.21.0 --silent permitctl console user "$@" --file $users; }
login() {
  curl -s -o /tmp/me -w '%{http_code}\n' -c /tmp/cookies -H "Origin: $console" -H 'content-type: application/json' \
    -d '{"user": "alice", "password": "a long enough word"}' $console/api/login
}
me() { curl -s -b /tmp/cookies $console/api/me; echo; }
me
printf 'a long enough word\n' | permitctl add alice --role operator
stat --format '%a %U %n' /var/lib/private/quantum-console /var/lib/private/quantum-console/*
for _ in $(seq 20); do [ "$(login)" = 200 ] && break; sleep 0.5; done
me | grep -q '"role":"operator"'
permitctl remove alice
for _ in $(seq 20); do me | grep -q '"role":"operator"' || break; sleep 0.5; done
[ "$(login)" = 401 ]
END

step "killed, it comes back; stopped, it ends in time"
inside sh -eu <<'END'
before=$(systemctl show --property MainPID --value quantum-governor)
kill -9 "$before"
for _ in $(seq 50); do curl -sf http://127.0.0.1:8044/readyz && break; sleep 0.2; done
echo
systemctl show --property NRestarts quantum-governor
systemctl stop quantum-governor
systemctl show --property Result,ExecMainStatus quantum-governor
systemctl start quantum-governor
END

step "Redis is killed, and has everything when it is back"
inside sh -eu <<'END'
export REDISCLI_AUTH="$(cat /etc/quantum/redis/viewer/password)"
as_viewer() { redis-cli --user viewer "$@"; }
systemctl stop harvest-feed
before=$(as_viewer xlen quantum:stream:apply.plan)
systemctl kill --kill-who main --signal KILL redis-server
for _ in $(seq 50); do as_viewer ping 2>/dev/null | grep -qx PONG && break; sleep 0.2; done
echo "$before plans before, $(as_viewer xlen quantum:stream:apply.plan) after"
[ "$before" -gt 0 ] && [ "$before" = "$(as_viewer xlen quantum:stream:apply.plan)" ]
END

step "an operator enrols, drills, and closes everything with the other services stopped"
inside sh -eu <<'END'
cd /srv/quantum
mkdir -p /root/.config/permitctl
permitctl() {
  REDIS_URL=redis://operator@localhost:6379/0 REDIS_PASSWORD_FILE=/etc/quantum/redis/operator/password \
    npx -y pnpm@12.21.0 --silent permitctl "$@"
}
permitctl keys new --operator alice --folder /root/.config/permitctl
install -m 644 /root/.config/permitctl/operators.json /etc/quantum/keys/operators.json
systemctl restart quantum-executor
for _ in $(seq 50); do curl -sf http://127.0.0.1:8049/readyz && break; sleep 0.2; done
echo
systemctl stop quantum-apply-layer quantum-governor quantum-position-state-brain
# Otherwise the simulated account opens again what is closed.
curl -sf -H 'content-type: application/json' -d '{"enabled": false}' http://127.0.0.1:8099/sim/strategy
echo
set -- --mode paper --venue simulated --account main
permitctl flatten --drill "$@"
permitctl flatten --all "$@" --yes --reason "a trial"
systemctl start quantum-apply-layer quantum-governor quantum-position-state-brain
END

step "what systemd says of the units"
inside sh -c 'cd /etc/systemd/system && systemd-analyze verify --man=no quantum-*.service && systemd-analyze security --no-pager quantum-*.service | tail -1; for unit in quantum-*.service; do systemd-analyze security --no-pager $unit | tail -1; done; systemctl --failed'
step "all of it held"
