# make help lists the targets.

SHELL   := /bin/bash
PREFIX  ?= /usr/local
DESTDIR ?=
SUITE   ?= trixie
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# What a Debian with only make and Go lacks: a C compiler and libseccomp for
# cgo, and what builds and enters the private hosts of the tests.
DEPS := gcc libc6-dev libseccomp-dev pkg-config \
	mmdebstrap debian-archive-keyring iproute2 util-linux procps

BERTH_HOST = $(GO) run ./test/host/cmd/berth-host

.DEFAULT_GOAL := help
.PHONY: help deps build install lint test bench peers host demo fuzz clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

deps: ## install the Debian packages that are missing (root)
	@missing=$$(for package in $(DEPS); do \
		[ "$$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || echo $$package; \
	done); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then echo "make: packages are missing, install them as root: apt-get install" $$missing >&2; exit 1; fi; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $$missing

build: deps ## bin/berth, one static program
	CGO_ENABLED=1 $(GO) build -trimpath -tags netgo,osusergo \
		-ldflags '-s -w -X main.version=$(VERSION) -linkmode external -extldflags "-static"' -o bin/berth ./cmd/berth

install: build ## into DESTDIR/PREFIX (default /usr/local)
	install -D -m 0755 bin/berth $(DESTDIR)$(PREFIX)/bin/berth
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/berth completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berth
	bin/berth completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_berth
	bin/berth completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/berth.fish
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	$(GO) tool go-md2man -in docs/reference.md -out $(DESTDIR)$(PREFIX)/share/man/man1/berth.1
	$(GO) tool go-md2man -in docs/man/berth.toml.5.md -out $(DESTDIR)$(PREFIX)/share/man/man5/berth.toml.5

lint: deps ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted by gofmt:" $$unformatted >&2; exit 1; }
	$(GO) vet -tags integration ./...
	$(GO) tool staticcheck -tags integration ./...

# Never from the cache: what runs in a private host is not seen by it.
# Roots are built first, where their progress and a canary's failure are seen.
test: build ## all tests; as root, also in private hosts of every suite
	@[ "$$(id -u)" != 0 ] || $(BERTH_HOST) roots
	$(GO) test -count=1 -timeout 60m ./...

bench: build ## times and sizes beside the peers', in a private host
	CGO_ENABLED=0 $(GO) build -o bin/bench ./test/bench
	$(BERTH_HOST) -suite $(SUITE) -- /opt/berth/bin/bench

peers: build ## what systemd-nspawn and podman let through, for docs/mountguard-attacks.md
	BERTH_PEERS=1 BERTH_SUITES=trixie $(GO) test -count=1 ./test/integration -run TestMountAttackPeers

host: build ## a shell in a private host with berth installed (SUITE=bookworm)
	@$(BERTH_HOST) -suite $(SUITE)

demo: build ## real containers, on this machine's systemd or in a private host
	@test/demo.sh $(SUITE)

fuzz: ## each fuzz test for FUZZTIME (default 30s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r package; do \
		for fuzz in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(or $(FUZZTIME),30s) $$package || exit; \
		done; \
	done

clean: ## what was built here; cached roots stay
	rm -rf bin
