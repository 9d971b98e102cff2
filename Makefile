# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# junctor's build. `make help` lists the targets. Everything made is below $(BUILD); one folder for
# each compiler or sanitizer: make BUILD=build/clang CC=clang-19.

BUILD ?= build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SANITIZE ?=
ifeq ($(origin CC),default)
CC = gcc
endif
CLANG ?= clang-14
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INCLUDE ?= /usr/share/include/llhttp

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
.DELETE_ON_ERROR:

# One line for each step; V=1 shows the commands.
ifeq ($(V),)
say_cc = @printf '  CC   %s\n' $@;
say_bpf = @printf '  BPF  %s\n' $@;
say_gen = @printf '  GEN  %s\n' $@;
endif

# --- flags ------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wimplicit-fallthrough -Werror
HARDENING := -fstack-protector-strong -fPIE
ifeq ($(SANITIZE),)
HARDENING += -D_FORTIFY_SOURCE=2
else
SANITIZERS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
CFLAGS ?= -O2 -g
LIBNL_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags libnl-3.0))
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARNINGS) $(HARDENING) $(SANITIZERS) -D_GNU_SOURCE \
	-I. -Iinclude -Iuserspace -isystem $(BUILD)/gen -isystem $(LLHTTP_INCLUDE) $(LIBNL_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANITIZERS) $(LDFLAGS)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Iinclude \
	-ffile-prefix-map=$(CURDIR)=. -I/usr/include/$(shell gcc -print-multiarch)

DAEMON_LIBS := $(shell $(PKG_CONFIG) --libs libbpf libnl-3.0 libuv libnghttp2 jansson sqlite3 \
	yaml-0.1 libsystemd)
CLI_LIBS := $(shell $(PKG_CONFIG) --libs jansson yaml-0.1)

# --- sources ----------------------------------------------------------------------------------
# A room is a folder, below userspace/ but for proto; what junctor (the command line tool) may link is CLI_ROOMS.
CLI_ROOMS := base proto client cli
ROOMS := base proto client model datapath netlink loop probe canary store engine source api offline doctor daemon cli
sources = $(wildcard $1/*.c userspace/$1/*.c)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(call sources,$1))
MAINS := $(BUILD)/obj/userspace/daemon/main.o $(BUILD)/obj/userspace/cli/main.o
SOURCES := $(foreach room,$(ROOMS),$(call sources,$(room)))
OBJECTS := $(foreach room,$(ROOMS),$(call objects,$(room)))
HEADERS := $(wildcard include/junctor/*.h include/junctor/decide/*.h proto/*.h userspace/*/*.h)
# The tables first: libbpf 1.1's linker loses the place of one that is used before it is defined.
BPF_SOURCES := kernel/maps.bpf.c $(filter-out kernel/maps.bpf.c,$(wildcard kernel/*.bpf.c))
BPF_OBJECTS := $(patsubst kernel/%.c,$(BUILD)/bpf/%.o,$(BPF_SOURCES))
# What jn_trace runs: the files that decide, built dry (kernel/dry.bpf.h).
TRACE_OBJECTS := $(addprefix $(BUILD)/bpf/dry/,$(addsuffix .bpf.o,maps choose pick affinity live trace/trace))

UNIT_TESTS := $(patsubst test/unit/%.c,$(BUILD)/test/unit/%,$(wildcard test/unit/*_test.c))
BPF_TESTS := $(patsubst test/bpf/%.c,$(BUILD)/test/bpf/%,$(wildcard test/bpf/*_test.c))
TEST_TOOLS := $(addprefix $(BUILD)/test/tools/,crash_at uring_http go_client dump_tables \
	junctord_short_of_memory)
FUZZ_TARGETS := $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))
BENCH_PROGRAMS := $(patsubst test/bench/%.c,$(BUILD)/bench/%,$(wildcard test/bench/*.c))

.PHONY: help all check format test test-unit test-bpf test-kernels test-programs test-unit-programs \
	test-bpf-programs sanitized sanitized-programs fuzz soak bench bench-programs demo install \
	uninstall deb test-vm clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile
	@echo "Settings: BUILD=dir CC=gcc|clang-14|clang-19 CLANG=clang-14|clang-19 SANITIZE=address,undefined V=1"

all: $(BUILD)/junctord $(BUILD)/junctor compile_commands.json ## build junctord and junctor

# --- the kernel side ----------------------------------------------------------------------------
$(BUILD)/bpf/%.bpf.o: kernel/%.bpf.c
	@mkdir -p $(@D)
	$(say_bpf)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bpf/dry/%.bpf.o: kernel/%.bpf.c
	@mkdir -p $(@D)
	$(say_bpf)$(CLANG) $(BPF_CFLAGS) -Ikernel -DJN_IS_DRY=1 -MMD -MP -c $< -o $@

$(BUILD)/bpf/trace.o: $(TRACE_OBJECTS)
	$(say_gen)$(BPFTOOL) gen object $@ $^

$(BUILD)/gen/trace.skel.h: $(BUILD)/bpf/trace.o
	@mkdir -p $(@D)
	$(say_gen)$(BPFTOOL) gen skeleton $< name trace_bpf > $@

$(BUILD)/bpf/junctor.o: $(BPF_OBJECTS)
	$(say_gen)$(BPFTOOL) gen object $@ $^

$(BUILD)/gen/junctor.skel.h: $(BUILD)/bpf/junctor.o
	@mkdir -p $(@D)
	$(say_gen)$(BPFTOOL) gen skeleton $< name junctor_bpf > $@

$(BUILD)/gen/end.skel.h: $(BUILD)/bpf/end/end.bpf.o
	@mkdir -p $(@D)
	$(say_gen)$(BPFTOOL) gen skeleton $< name end_bpf > $@

# --- the controller and the command line tool ---------------------------------------------------
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(call objects,datapath): $(BUILD)/gen/junctor.skel.h $(BUILD)/gen/end.skel.h $(BUILD)/gen/trace.skel.h

# llhttp as Debian ships it, in sources: built strict, without our warnings.
$(BUILD)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	$(say_cc)$(CC) -std=c11 $(CFLAGS) $(HARDENING) $(SANITIZERS) -DLLHTTP_STRICT_MODE=1 \
		-I$(LLHTTP_INCLUDE) -c $< -o $@

LLHTTP := $(addprefix $(BUILD)/llhttp/,llhttp.o api.o http.o)

$(BUILD)/libjunctor.a: $(filter-out $(MAINS),$(OBJECTS)) $(LLHTTP)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/junctord: $(BUILD)/obj/userspace/daemon/main.o $(BUILD)/libjunctor.a
	$(say_cc)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/junctor: $(foreach room,$(CLI_ROOMS),$(call objects,$(room))) $(LLHTTP)
	$(say_cc)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLI_LIBS)

compile_commands.json: Makefile $(SOURCES)
	@scripts/compile-commands.sh "$(CC) $(ALL_CFLAGS)" $(SOURCES) > $@

# --- tests ----------------------------------------------------------------------------------------
$(BUILD)/test/unit/%: test/unit/%.c $(BUILD)/libjunctor.a
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libjunctor.a $(DAEMON_LIBS) \
		-lcmocka -lpthread

$(BUILD)/test/bpf/%.bpf.o: test/bpf/%.bpf.c
	@mkdir -p $(@D)
	$(say_bpf)$(CLANG) $(BPF_CFLAGS) -Ikernel -MMD -MP -c $< -o $@

# The kernel's own objects with doors for tests.
$(BUILD)/test/bpf/doors.o: $(BPF_OBJECTS) \
		$(patsubst test/bpf/%.c,$(BUILD)/test/bpf/%.o,$(wildcard test/bpf/*.bpf.c))
	$(say_gen)$(BPFTOOL) gen object $@ $^

$(BUILD)/test/bpf/gen/doors.skel.h: $(BUILD)/test/bpf/doors.o
	@mkdir -p $(@D)
	$(say_gen)$(BPFTOOL) gen skeleton $< name doors_bpf > $@

$(addprefix $(BUILD)/test/bpf/,decide_test udp_test client_test live_test \
	spread_test): $(BUILD)/test/bpf/gen/doors.skel.h

$(BUILD)/test/bpf/%_test: test/bpf/%_test.c $(BUILD)/libjunctor.a
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) -isystem $(BUILD)/test/bpf/gen -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
		$(BUILD)/libjunctor.a $(DAEMON_LIBS) -lcmocka -lpthread

$(BUILD)/test/tools/crash_at: test/scenario/tools/crash_at.c
$(BUILD)/test/tools/uring_http: test/scenario/tools/uring_http.c
$(BUILD)/test/tools/crash_at $(BUILD)/test/tools/uring_http:
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(if $(findstring uring,$@),-luring)

$(BUILD)/test/tools/dump_tables: test/scenario/tools/dump_tables.c $(BUILD)/libjunctor.a
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/test/tools/junctord_short_of_memory: test/scenario/tools/short_of_memory.c \
		$(BUILD)/obj/userspace/daemon/main.o $(BUILD)/libjunctor.a
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/test/tools/go_client: test/scenario/tools/go_client.go
	@mkdir -p $(@D)
	CGO_ENABLED=0 $(shell command -v go || echo /usr/local/go/bin/go) build -o $@ $<

test-programs: all $(UNIT_TESTS) $(BPF_TESTS) $(TEST_TOOLS) ## build what the tests need

test-unit-programs: $(UNIT_TESTS)

test-bpf-programs: $(BPF_TESTS)

# libFuzzer brings main(). The objects must be built for it: see `sanitized`.
$(BUILD)/fuzz/%: test/fuzz/%.c $(BUILD)/libjunctor.a
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -Itest/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
		$(BUILD)/libjunctor.a $(DAEMON_LIBS)

sanitized-programs: $(BUILD)/junctord $(BUILD)/junctor $(UNIT_TESTS) $(FUZZ_TARGETS) \
		$(BUILD)/test/tools/dump_tables

# One build for the unit tests, the fuzz targets and a whole junctord.
sanitized: ## everything that is tested with sanitizers, in BUILD/sanitized
	@MAKEFLAGS= $(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized CC=clang-14 CFLAGS="-O1 -g" \
		SANITIZE=fuzzer-no-link,address,undefined sanitized-programs

test: ## every test: unit, BPF, scenarios, command line; ends with "N passed, N failed"
	@scripts/test.sh

test-vm: ## the package in a whole Debian under qemu: install, use, reboot, purge (root)
	@BUILD=$(BUILD) nice scripts/test-vm.sh

test-unit: $(UNIT_TESTS) ## the unit tests alone
	@scripts/run-cmocka.sh $^

test-bpf: $(BPF_TESTS) ## the tests of the kernel programs and their tables alone (root)
	@scripts/run-cmocka.sh $^

test-kernels: ## the BPF tests and scenarios on Linux 6.1 and 6.12 under qemu; WRITE=1 writes docs/verifier.md (root)
	@BUILD=$(BUILD) KERNELS="$(KERNELS)" WRITE="$(WRITE)" scripts/test-kernels.sh

fuzz: sanitized ## the fuzz targets, a minute each; TARGET=object|http|plan|probe, SECONDS= or RUNS= of each
	@BUILD=$(BUILD) TARGET="$(TARGET)" SECONDS_EACH="$(SECONDS)" RUNS="$(RUNS)" nice scripts/fuzz.sh

soak: ## the full doses of everything, for MINUTES=60: scenarios, model check, fuzz, growth (root)
	@BUILD=$(BUILD) MINUTES="$(MINUTES)" scripts/soak.sh

# --- measuring ------------------------------------------------------------------------------------
$(BUILD)/bench/%: test/bench/%.c test/bench/bench.h test/bench/options.h
	@mkdir -p $(@D)
	$(say_cc)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lpthread

bench-programs: $(BENCH_PROGRAMS)

bench: all bench-programs ## the scoreboard (root); ROW=3 for one row
	/usr/bin/python3 test/bench/run.py --build $(BUILD)

demo: ## the whole story on real programs; installs what is missing
	@scripts/demo.sh

# --- quality --------------------------------------------------------------------------------------
check: all $(BUILD)/test/bpf/budget_test ## format, layers, headers, sizes, linters, verifier budgets
	+@BUILD=$(BUILD) scripts/check.sh

format: ## rewrite the sources with clang-format
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

# --- installing -----------------------------------------------------------------------------------
install_places = BUILD="$(BUILD)" DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" \
	UNITDIR="$(UNITDIR)"

install: all ## install below DESTDIR, for PREFIX; a configuration that is there stays
	@$(install_places) scripts/install.sh install

uninstall: ## remove what install put, and nothing else
	@$(install_places) scripts/install.sh uninstall

deb: ## the Debian package, in BUILD/deb, judged by lintian
	@BUILD=$(BUILD) scripts/deb.sh

clean: ## remove what was built
	rm -rf $(BUILD) compile_commands.json

-include $(OBJECTS:.o=.d) $(BPF_OBJECTS:.o=.d) $(BUILD)/bpf/end/end.bpf.d $(TRACE_OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(BPF_TESTS:=.d) \
	$(FUZZ_TARGETS:=.d) $(wildcard $(BUILD)/test/bpf/*.bpf.d)
