#!/bin/sh
# Installs Tidewaiter from this bundle, without any network. Started again it goes on where it was stopped, and from a
# newer bundle it brings up to date what is there. docs/operator.md, "Closed networks", says what it needs.
#
#   ./install.sh           as root: /opt/tidewaiter, the two users, their folders, the unit of systemd
#   ./install.sh FOLDER    code and packages in FOLDER, for whoever starts it, and nothing else
set -eu
umask 022
say() { echo "install.sh: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

[ $# -le 1 ] || fail "$# folders are given; allowed: one, or none"
[ $# = 1 ] || [ "$(id -u)" = 0 ] || fail "without a folder it makes users, which only root may; allowed: ./install.sh FOLDER"
folder=${1:-/opt/tidewaiter}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")"

# Nothing is touched before this machine, the bundle and the folder are found to be right.
python=${PYTHON:-python3}
found=$("$python" -c 'import platform as p; print(".".join(p.python_version_tuple()[:2]), p.machine())')
[ "$found" = "$(cat PYTHON)" ] || fail "$python is $found; allowed: $(cat PYTHON). PYTHON=... names another one"
[ "$(find . ! -type d ! -name SHA256SUMS | LC_ALL=C sort)" = "$(cut -c 67- SHA256SUMS | LC_ALL=C sort)" ] ||
    fail "the bundle has other files than SHA256SUMS names: unpack it anew"
sha256sum --check --quiet --strict SHA256SUMS || fail "the bundle is not as it was made: bring it here anew"
[ -z "$(ls -A "$folder")" ] || [ -e "$folder/committed.json" ] || [ -e "$folder/.made-by-install.sh" ] ||
    fail "$folder has other things in it; allowed: an empty folder, or one that install.sh has made"
! systemctl is-active --quiet tidewaiter 2>/dev/null || fail "tidewaiter runs: systemctl stop tidewaiter"
say "this machine and the bundle are as they must be"

# What operators edit stays as they have it: of these two files, what was delivered is kept beside, to tell.
edited="prefect.yaml models/policy.toml"
touch "$folder/.made-by-install.sh"
mkdir -p "$folder/.scratch" "$folder/.kept" "$folder/.delivered"
for file in $edited; do
    kept=$(basename "$file")
    if [ -e "$folder/$file" ] && ! [ -e "$folder/.kept/$kept" ] && ! cmp -s "$folder/$file" "$folder/.delivered/$kept"; then
        cp -p "$folder/$file" "$folder/.scratch/$kept"
        mv "$folder/.scratch/$kept" "$folder/.kept/$kept"
    fi
done
for part in code/*; do
    rm -rf "${folder:?}/$(basename "$part")"
    cp -R "$part" "$folder/"
done
for file in $edited; do
    kept=$(basename "$file")
    if [ -e "$folder/.kept/$kept" ] && ! cmp -s "$folder/.kept/$kept" "code/$file"; then
        say "$folder/$file was edited here and stays; as it is delivered now it is $PWD/code/$file"
        cp -p "$folder/.kept/$kept" "$folder/$file"
    fi
    cp "code/$file" "$folder/.delivered/$kept"
done
rm -rf "$folder/.kept"
say "the code is in $folder"

# By uv out of the bundle, as `make setup` does it, so that neither pip nor venv need be on this machine.
rm -rf "$folder/.scratch"
"$python" -m zipfile -e wheels/uv-*.whl "$folder/.scratch"
uv=$(echo "$folder"/.scratch/uv-*.data/scripts/uv)
chmod +x "$uv"
export UV_OFFLINE=1 UV_NO_CONFIG=1 UV_CACHE_DIR="$folder/.scratch/cache" UV_PYTHON_DOWNLOADS=never
"$uv" venv --quiet --allow-existing --python "$python" "$folder/.venv"
packages() { "$uv" pip "$@" --quiet --no-index --find-links wheels --python "$folder/.venv/bin/python"; }
packages sync --require-hashes requirements.txt
packages install --no-deps --no-build-isolation --editable "$folder"
# Compiled once, since services cannot write there; of Plotly's thousand modules few are ever imported.
"$folder/.venv/bin/python" -m compileall -q -j 0 -x '/(tests?|plotly)/' "$folder/.venv/lib" \
    "$folder/flows" "$folder/models" "$folder/features"
rm -rf "$folder/.scratch"
"$folder/.venv/bin/python" -c 'import lightgbm' || fail "LightGBM does not load; it needs OpenMP, the package libgomp1 of Debian"
say "$(wc -l <requirements.txt) packages are in $folder/.venv"

if [ $# = 1 ]; then
    say "done; next: cd $folder && .venv/bin/tidewaiter up"
    exit 0
fi

user() {
    if id "$1" >/dev/null 2>&1; then
        say "the user $1 is there already"
    else
        useradd --system --user-group --shell /usr/sbin/nologin "$@"
        say "the user $1 was made"
    fi
}
owned() {  # FOLDER OWNER GROUP MODE
    install -d -o "$2" -g "$3" -m "$4" "$1"
    say "$1 is of $2:$3, mode $4"
}

user tidewaiter --home-dir /var/lib/tidewaiter
user tidewaiter-runs --no-create-home --home-dir /nonexistent
owned /var/lib/tidewaiter tidewaiter tidewaiter 711
owned /srv/tidewaiter tidewaiter tidewaiter-runs 2770
owned /etc/tidewaiter root root 755
[ -e /etc/tidewaiter/environment ] || install -m 600 /dev/null /etc/tidewaiter/environment
unit=/etc/systemd/system/tidewaiter.service
if ! cmp -s "$folder/deploy/systemd/tidewaiter.service" "$unit"; then
    mkdir -p "$(dirname "$unit")"
    install -m 644 --backup=simple --suffix=.before "$folder/deploy/systemd/tidewaiter.service" "$unit"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    say "$unit is written; changes of your own belong beside it: systemctl edit tidewaiter"
fi
say "done; next: systemctl enable --now tidewaiter"
