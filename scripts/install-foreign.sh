#!/usr/bin/env bash
# Installs what the foreign tests need into .foreign/, in the versions of test/foreign/versions.env.
# What the system lacks is installed by apt where this runs as root; elsewhere it is named.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/retry.sh
. test/foreign/versions.env

folder=$PWD/.foreign
mkdir -p "$folder/bin"

# as root, by apt: the packages named
install_packages() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'please install: %s\n' "$*" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  retry apt-get update
  retry apt-get install --yes --no-install-recommends "$@"
}

missing=()
for entry in $SYSTEM_PACKAGES; do
  command -v "${entry%%=*}" >/dev/null || missing+=("${entry#*=}")
done
# Valkey, or Redis where the system has none; they keep to ports of their own
if ! command -v valkey-server >/dev/null && ! command -v redis-server >/dev/null; then
  missing+=("$(apt-cache show valkey-server >/dev/null 2>&1 && echo valkey-server || echo redis-server)")
fi
[ -d /usr/lib/postgresql ] || missing+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
php -r 'exit(extension_loaded("curl") ? 0 : 1);' 2>/dev/null || missing+=(php-cli php-curl)
if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
if ! command -v go >/dev/null; then
  printf 'please install Go 1.26 or newer: https://go.dev/dl/\n' >&2
  exit 1
fi
rust=$(rustc --version | cut -d ' ' -f 2) || true
if ! printf '1.85\n%s\n' "$rust" | sort -C -V; then
  printf 'please install Rust 1.85 or newer with its cargo: https://rust-lang.org/tools/install\n' >&2
  exit 1
fi

# install_go NAME PACKAGE VERSION: builds a Go program as .foreign/bin/NAME
install_go() {
  local stamp=$folder/$1.version
  if [ "$(cat "$stamp" 2>/dev/null)" = "$3" ] && [ -x "$folder/bin/$1" ]; then return; fi
  rm -rf "$folder/go-bin"
  GOBIN=$folder/go-bin retry go install "$2@$3"
  mv "$folder/go-bin/"* "$folder/bin/$1"
  rmdir "$folder/go-bin"
  printf '%s\n' "$3" >"$stamp"
}

install_go grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl "$GRPCURL_VERSION"
install_go grpcurl-v1alpha github.com/fullstorydev/grpcurl/cmd/grpcurl "$GRPCURL_V1ALPHA_VERSION"
conformance=connectrpc.com/conformance
install_go connectconformance "$conformance/cmd/connectconformance" "$CONFORMANCE_VERSION"

# the suite's messages, for the server that it tests
image=$folder/conformance.binpb
if [ ! -e "$image" ] || [ "$folder/connectconformance.version" -nt "$image" ]; then
  retry go mod download "$conformance@$CONFORMANCE_VERSION"
  module=$(go env GOMODCACHE)/$conformance@$CONFORMANCE_VERSION
  node_modules/.bin/buf build "$module/proto" -o "$image"
fi

install_go grpc-interop-client google.golang.org/grpc/interop/client "$GRPC_GO_VERSION"
install_go caddy github.com/caddyserver/caddy/v2/cmd/caddy "$CADDY_VERSION"
install_go compose-spec github.com/compose-spec/compose-go/v2/cmd "$COMPOSE_GO_VERSION"
install_go h2spec github.com/summerwind/h2spec/cmd/h2spec "$H2SPEC_VERSION"

# the messages of the interop client, which its module has no .proto of
interop='{"version": "v2", "modules": [{"path": "test/foreign/interop/proto"}]}'
node_modules/.bin/buf build . --config "$interop" -o "$folder/interop.binpb"

# the gateway that our REST is compared with, by the plugins and packages that its go.mod names
gateway=test/foreign/gateway
sum=$(cat "$gateway"/main.go "$gateway"/go.* "$gateway"/buf.* "$gateway"/proto/*/*/*/*.proto | cksum)
if [ "$(cat "$folder/gateway.version" 2>/dev/null)" != "$sum" ] || [ ! -x "$folder/bin/gateway" ]; then
  rm -rf "$folder/gateway"
  mkdir "$folder/gateway"
  cp "$gateway"/main.go "$gateway"/go.* "$folder/gateway/"
  GOBIN=$folder/bin retry go install -C "$folder/gateway" tool
  contract=(. --config "$gateway/buf.yaml" --path "$gateway/proto/propusk")
  node_modules/.bin/buf generate "${contract[@]}" --template "$gateway/buf.gen.yaml"
  node_modules/.bin/buf build "${contract[@]}" -o "$folder/gateway.binpb"
  retry go build -C "$folder/gateway" -o "$folder/bin/gateway" .
  printf '%s\n' "$sum" >"$folder/gateway.version"
fi

# the Rust example, which brings what the documented Rust sample needs: the tests build without network
crate=(--locked --manifest-path examples/rust/Cargo.toml)
retry cargo fetch --quiet "${crate[@]}"
cargo build --quiet --offline "${crate[@]}" --target-dir "$folder/cargo"

# word by word: the lists have one package a line
# shellcheck disable=SC2046,SC2086
set -- $(cat examples/*/requirements.txt) $PYTHON_PACKAGES
if [ "$(cat "$folder/python.version" 2>/dev/null)" != "$*" ]; then
  rm -rf "$folder/python"
  python3 -m venv "$folder/python"
  retry "$folder/python/bin/pip" install --quiet --disable-pip-version-check --no-deps "$@"
  "$folder/python/bin/pip" check
  printf '%s\n' "$*" >"$folder/python.version"
fi
printf 'the foreign tools are in %s\n' "$folder"
