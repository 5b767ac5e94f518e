# sluice: build, show, test.
#   make demo    builds sluice, diverts real traffic through it in a lab of namespaces, shows what happened
#   make test    every test, the namespace tests included (root, or a user namespace)
#                (here and with the others, ENGINE=epoll or io_uring is that of every sluice; else --engine auto)
#   make check   format, vet, import rules, other systems, race detector
#   make torture the short scorecard: attacks, faults and floods, measured beside targets
#                (TORTUREFLAGS=--minutes=30 instead of --short: the long one)
#   make install under PREFIX (/usr/local), in DESTDIR if there is one; make uninstall takes it away
#   make packages deb, rpm, apk and ipk packages in dist (FORMATS=deb ARCHS="amd64 arm64": only these)
#   make deb     a Debian package for this machine in dist
#   make bench   the short comparison with other proxies; the report is left in bench/out
#                (BENCHFLAGS=--install installs the peers that are missing)

GO     ?= go
GOOS   ?= linux
BIN    := bin
# Without a tag, commits are counted, so that versions order all the same.
VERSION ?= $(shell git describe --tags --dirty 2>/dev/null || \
	echo "0.0.0-$$(git rev-list --count HEAD 2>/dev/null || echo 0)-g$$(git rev-parse --short HEAD 2>/dev/null || echo unknown)")
PREFIX  ?= /usr/local
UNITDIR ?= /etc/systemd/system
export CGO_ENABLED = 0
ifneq ($(ENGINE),)
export SLUICE_ENGINE = $(ENGINE)
endif

.PHONY: all build demo test check torture bench install uninstall packages deb install-programs clean

all: build

build:
	$(GO) build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o $(BIN)/sluice ./cmd/sluice
	$(GO) build -trimpath -ldflags '-X main.release=$(VERSION)' -o $(BIN)/sluice-bench ./cmd/sluice-bench

$(BIN)/sluice: go.mod $(shell find cmd loop nat redir splice -type f)
	$(MAKE) build

install-programs:
	.ci/programs

demo: build install-programs
	$(BIN)/sluice-bench demo --sluice $(BIN)/sluice

# An ordinary user's tests have a network of their own: what they take from ours comes before.
test: install-programs $(BIN)/nfpm
	$(GO) mod download
	NFPM=$(abspath $(BIN)/nfpm) .ci/as-root $(GO) test -count=1 -timeout 12m $(TESTFLAGS) ./...

check:
	.ci/check

TORTUREFLAGS ?= --short

torture: build install-programs
	$(BIN)/sluice-bench torture --sluice $(BIN)/sluice $(TORTUREFLAGS)

bench: build install-programs
	$(BIN)/sluice-bench compare --sluice $(BIN)/sluice --short --out bench/out $(BENCHFLAGS)

PACKAGE := cmd/sluice/package
MANUAL   = $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8
SHELLS   = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice \
	$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sluice $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sluice.fish
SYSTEM   = $(DESTDIR)$(UNITDIR)/sluice.service $(DESTDIR)/etc/sysusers.d/sluice.conf $(DESTDIR)/etc/tmpfiles.d/sluice.conf \
	$(DESTDIR)$(PREFIX)/lib/sysctl.d/30-sluice.conf $(DESTDIR)/etc/logrotate.d/sluice
SAMPLES  = $(DESTDIR)$(PREFIX)/share/sluice/grafana-dashboard.json $(DESTDIR)$(PREFIX)/share/sluice/prometheus-alerts.yml

# What has been built is installed as it is, so that sudo make install needs no Go. What
# is configured already stays. The user is made where that is possible.
install: $(BIN)/sluice
	install -D -m 755 $(BIN)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -d $(dir $(MANUAL)) $(dir $(SHELLS)) $(dir $(SYSTEM)) $(dir $(SAMPLES)) $(DESTDIR)/etc/sluice/conf.d
	$(BIN)/sluice man >$(MANUAL)
	$(BIN)/sluice completion bash >$(word 1,$(SHELLS))
	$(BIN)/sluice completion zsh >$(word 2,$(SHELLS))
	$(BIN)/sluice completion fish >$(word 3,$(SHELLS))
	[ -e $(DESTDIR)/etc/sluice/sluice.json ] || install -m 644 $(PACKAGE)/sluice.json $(DESTDIR)/etc/sluice/sluice.json
	sed 's|/usr/bin/sluice|$(PREFIX)/bin/sluice|g' $(PACKAGE)/sluice.service >$(word 1,$(SYSTEM))
	install -m 644 $(PACKAGE)/sluice.sysusers $(word 2,$(SYSTEM))
	install -m 644 $(PACKAGE)/sluice.tmpfiles $(word 3,$(SYSTEM))
	install -m 644 $(PACKAGE)/sluice.sysctl $(word 4,$(SYSTEM))
	install -m 644 $(PACKAGE)/sluice.logrotate $(word 5,$(SYSTEM))
	install -m 644 $(addprefix $(PACKAGE)/,$(notdir $(SAMPLES))) $(dir $(firstword $(SAMPLES)))
	[ -n "$(DESTDIR)" ] || { systemd-sysusers sluice.conf && systemd-tmpfiles --create sluice.conf; } || true
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload

# The configuration stays.
uninstall:
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now sluice.service || true
	rm -f $(DESTDIR)$(PREFIX)/bin/sluice $(MANUAL) $(SHELLS) $(SYSTEM) $(SAMPLES)
	rmdir $(dir $(firstword $(SAMPLES))) || true
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload

FORMATS ?= deb,rpm,apk,ipk

$(BIN)/nfpm: $(PACKAGE)/build-packages
	$(PACKAGE)/build-packages nfpm $(abspath $(BIN)) && touch $@

packages: $(BIN)/nfpm
	NFPM=$(abspath $(BIN)/nfpm) $(PACKAGE)/build-packages $(VERSION) dist $(FORMATS) $(ARCHS)

deb: $(BIN)/nfpm
	NFPM=$(abspath $(BIN)/nfpm) $(PACKAGE)/build-packages $(VERSION) dist deb $(shell dpkg --print-architecture)

clean:
	rm -rf $(BIN) dist bench/out
