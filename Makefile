# sluice: build, show, test.
#   make demo    builds sluice, diverts real traffic through it in a lab of namespaces, shows what happened
#   make test    every test, the namespace tests included (root, or a user namespace)
#   make check   format, vet, import rules, other systems, race detector
#   make torture the short scorecard: attacks, faults and floods, measured beside targets
#                (TORTUREFLAGS=--minutes=30 instead of --short: the long one)
#   make deb     a Debian package in dist
#   make bench   the short comparison with other proxies; the report is left in bench/out
#                (BENCHFLAGS=--install installs the peers that are missing)

GO     ?= go
GOOS   ?= linux
BIN    := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
export CGO_ENABLED = 0

.PHONY: all build demo test check torture bench deb install-programs clean

all: build

build:
	$(GO) build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o $(BIN)/sluice ./cmd/sluice
	$(GO) build -trimpath -ldflags '-X main.release=$(VERSION)' -o $(BIN)/sluice-bench ./cmd/sluice-bench

install-programs:
	.ci/programs

demo: build install-programs
	$(BIN)/sluice-bench demo --sluice $(BIN)/sluice

test: install-programs
	.ci/as-root $(GO) test -count=1 -timeout 12m $(TESTFLAGS) ./...

check:
	.ci/check

TORTUREFLAGS ?= --short

torture: build install-programs
	$(BIN)/sluice-bench torture --sluice $(BIN)/sluice $(TORTUREFLAGS)

bench: build install-programs
	$(BIN)/sluice-bench compare --sluice $(BIN)/sluice --short --out bench/out $(BENCHFLAGS)

deb: build
	cmd/sluice/package/build-deb $(BIN)/sluice $(VERSION) dist

clean:
	rm -rf $(BIN) dist bench/out
