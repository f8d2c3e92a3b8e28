# Thin: what a target does stands in a script or a program of the tree.

PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /usr/lib/systemd/system
DESTDIR ?=
CARGO ?= cargo

# The build looks for the configuration there.
export SYSCONFDIR

.PHONY: all build demo test lint test-lab msrv bench install uninstall deny clean

all: build

build:
	packaging/prerequisites.sh build
	$(CARGO) build --release --locked

# Two nodes, one floating IP, in two network namespaces: the master fails before your eyes.
demo: build
	packaging/prerequisites.sh demo
	$(CARGO) run --release --locked --quiet --package lab --bin demo

test:
	tests/run.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --workspace --no-deps --locked

# The suite against any binary: make test-lab KEEPALIVED=/path/to/keepalived
test-lab: build
	packaging/prerequisites.sh test
	$(CARGO) test --release --locked --package lab

msrv:
	tests/msrv.sh

# Beside the C daemon. PARTS="reload bfd" measures only these.
bench: build
	packaging/prerequisites.sh test
	$(CARGO) run --release --locked --quiet --package lab --bin bench -- $(PARTS)

deny:
	$(CARGO) deny check

install:
	packaging/install.sh "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(UNITDIR)"

uninstall:
	packaging/install.sh --remove "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(UNITDIR)"

clean:
	$(CARGO) clean
