# A thin front for people; the build itself is in meson.build.
#
#   make          build; the programs are in build/bin/
#   make demo     see opseal do its main job; once built, in under a minute
#   make check    run every test
#   make help     everything else
#
# BUILD names another build directory; MESON_ARGS goes to meson setup.  A build
# directory keeps PREFIX, SYSCONFDIR and MESON_ARGS until other ones are given.

BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
TIME ?= 60
MESON_ARGS ?=
PYTHON = /usr/bin/python3
LINT = build-lint
SANITIZE = build-sanitize
FUZZ = build-fuzz

all: build

# "build" is also the name of a directory, so it must be phony.
.PHONY: all build help deps demo check quick install bench bench-lists lint sanitize sanitize-build fuzz clean deps-lint deps-bench

# Those of them that were given, here or in the environment.
given = $(if $(and $($(1)),$(filter-out file,$(origin $(1)))),$(2))
SETTINGS = $(call given,PREFIX,--prefix='$(PREFIX)') \
    $(call given,SYSCONFDIR,--sysconfdir='$(SYSCONFDIR)') $(MESON_ARGS)

build:
	@tools/meson-setup $(BUILD) $(SETTINGS)
	@tools/compile $(BUILD)
	@tools/collect-bin $(BUILD)
	@echo "Built: $(BUILD)/bin/ ($$(ls $(BUILD)/bin | tr '\n' ' ' | sed 's/ $$//'))"

help:
	@echo "make            build; the programs are in build/bin/"
	@echo "make demo       record, list, replay and verify a real session, and catch a changed byte"
	@echo "make check      run every test; 'make quick' runs those that need no root, in under a minute"
	@echo "make deps       install what building and testing need"
	@echo "make install    install to PREFIX ($(PREFIX)) and SYSCONFDIR ($(SYSCONFDIR)); DESTDIR is honoured"
	@echo "make lint       clang's warnings, clang-format, clang-tidy, cppcheck, mandoc, tools/check-tree"
	@echo "make sanitize   the tests under AddressSanitizer and UBSan"
	@echo "make fuzz       fuzz every parser for TIME=$(TIME) seconds each"
	@echo "make bench      measure beside script, ttyrec, asciinema, tlog and sudo; QUICK=1 for a first look"
	@echo "make bench-lists  measure log and ls in a store of ten million programs (20 minutes, 4 GB)"
	@echo "make clean      remove every build directory"

deps:
	@tools/deps build test

deps-lint:
	@tools/deps build test lint

deps-bench:
	@tools/deps build test bench

demo: deps
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/demo --build $(BUILD)

check: deps
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/run-tests --build $(BUILD) --suite unit,fuzz,cli,fault,e2e

quick: build
	@$(PYTHON) tools/run-tests --build $(BUILD) --suite unit,fuzz,cli

# Without DESTDIR this is the machine itself: the daemon's user is made too.
# Build as yourself first; as root the door gets owner root and mode 0711.
install: build
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild --quiet
	@tools/after-install '$(BUILD)' '$(DESTDIR)'

bench: deps-bench
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/bench --build $(BUILD)

bench-lists: build
	@tools/bench-lists --build $(BUILD)

lint: deps-lint
	@[ -f $(LINT)/build.ninja ] || CC=clang tools/meson-setup $(LINT) -Dwerror=true \
	    -Doptimization=1 -Ddebug=false
	@$(PYTHON) tools/lint --build $(LINT)

# Left to make check: hostile, hostile_terminal and evasion preload libraries, send
# the signals that the sanitizers take for themselves, and limit the memory they
# need; install, nocapture, packages, package_rpm, systemd and readme build programs of
# their own; interop, openssh_suite and ansible try those of others; many_logins is about
# speed, and transparent and transparent_terminal about what a program sees of its
# environment.  fault_table asks who gets in while sshd and login(1) are in between: the
# same faults are brought about to sanitized programs by full, limits, reload, off,
# door_trouble, nth and test_daemon_life.  A sanitizer's report ends the program, so that a test sees it.
# gcc's sanitizers make its own warnings see ghosts: no -Dwerror here.  -O1 compiles
# in two thirds of the time, and the tests are as fast; -g1 has the lines for a report, in
# four fifths of that.
sanitize: sanitize-build
	@$(PYTHON) tools/run-tests --build $(SANITIZE) --suite unit,fuzz,cli,fault,e2e --sanitize \
	    --skip hostile --skip hostile_terminal --skip evasion \
	    --skip install --skip nocapture --skip packages --skip package_rpm --skip readme \
	    --skip interop --skip fault_table \
	    --skip openssh_suite --skip ansible --skip many_logins --skip systemd \
	    --skip transparent --skip transparent_terminal

sanitize-build: deps
	@[ -f $(SANITIZE)/build.ninja ] || tools/meson-setup $(SANITIZE) \
	    -Db_sanitize=address,undefined -Db_lundef=false \
	    -Doptimization=1 -Ddebug=false -Dc_args='-g1 -Wno-error=format-truncation'
	@tools/compile $(SANITIZE)
	@tools/collect-bin $(SANITIZE)

fuzz: deps-lint
	@[ -f $(FUZZ)/build.ninja ] || CC=clang tools/meson-setup $(FUZZ) \
	    -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
	@tools/compile $(FUZZ)
	@$(PYTHON) tools/fuzz --build $(FUZZ) --time $(TIME)

clean:
	@rm -rf $(BUILD) $(LINT) $(SANITIZE) $(FUZZ)
