# BPF Recorder: build, run and test. Plain "make" lists what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
DATA   := $(CURDIR)/data
BUS    := unix:path=$(DATA)/bus
# Where the web page is; another one with "make run WEB=127.0.0.1:9000".
WEB    := 127.0.0.1:8080

# The recorder's unprivileged half, and the web page, run as whoever called make, so that
# the data stay theirs; called by root itself, as a user that has nothing.
RUN_AS := $(if $(filter 0,$(shell id -u)),$(or $(SUDO_USER),$(shell id -un bpf-recorder 2>/dev/null || echo nobody)),$(shell id -un))
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)

AS_HIM := $(if $(SUDO),,setpriv --reuid=$(RUN_AS) --regid=$(shell id -g $(RUN_AS)) --clear-groups --no-new-privs)

# Tests find the other programs through these.
export BPF_RECORDERD := $(TARGET)/debug/bpf-recorderd
export BPFCTL        := $(TARGET)/debug/bpfctl
export BPF_WORKLOAD  := $(TARGET)/workload

WORKLOAD_SOURCES := $(wildcard tests/workload/*.c tests/workload/*.h)
WORKLOAD_FLAGS   := -std=c11 -O2 -Wall -Wextra -Wshadow -Werror -static -pthread

# Whatever begins like a shell script is one, wherever it comes to lie.
find_scripts = find . \( -name .git -o -path ./target -o -path ./data \) -prune -o \
	-type f -size -100k -exec awk 'FNR == 1 { if (/^\#!.*[\/ ](ba|da)?sh( |$$)/) print FILENAME; nextfile }' {} +

# Prints the program of the capture tests, which cargo gives a name of its own.
capture_tests = cargo test --workspace --test capture --no-run --message-format json 2>/dev/null | \
	sed -n 's/.*"kind":\["test"\].*"name":"capture".*"executable":"\([^"]*\)".*/\1/p'

# The lints refuse unsafe code, unless a file asks for it; these may.
UNSAFE := $(addprefix daemon/src/,allocator.rs detect/scan.rs sensor/keeping.rs sensor/mod.rs sensor/opening.rs \
	store/tests/faulty_vfs.rs web/listen.rs) \
	$(addprefix ebpf/src/,load/link.rs map.rs ring.rs)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build and start the recorder here, in the foreground, with its data in ./data
	@packaging/install-deps build
	cargo build --release -p daemon -p ctl
	@mkdir -p -m 700 $(DATA)
	@echo
	@echo 'Starting the recorder; Ctrl-C ends it. To look, in another terminal$(if $(SUDO),, as root):'
	@echo '  export BPFCTL_ADDRESS=$(BUS)'
	@echo '  $(TARGET)/release/bpfctl status'
	@echo '  $(TARGET)/release/bpfctl events --follow'
	@echo '  $(TARGET)/release/bpfctl alerts --follow'
	@echo '  $(TARGET)/release/bpfctl web                 a link to the web page'
	@echo '  $(TARGET)/release/bpfctl --help'
	@echo
	@$(AS_HIM) $(TARGET)/release/bpf-recorderd web --bus $(BUS) --web-address $(WEB) & page=$$!; \
	trap 'kill $$page 2>/dev/null' EXIT; \
	$(SUDO) $(TARGET)/release/bpf-recorderd run --data-dir $(DATA) --bus $(BUS) \
		--shipped-rules $(CURDIR)/rules --web-address $(WEB) \
		--user $(RUN_AS)

.PHONY: build
build: ## Build all programs for release
	@packaging/install-deps build
	cargo build --release --workspace

.PHONY: test
test: check test-unit test-portable test-capture ## Run every check and test that needs this machine alone

# In one run, so that what this machine tries itself is not tried in a guest as well.
.PHONY: test-all
test-all: check test-unit test-portable test-kernels test-systemd soak-guest ## Run every test, on all kernels and systems too

.PHONY: check
check: ## Check formatting, lints and shell scripts
	@packaging/install-deps test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p daemon --no-default-features -- -D warnings
	$(find_scripts) | xargs shellcheck --external-sources
	@found=$$(grep -rlE '\(unsafe_code' --include=*.rs common ctl daemon/benches daemon/src ebpf/src gui/src | sort | xargs); \
	[ "$$found" = "$(sort $(UNSAFE))" ] || \
		{ echo "unsafe code is in: $$found; the Makefile names others (UNSAFE)" >&2; exit 1; }

# Tests of one crate run programs of another, so all are built first; together, so
# that they share their dependencies. What captures, has a window or a browser is tried one at a
# time: .config/nextest.toml says so to nextest.
.PHONY: test-unit
test-unit: workload ## Run the tests on this machine, capture too if it permits eBPF
	@packaging/install-deps test
	cargo build --workspace --bins --tests
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace && cargo test --workspace --doc; \
	else \
		cargo test --workspace --lib --bins && \
		RUST_TEST_THREADS=1 cargo test --workspace --test '*' && cargo test --workspace --doc; \
	fi

# What serves recorded databases where there is no eBPF. Its features are others, and so its
# dependencies other files in target/.
.PHONY: test-portable
test-portable: ## Build and test the daemon without eBPF
	@packaging/install-deps test
	cargo test -p daemon --no-default-features --lib --bins

.PHONY: test-capture
test-capture: # Where this machine permits no eBPF, a guest stands for it
	@packaging/install-deps test
	tests/kernels/test --instead

.PHONY: test-kernels
test-kernels: ## Run the capture tests on every supported kernel, in qemu
	@packaging/install-deps test
	tests/kernels/test

.PHONY: test-systemd
test-systemd: ## Test the packaged service on whole Debian systems, in qemu
	@packaging/install-deps test
	tests/systemd/test

.PHONY: workload
workload: $(BPF_WORKLOAD) # The program that the capture tests watch

$(BPF_WORKLOAD): $(WORKLOAD_SOURCES)
	@packaging/install-deps test
	@mkdir -p $(@D)
	$(CC) $(WORKLOAD_FLAGS) -o $@ $(filter %.c,$^)

# It makes the pids of this machine few, or many, while it runs.
.PHONY: test-large
test-large: workload ## Run the tests of hostile load on this machine alone, with 200,000 processes, 50,000 at a time (as root)
	@packaging/install-deps test
	cargo build --workspace --bins --tests
	$(SUDO) env BPF_STORM=200000 BPF_RECORDER_OWN_MACHINE=1 BPF_RECORDER_REQUIRE_KERNEL=1 \
		BPF_RECORDERD=$(BPF_RECORDERD) BPFCTL=$(BPFCTL) BPF_WORKLOAD=$(BPF_WORKLOAD) \
		"$$($(capture_tests))" --nocapture --test-threads=1 hostile::

# What is found is kept in fuzz/artifacts, and inputs that lead further in target/fuzz/corpus.
# Instrumenting needs flags that stable Rust keeps to itself.
FUZZ    := wire filter rule ecs http elf config
SECONDS := 60
.PHONY: fuzz
fuzz: ## Seek inputs that break something (FUZZ="http elf" SECONDS=600)
	@packaging/install-deps fuzz
	@for target in $(FUZZ); do \
		mkdir -p $(TARGET)/fuzz/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 PATH="$(TARGET)/tools/bin:$$PATH" CARGO_TARGET_DIR=$(TARGET)/fuzz \
			cargo fuzz run --fuzz-dir fuzz $$target $(TARGET)/fuzz/corpus/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(SECONDS) -max_len=16384 -timeout=20 -rss_limit_mb=4096 || exit; \
	done

# What is known of weaknesses is asked of the database that is on the machine, if any: "cargo deny
# fetch db" brings it there.
.PHONY: audit
audit: ## Look at the crates that are used: licences, origins, duplicates, known weaknesses
	@packaging/install-deps audit
	$(TARGET)/tools/bin/cargo-deny check licenses bans sources
	@if [ -d "$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs" ]; then \
		$(TARGET)/tools/bin/cargo-deny check --disable-fetch advisories; \
	else \
		echo 'known weaknesses: not looked at, for there is no database; get it with: $(TARGET)/tools/bin/cargo-deny fetch db'; \
	fi

# Of the debug build, as other tests: what grows does so in any build.
SOAK_SECONDS       := 3600
SOAK_GUEST_SECONDS := 600
.PHONY: soak
soak: workload ## Load this machine for an hour and see whether the recorder grows (SOAK_SECONDS=600)
	@packaging/install-deps test
	cargo build --workspace --bins --tests
	$(SUDO) env BPF_SOAK=$(SOAK_SECONDS) BPF_RECORDER_REQUIRE_KERNEL=1 \
		BPF_RECORDERD=$(BPF_RECORDERD) BPFCTL=$(BPFCTL) BPF_WORKLOAD=$(BPF_WORKLOAD) \
		"$$($(capture_tests))" --nocapture soak::

.PHONY: soak-guest
soak-guest: ## The same for ten minutes in a guest, without privilege (SOAK_GUEST_SECONDS=60)
	@packaging/install-deps test
	tests/kernels/test --soak $(SOAK_GUEST_SECONDS)

.PHONY: bench
bench: export BPF_RECORDERD := $(TARGET)/release/bpf-recorderd
bench: export BPFCTL := $(TARGET)/release/bpfctl
bench: export BPF_RECORDED := $(TARGET)/bench/recorded.db
bench: export BPF_BENCH_TABLE := $(TARGET)/bench/costs.md
# auditd and laurel are measured too where they are installed (apt-get install auditd laurel).
# First, while the machine is at rest; the table is shown again at the end.
bench: workload ## Print what recording and looking cost on this machine (as root, else in part)
	@packaging/install-deps test
	cargo build --release --workspace --bins
	@rm -rf $(TARGET)/bench && mkdir -p $(TARGET)/bench
	cargo bench --workspace --bench recorder
	cargo bench --workspace --bench growth
	cargo bench --workspace --bench recorder -- --database $(BPF_RECORDED) 1000000
	cargo bench --workspace --bench viewer
	@echo && cat $(BPF_BENCH_TABLE)

.PHONY: screenshots
screenshots: ## Make the pictures of the viewer in packaging/desktop/screenshots (as root)
	@packaging/install-deps test
	cargo build --release --workspace --bins
	$(SUDO) packaging/desktop/make-screenshots $(TARGET)/release

PROFILE := release

.PHONY: deb
deb: ## Make packages for Debian in target/packages (PROFILE=dev: of the debug build)
	packaging/build deb $(PROFILE)

.PHONY: rpm
rpm: ## Make packages for Fedora in target/packages
	packaging/build rpm $(PROFILE)

.PHONY: install-deps
install-deps: ## Install what building and testing need and this machine lacks
	packaging/install-deps test

.PHONY: clean
clean: ## Remove what was built and fetched, but no recorded data
	cargo clean
	rm -rf target/packages
