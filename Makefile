# SPDX-License-Identifier: Apache-2.0
# xbuild. One Makefile, no recursion into directories. `make help` lists the targets.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

VERSION  := 0.1.0
CC       ?= gcc
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
V        ?= 0
WERROR   ?= 0
# address (with undefined), thread, or empty; each has its own directory: BUILD/asan, BUILD/tsan
SANITIZE ?=

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' "$(1)" "$(2)";)

ifeq ($(SANITIZE),address)
O := $(BUILD)/asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(SANITIZE),thread)
O := $(BUILD)/tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else
O := $(BUILD)
SANFLAGS :=
endif

PKGS := libcrypto jansson libelf sqlite3 libzstd libdeflate zlib liblzma libseccomp
# Only its header: base/http_curl.c loads the library when there is something to fetch.
HEADER_PKGS := libcurl
# These work on a machine that has no library yet.
ifeq ($(filter help clean format deps deps-test demo test dist uninstall,$(MAKECMDGOALS)),)
MISSING := $(foreach p,$(PKGS) $(HEADER_PKGS),$(if $(shell pkg-config --exists $(p) && echo yes),,$(p)))
ifneq ($(strip $(MISSING)),)
$(error missing libraries: $(MISSING); on Debian `make deps` installs them)
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(HEADER_PKGS))
# bzip2 has no file for pkg-config in Debian.
PKG_LIBS   := $(shell pkg-config --libs $(PKGS)) -lbz2
endif

# Sanitizers change what gcc sees of a function, and some of its warnings with it: no -Werror there.
WARNINGS := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef -Wpointer-arith \
	-Wcast-qual -Wwrite-strings $(if $(SANFLAGS),,$(if $(filter 1,$(WERROR)),-Werror))
HARDENING := -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks \
	-fno-strict-overflow $(if $(SANFLAGS),,-D_FORTIFY_SOURCE=2)
# Sanitizers at -O2 take half as long again to compile, and find no more.
OPT      ?= $(if $(SANFLAGS),-O1,-O2) -g
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -DXB_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu17 $(OPT) -fPIE -pthread $(WARNINGS) $(HARDENING) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL  := -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANFLAGS) $(LDFLAGS)

# xbuild-init is a small static program of its own that the builder carries inside itself:
# builder/sandbox/init*.c with what they need of the sandbox's specification and of base/.
MAIN_SRC := builder/cli/main.c builder/sandbox/seccomp_main.c
INIT_SRC := $(wildcard builder/sandbox/init*.c)
IMAGES   := init_image seccomp_image
LIB_SRC  := $(filter-out $(MAIN_SRC) $(INIT_SRC),$(sort $(wildcard base/*.c platforms/*.c \
	emulation/*.c toolchains/*.c manifest/*.c manifest/*/*.c builder/*/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o) $(IMAGES:%=$(O)/builder/sandbox/%.o)
LIB      := $(O)/libxbuild.a

INIT_SHARED := builder/sandbox/spec.c emulation/binfmt_mount.c base/array.c base/cleanup.c \
	base/die.c base/error.c base/file.c base/file_root.c base/overlay.c base/owner.c base/str.c \
	platforms/arch.c platforms/platform.c
INIT_OBJ := $(patsubst %.c,$(BUILD)/init/%.o,$(INIT_SRC) $(INIT_SHARED))
INIT_BIN := $(BUILD)/xbuild-init

# The filter of steps is made here once, since that takes libseccomp longer than a step takes. Where
# the program that does it cannot run, as in a build for another machine, each xbuild does it itself.
SECCOMP_OBJ := $(patsubst %.c,$(BUILD)/init/%.o,builder/sandbox/seccomp_main.c \
	builder/sandbox/seccomp.c base/array.c base/cleanup.c base/die.c base/error.c base/file.c \
	base/file_root.c base/owner.c base/str.c)
SECCOMP_TOOL := $(BUILD)/xbuild-seccomp
SECCOMP_BIN  := $(BUILD)/seccomp.bpf

# The longest tests are begun first, so that none of them is left alone at the end.
longest_first = $(filter $(1),$(2)) $(filter-out $(1),$(2))
UNIT_SRC  := $(call longest_first,%/test_git.c %/test_git_hostile.c %/test_ground.c %/test_pieces.c,$(sort \
	$(shell find tests/unit -name 'test_*.c' 2>/dev/null)))
UNIT_BIN  := $(UNIT_SRC:%.c=$(O)/%)
BENCH_BIN := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bench/*.c)))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(FUZZ_SRC:%.c=$(O)/%-replay)
FUZZ_BIN  := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/%)

.PHONY: all
all: $(O)/xbuild ## build the program (build/xbuild)

$(O)/xbuild: $(O)/builder/cli/main.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && ar qcs $@ $^

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/init/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (init))$(CC) $(CPPFLAGS_ALL) -std=gnu17 -Os -g $(WARNINGS) $(HARDENING) \
		-ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<

$(INIT_BIN): $(INIT_OBJ)
	$(call say,LD,$@)$(CC) -static -Wl,--gc-sections,-s -o $@ $^

$(O)/builder/sandbox/init_image.o: builder/sandbox/init_image.S $(INIT_BIN)
	@mkdir -p $(@D)
	$(call say,AS,$@)$(CC) -DXB_INIT_BIN='"$(INIT_BIN)"' -c -o $@ $<

$(SECCOMP_TOOL): $(SECCOMP_OBJ)
	$(call say,LD,$@)$(CC) -o $@ $^ $(shell pkg-config --libs libseccomp)

$(SECCOMP_BIN): $(SECCOMP_TOOL)
	$(call say,GEN,$@){ $(abspath $(SECCOMP_TOOL)) >$@.new 2>/dev/null || : >$@.new; } && mv $@.new $@

$(O)/builder/sandbox/seccomp_image.o: builder/sandbox/seccomp_image.S $(SECCOMP_BIN)
	@mkdir -p $(@D)
	$(call say,AS,$@)$(CC) -DXB_SECCOMP_BIN='"$(SECCOMP_BIN)"' -c -o $@ $<

# tests
$(O)/tests/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(LIB) -lcmocka $(PKG_LIBS)

$(O)/tests/fuzz/%-replay: tests/fuzz/%.c tests/fuzz/replay.c $(LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< \
		tests/fuzz/replay.c $(LIB) $(PKG_LIBS)

$(O)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,BENCH,$@)$(CC) -std=gnu17 -D_GNU_SOURCE $(OPT) $(WARNINGS) $(PKG_CFLAGS) -pthread \
		-o $@ $< -lcrypto -ldeflate -lz

# Each suite leaves its counts in RESULTS and never stops make; tests/tally.sh has the last word.
RESULTS  ?= $(O)/results
TALLY    := sh tests/tally.sh $(RESULTS)
XB_REQUIRE  ?= $(shell sh tests/require.sh)
XB_CORPORA  ?= $(wildcard $(abspath ../shared/corpora))
XB_EVIL     ?= $(wildcard $(abspath ../shared/evil))
export XB_REQUIRE XB_CORPORA XB_EVIL
export ASAN_OPTIONS ?= detect_leaks=1:abort_on_error=0:allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1

LINT_TESTS := $(sort $(wildcard tests/lint/check_*.py))
E2E_TESTS  := $(call longest_first,$(patsubst %,tests/e2e/test_%.sh,debian evil crash git cancel hostile \
	walls mounts store snapshots),$(sort $(wildcard tests/e2e/test_*.sh)))
ASAN_E2E   := $(wildcard tests/e2e/test_quick.sh)
TSAN_E2E   := $(wildcard tests/e2e/test_crowd.sh)

.PHONY: suite-unit suite-replay suite-lint suite-e2e suite-asan suite-tsan
suite-unit: $(UNIT_BIN)
	$(Q)sh tests/run.sh $(RESULTS) unit $(UNIT_BIN)
suite-replay: $(FUZZ_REPLAY)
	$(Q)XB_REPLAY="$(FUZZ_REPLAY)" sh tests/run.sh $(RESULTS) fuzz tests/replay.sh
suite-lint:
	$(Q)sh tests/run.sh $(RESULTS) lint $(LINT_TESTS)
suite-e2e: all
	$(Q)XBUILD=$(abspath $(O)/xbuild) XB_TEST_TIMEOUT=1200 sh tests/run.sh $(RESULTS) e2e $(E2E_TESTS)
# Whole builds by the program as SANITIZE made it.
suite-asan: all
	$(Q)XBUILD=$(abspath $(O)/xbuild) sh tests/run.sh $(RESULTS) e2e-sanitized $(ASAN_E2E)
suite-tsan: all
	$(Q)XBUILD=$(abspath $(O)/xbuild) sh tests/run.sh $(RESULTS) e2e-sanitized $(TSAN_E2E)

.PHONY: unit
unit: ## build and run the unit tests
	$(Q)rm -rf $(RESULTS)
	$(Q)$(MAKE) --no-print-directory suite-unit
	$(Q)$(TALLY)

.PHONY: check
check: ## run all that CI runs: unit tests, fuzz corpora, lint, builds end to end
	$(Q)rm -rf $(RESULTS)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)for suite in unit replay lint e2e; do $(MAKE) --no-print-directory suite-$$suite || exit; done
	$(Q)$(TALLY)

.PHONY: check-asan
check-asan: ## unit tests, fuzz corpora and whole builds under AddressSanitizer and UBSan
	$(Q)rm -rf $(BUILD)/asan/results
	$(Q)for suite in unit replay asan; do \
		$(MAKE) --no-print-directory SANITIZE=address suite-$$suite || exit; done
	$(Q)sh tests/tally.sh $(BUILD)/asan/results

.PHONY: check-tsan
# Its helper thread keeps a process from entering a user namespace: those tests skip by name. Root's
# builds enter none.
check-tsan: ## unit tests and a crowd of whole builds under ThreadSanitizer
	$(Q)rm -rf $(BUILD)/tsan/results
	$(Q)for suite in unit tsan; do \
		$(MAKE) --no-print-directory SANITIZE=thread XB_REQUIRE= suite-$$suite || exit; done
	$(Q)sh tests/tally.sh $(BUILD)/tsan/results

.PHONY: lint
lint: ## check includes, headers, names, sizes, format, cppcheck
	$(Q)rm -rf $(RESULTS)
	$(Q)$(MAKE) --no-print-directory suite-lint
	$(Q)$(TALLY)

.PHONY: test
test: ## install what tests need, build, run all tests (what .ci/run runs)
	$(Q)$(MAKE) --no-print-directory deps deps-test
	$(Q)rm -rf $(BUILD)/results
	$(Q)for suite in unit replay lint e2e; do \
		$(MAKE) --no-print-directory RESULTS=$(BUILD)/results suite-$$suite || \
			sh tests/tally.sh $(BUILD)/results "$$suite: it could not be built"; done
	$(Q)for suite in unit replay asan; do \
		$(MAKE) --no-print-directory RESULTS=$(BUILD)/results/asan SANITIZE=address \
			suite-$$suite || \
			sh tests/tally.sh $(BUILD)/results "$$suite (asan): it could not be built"; done
	$(Q)sh tests/tally.sh $(BUILD)/results

# Fuzzing: clang's libFuzzer over the same targets that the corpora are replayed through.
FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_SAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_OBJ     := $(LIB_SRC:%.c=$(BUILD)/fuzz/obj/%.o) \
	$(IMAGES:%=$(BUILD)/builder/sandbox/%.o)
FUZZ_FLAGS   := $(CPPFLAGS_ALL) -std=gnu17 -O1 -g -fPIE -pthread $(FUZZ_SAN)

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (fuzz))$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/libxbuild.a: $(FUZZ_OBJ)
	$(call say,AR,$@)rm -f $@ && ar qcs $@ $^

$(BUILD)/fuzz/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libxbuild.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< \
		$(BUILD)/fuzz/libxbuild.a $(PKG_LIBS)

.PHONY: fuzz
fuzz: $(FUZZ_BIN) ## fuzz each target for FUZZ_SECONDS (60)
	$(Q)for target in $(FUZZ_BIN); do \
		what=$$(basename $$target); what=$${what#fuzz_}; \
		new=$(BUILD)/fuzz/corpus/$$what; mkdir -p $$new tests/fuzz/corpus/$$what; \
		echo "  FUZZ    $$what, $(FUZZ_SECONDS) s"; \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ $$new tests/fuzz/corpus/$$what \
			|| exit 1; \
	done

.PHONY: format
format: ## put the C code into its form
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: bench
bench: all $(BENCH_BIN) ## measure builds, beside buildah where that is installed (XB_BENCH_QUICK=1: try it)
	$(Q)XBUILD=$(abspath $(O)/xbuild) XB_BENCH_TOOLS=$(abspath $(O)/tests/bench) sh tests/bench/bench.sh

# Builds broken on purpose (tests/crash/crash.py): each goes on where it was stopped, until it has had so
# many rounds; a new CRASH_SEED begins anew.
CRASH_SEED   ?= 1
CRASH_KILLS  ?= 2000
CRASH_FAULTS ?= 2000
CRASH_CUTS   ?= 300
CRASH_CROWDS ?= 100
crash = $(Q)XBUILD=$(abspath $(O)/xbuild) MEDDLE=$(abspath $(O)/tests/crash/meddle) \
	python3 tests/crash/crash.py $(1) --times $(2) --seed $(CRASH_SEED) \
	--state $(O)/tests/crash/$(1)-$(CRASH_SEED).json

$(O)/tests/crash/meddle: tests/crash/meddle.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu17 -O2 -g $(WARNINGS) -o $@ $<

.PHONY: campaign-crash
campaign-crash: all $(O)/tests/crash/meddle ## kills, failing calls and power cuts by the thousand (root, hours)
	$(call crash,kill,$(CRASH_KILLS))
	$(call crash,fail,$(CRASH_FAULTS))
	$(call crash,cut,$(CRASH_CUTS))
	$(call crash,crowd,$(CRASH_CROWDS))

.PHONY: campaign-registry
campaign-registry: all ## a hundred pushes and pulls through faults, kills at each request (minutes)
	$(Q)XBUILD=$(abspath $(O)/xbuild) XB_FLAKY_ROUNDS=100 XB_FLAKY_STRIDE=1 sh tests/e2e/test_flaky.sh

.PHONY: cases
cases: all ## judge builds by other projects' cases (XB_CORPORA)
	$(Q)XBUILD=$(abspath $(O)/xbuild) sh tests/cases.sh

.PHONY: demo
demo: ## build everything, Debian bases included, and the example for two platforms; run it
	$(Q)$(MAKE) --no-print-directory deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)XBUILD=$(abspath $(O)/xbuild) sh docs/examples/demo.sh

# What Debian calls the things needed to build and to run xbuild, and by its tests.
DEB_BUILD := gcc libc6-dev make pkg-config libbz2-dev liblzma-dev libssl-dev libjansson-dev libelf-dev \
	libsqlite3-dev libzstd-dev libdeflate-dev zlib1g-dev libseccomp-dev uthash-dev \
	libcurl4-openssl-dev
DEB_RUN   := git qemu-user-static uidmap debootstrap debian-archive-keyring libcurl4 \
	ca-certificates
DEB_TEST  := libcmocka-dev clang clang-format clang-tidy cppcheck python3 python3-yaml git jq skopeo umoci \
	buildah busybox-static openssh-server uidmap procps attr shellcheck strace zstd bzip2 xz-utils openssl \
	docker-registry curl \
	faketime gcc-aarch64-linux-gnu libc6-dev-arm64-cross

.PHONY: deps deps-test
deps: ## install the Debian packages needed to build and run (root or sudo)
	$(Q)sh tests/deps.sh $(DEB_BUILD) $(DEB_RUN)
deps-test: ## install the Debian packages that tests need (root or sudo)
	$(Q)sh tests/deps.sh $(DEB_TEST)

.PHONY: install uninstall
install: all ## install to PREFIX (/usr/local), below DESTDIR
	install -D -m 755 $(O)/xbuild $(DESTDIR)$(PREFIX)/bin/xbuild
	install -D -m 644 docs/man/xbuild.1 $(DESTDIR)$(PREFIX)/share/man/man1/xbuild.1
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/xbuild $(DESTDIR)$(PREFIX)/share/man/man1/xbuild.1

.PHONY: dist
dist: ## a tarball of the committed tree
	@mkdir -p dist
	git archive --prefix=xbuild-$(VERSION)/ -o dist/xbuild-$(VERSION).tar.gz HEAD
	@echo dist/xbuild-$(VERSION).tar.gz

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD) dist

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | \
		awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'

DEPFILES := $(LIB_OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(SECCOMP_OBJ:.o=.d) $(O)/builder/cli/main.d $(UNIT_BIN:=.d) \
	$(FUZZ_OBJ:.o=.d)
-include $(wildcard $(DEPFILES))
