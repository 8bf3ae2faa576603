#!/usr/bin/env bash
# The engines that the tests run on, from the package registries into .tools/: a few hundred MB, a few minutes, once.
#   install.sh [all | minio | prism | flink]
set -euo pipefail
cd "$(dirname "$0")/../.."
BEAM=2.77.0          # the version of the Python package
FLINK=1.19.3         # the newest that Beam's job server below runs on
TOOLS=$PWD/.tools
PIP="${PIP:-.venv/bin/pip}"
mkdir -p "$TOOLS/bin"

needs() {  # command, what for
    command -v "$1" >/dev/null || { echo "$2 needs $1; on Debian and Ubuntu: apt install $3" >&2; exit 1; }
}

minio() {
    test -x "$TOOLS/bin/minio" && return
    needs go MinIO golang
    echo "MinIO (an object store) ..."
    GOBIN=$TOOLS/bin go install github.com/minio/minio@latest
}

prism() {
    test -x "$TOOLS/bin/prism" && return
    needs go Prism golang
    echo "Prism (Beam's engine for one machine) ..."
    GOBIN=$TOOLS/bin go install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$BEAM"
}

flink() {
    needs java Flink default-jre-headless
    if ! test -d "$TOOLS/flink"; then
        echo "Flink ..."
        "$PIP" install --quiet --disable-pip-version-check --no-deps --target "$TOOLS/unpacked" "apache-flink-libraries==$FLINK"
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
    all) minio; prism; flink ;;
    minio | prism | flink) "$1" ;;
    *) echo "known are: all, minio, prism, flink" >&2; exit 2 ;;
esac
