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

PKGS := libarchive libcrypto jansson libelf sqlite3 libzstd libdeflate libseccomp
ifeq ($(filter help clean format deps demo test dist,$(MAKECMDGOALS)),)
MISSING := $(foreach p,$(PKGS),$(if $(shell pkg-config --exists $(p) && echo yes),,$(p)))
ifneq ($(strip $(MISSING)),)
$(error missing libraries: $(MISSING); on Debian `make deps` installs them)
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

WARNINGS := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef -Wpointer-arith \
	-Wcast-qual -Wwrite-strings $(if $(filter 1,$(WERROR)),-Werror)
HARDENING := -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks \
	-fno-strict-overflow $(if $(SANFLAGS),,-D_FORTIFY_SOURCE=2)
OPT      ?= -O2 -g
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -DXB_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu17 $(OPT) -fPIE -pthread $(WARNINGS) $(HARDENING) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL  := -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANFLAGS) $(LDFLAGS)

# xbuild-init is a small static program of its own that the builder carries inside itself:
# builder/sandbox/init*.c with what they need of the sandbox's specification and of base/.
MAIN_SRC := builder/cli/main.c
INIT_SRC := $(wildcard builder/sandbox/init*.c)
LIB_SRC  := $(filter-out $(MAIN_SRC) $(INIT_SRC),$(sort $(wildcard base/*.c platforms/*.c \
	emulation/*.c toolchains/*.c manifest/*.c builder/*/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o) $(if $(INIT_SRC),$(O)/builder/sandbox/init_image.o)
LIB      := $(O)/libxbuild.a

INIT_SHARED := builder/sandbox/spec.c base/error.c base/str.c base/array.c base/cleanup.c
INIT_OBJ := $(patsubst %.c,$(BUILD)/init/%.o,$(INIT_SRC) $(INIT_SHARED))
INIT_BIN := $(BUILD)/xbuild-init

UNIT_SRC  := $(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null))
UNIT_BIN  := $(UNIT_SRC:%.c=$(O)/%)
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(FUZZ_SRC:%.c=$(O)/%-replay)
FUZZ_BIN  := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/%)

.PHONY: all
all: $(O)/xbuild ## build the program (build/xbuild)

$(O)/xbuild: $(O)/builder/cli/main.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

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

# tests
$(O)/tests/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(LIB) -lcmocka $(PKG_LIBS)

$(O)/tests/fuzz/%-replay: tests/fuzz/%.c tests/fuzz/replay.c $(LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< \
		tests/fuzz/replay.c $(LIB) $(PKG_LIBS)

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests
	$(Q)sh tests/run_unit.sh $(UNIT_BIN)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | \
		awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'

DEPFILES := $(shell find $(O) $(BUILD)/init -name '*.d' 2>/dev/null)
-include $(DEPFILES)
