# ioasidd: build, try and check it. `make help` lists what there is.
#
# Variables: CC (gcc, clang), BUILD (output folder), OPT (-O2), SANITIZE
# (address,undefined or thread; use a BUILD of its own), FAULTS (1: faults can
# be asked for and rules of the simulation switched off; never installed),
# DESTDIR and PREFIX.
#
# CROSS builds for another machine: CROSS=powerpc64le-linux-gnu (or
# ppc64le-linux-gnu), CROSS=aarch64-linux-gnu, into build-$(CROSS). Little-endian
# ones only (ioasidd/base/uapi.h). packaging/sysroot fetches what is built
# against; code generators are made for this machine.

CROSS	=
CC	= gcc
AR	= ar
BUILD	= build
HOSTCC	= $(CC)
OPT	= -O2
SANITIZE =
FAULTS	=
PREFIX	= /usr
VERSION	= 0.1.0

GEN	= $(BUILD)/gen
OBJ	= $(BUILD)/obj

CFLAGS	= $(OPT) -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DIOASIDD_VERSION='"$(VERSION)"' \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wno-unused-parameter -Werror -fPIC -fno-common \
	-fstack-protector-strong -fstack-clash-protection -fvisibility=hidden \
	$(if $(filter -O0,$(OPT)),,-D_FORTIFY_SOURCE=2) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all) $(if $(FAULTS),-DIOASID_FAULTS) -Iioasidd -Iclients -Iapi -I$(GEN) $(CFLAGS)

override CROSS := $(patsubst ppc64le-%,powerpc64le-%,$(CROSS))
ifneq ($(CROSS),)
CC	= $(CROSS)-gcc
AR	= $(CROSS)-ar
BUILD	= build-$(CROSS)
HOSTCC	= gcc
# Asked for once, when something is compiled.
SYSROOT	= $(eval SYSROOT := $(or $(shell packaging/sysroot $(CROSS)),$(error \
	no sysroot for $(CROSS))))$(SYSROOT)
ALL_CFLAGS += --sysroot=$(SYSROOT)
endif

ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# --- sources -----------------------------------------------------------------

PROTO	= $(wildcard schema/ioasid/v1/*.proto)
PROTO_OPTIONS = ioasid/v1/options google/api/annotations google/api/http \
	google/protobuf/descriptor
PROTO_NAMES = $(filter-out $(PROTO_OPTIONS),$(PROTO:schema/%.proto=%)) \
	google/protobuf/timestamp
# Beside the contract, which has none of them: what gRPC clients know by heart.
GRPC_PROTO = $(wildcard schema/google/rpc/*.proto schema/grpc/*/*/*.proto)
GRPC_PROTO_NAMES = google/rpc/status google/rpc/error_details \
	google/protobuf/any grpc/health/v1/health grpc/reflection/v1/reflection
SQL	= $(sort $(wildcard schema/sql/*.sql))

# In builds with FAULTS alone. That memory is refused is linked into programs,
# not into what others link.
FAULT_SRC = ioasidd/base/fault.c ioasidd/kernel/faulty.c ioasidd/store/fault-vfs.c
FAULT_MEMORY_SRC = ioasidd/base/fault-memory.c
FAULT_UNIT_SRC = $(wildcard tests/unit/test-fault*.c)
FAULT_WRAP = malloc calloc realloc reallocarray strdup opendir fdopendir fdopen \
	open_memstream vasprintf __vasprintf_chk pthread_create
NOT_BUILT = $(FAULT_MEMORY_SRC) $(if $(FAULTS),,$(FAULT_SRC) $(FAULT_UNIT_SRC))

BASE_SRC = $(filter-out $(NOT_BUILT),$(wildcard ioasidd/base/*.c))
# The root program has neither the simulation nor what only that needs.
DAEMON_SRC = $(foreach d,kernel model store ops front run, \
	$(filter-out ioasidd/run/main.c ioasidd/run/machine-sim.c $(NOT_BUILT), \
	$(wildcard ioasidd/$(d)/*.c)))
SIM_SRC	= $(wildcard ioasidd/kernel/sim/*.c)
# And ioasidd-sim has nothing that touches the host's devices.
HOST_SRC = ioasidd/run/machine-real.c $(addprefix ioasidd/kernel/, \
	real.c attribute.c blame.c call.c cdev.c helper.c mend.c netdev.c node.c \
	spapr.c type1.c uevent.c users.c)
SIM_DAEMON_SRC = ioasidd/run/machine-sim.c \
	$(filter-out $(HOST_SRC),$(DAEMON_SRC))
LIB_SRC	= $(wildcard clients/libioasid/*.c)
CTL_SRC	= $(wildcard clients/ioasidctl/*.c)
EXAMPLE_SRC = $(wildcard clients/examples/*.c)
UNIT_SRC = $(filter-out $(NOT_BUILT),$(wildcard tests/unit/test-*.c))
VM_SRC	= $(wildcard tests/vm/progs/*.c)
BELIEF_SRC = $(wildcard tests/vm/beliefs/*.c)
MOCK_SRC = $(wildcard tests/vm/mock/*.c)
BENCH_SRC = $(wildcard tests/bench/*.c)
CONF_SRC = $(wildcard tests/conformance/*.c)

PROTO_OBJ = $(PROTO_NAMES:%=$(OBJ)/gen/%.pb-c.o)
BASE_OBJ = $(BASE_SRC:%.c=$(OBJ)/%.o)
DAEMON_OBJ = $(DAEMON_SRC:%.c=$(OBJ)/%.o)
SIM_OBJ	= $(SIM_SRC:%.c=$(OBJ)/%.o)
ROOT_BASE_OBJ = $(filter-out %/simfd.o,$(BASE_OBJ))
SIM_DAEMON_OBJ = $(SIM_DAEMON_SRC:%.c=$(OBJ)/%.o)
LIB_OBJ	= $(LIB_SRC:%.c=$(OBJ)/%.o)
CTL_OBJ	= $(CTL_SRC:%.c=$(OBJ)/%.o)
EXAMPLES = $(EXAMPLE_SRC:clients/examples/%.c=$(BUILD)/examples/%)
FAULT_OBJ = $(if $(FAULTS),$(FAULT_MEMORY_SRC:%.c=$(OBJ)/%.o))
FAULT_LDFLAGS = $(if $(FAULTS),$(FAULT_WRAP:%=-Wl,--wrap=%))

UNIT	= $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
VM_PROGS = $(VM_SRC:tests/vm/progs/%.c=$(BUILD)/tests/progs/%)
BELIEFS	= $(BELIEF_SRC:tests/vm/beliefs/%.c=$(BUILD)/tests/beliefs/%)
CONF_OBJ = $(CONF_SRC:%.c=$(OBJ)/%.o)
CONF	= $(BUILD)/tests/conformance/client
MOCK	= $(MOCK_SRC:tests/vm/mock/%.c=$(BUILD)/tests/mock/%)
BENCH	= $(BENCH_SRC:tests/bench/%.c=$(BUILD)/tests/bench/%)
LIB_SO	= $(BUILD)/libioasid.so.0
LIB_A	= $(BUILD)/libioasid.a
# An archive: a unit test takes of the simulated machine what it tests.
SIM_A	= $(OBJ)/sim.a
# A second contract, of what the first may contain and does not yet.
TEST_GEN = $(BUILD)/tests/api/gen
PEER	= $(BUILD)/tests/api/transcode-peer
TLS_PEER = $(BUILD)/tests/api/tls-peer
# With a fake link in the place of core/link.c.
GRPC_PEERS = $(BUILD)/tests/api/grpc-peer $(BUILD)/tests/api/grpc-fuzz
GRPC_PEER_OBJ = $(patsubst %.c,$(OBJ)/%.o,$(filter api/grpc/% api/transcode/%,$(API_SRC)) \
	tests/api/fake-link.c api/core/stream.c) $(filter $(OBJ)/gen/%,$(API_OBJ))
TEST_API_OBJ = $(OBJ)/tests/api/tables.o $(OBJ)/tests/api/everything.pb-c.o \
	$(OBJ)/tests/api/duration.pb-c.o
PRODUCTS = $(BUILD)/ioasidd $(BUILD)/ioasidd-sim $(BUILD)/ioasid-api \
	$(BUILD)/ioasidctl $(LIB_SO) $(LIB_A) $(EXAMPLES)

GENERATED = $(GEN)/errors.h $(GEN)/errors.inc $(GEN)/migrations.inc \
	$(GEN)/methods.inc $(GEN)/errors.md
API_SRC	= $(wildcard api/core/*.c api/rest/*.c api/grpc/*.c api/tls/*.c api/transcode/*.c)
API_OBJ	= $(API_SRC:%.c=$(OBJ)/%.o) $(OBJ)/gen/api-tables.o $(OBJ)/gen/rest-document.o \
	$(OBJ)/gen/reflection-tables.o $(GRPC_PROTO_NAMES:%=$(OBJ)/gen/%.pb-c.o)
TLS_OBJ	= $(filter $(OBJ)/api/tls/%,$(API_OBJ))
API_LIBS = -lmicrohttpd -lnghttp2 -lgnutls -lseccomp

# --- what people ask for -----------------------------------------------------

all: $(PRODUCTS) $(API_OBJ) $(GEN)/.openapi

help:
	@sed -n 's/^## //p' Makefile

## make all          build the daemons, ioasidctl and libioasid into build/
## make demo         the main job on a simulated server, in a minute
## make demo-vm      the main job on a real kernel, to a disk read in a VM
## make check        build, all tests, a real kernel in a VM; what CI runs
## make check-fast   the inner loop: unit and daemon tests
## make check-long   what check leaves out: soaks and sweeps
## make check-machines   every case on every IOMMU that can run it
## make matrix       what it has shown where, into README.md
## make analyze      -fanalyzer, clang-tidy, cppcheck, shellcheck
## make bench        ratios against named references (MACHINE=1: the claim, too)
## make openapi      schema/openapi.json anew, after a change of the .proto files
## make vm-shell     a shell in the test machine (IOMMU=vtd-scalable ...)
## make install      into $(DESTDIR)$(PREFIX)
## make clean        remove build/
## make CROSS=powerpc64le-linux-gnu   for POWER (aarch64-linux-gnu: for ARM)
## make FAULTS=1 BUILD=build-faults   with faults on demand, for tests/faults

demo:
	BUILD=$(BUILD) tests/demo.sh

demo-vm:
	tests/demo-vm.sh

check:
	tests/check.sh check

check-fast:
	tests/check.sh fast

check-long:
	tests/check.sh long

check-machines:
	tests/check.sh machines

matrix:
	tests/vm/matrix --readme README.md $(BUILD)/matrix

analyze: $(GENERATED) $(PROTO_OBJ)
	tests/analyze.sh $(BUILD)

bench: bench-needs all $(BENCH) $(BUILD)/tests/bench/grpc-reference
	MACHINE=$(MACHINE) tests/bench.sh $(BUILD)

bench-needs:
	packaging/prerequisites.sh build bench

openapi: $(GEN)/openapi.json
	cp $< schema/openapi.json

vm-shell: tests
	tests/vm/boot --build $(BUILD) --shell

tests: all $(UNIT) $(PEER) $(GRPC_PEERS) $(TLS_PEER) $(VM_PROGS) $(BELIEFS) $(MOCK) $(BENCH) $(CONF) $(BUILD)/tests/pb/.stamp

# --- generated ---------------------------------------------------------------

$(GEN)/errors.h $(GEN)/errors.inc $(GEN)/errors.md &: schema/errors.awk schema/errors.catalogue
	@mkdir -p $(GEN)
	awk -v want=header -f $^ > $(GEN)/errors.h.tmp
	awk -v want=table -f $^ > $(GEN)/errors.inc.tmp
	awk -v want=document -f $^ > $(GEN)/errors.md.tmp
	for f in h inc md; do mv $(GEN)/errors.$$f.tmp $(GEN)/errors.$$f; done

$(GEN)/migrations.inc: schema/sql/embed.awk $(SQL)
	@mkdir -p $(GEN)
	awk -f $^ > $@.tmp && mv $@.tmp $@

# One run makes all of them; options' code is generated for its header only.
$(GEN)/.proto: $(PROTO) $(GRPC_PROTO) $(wildcard schema/google/api/*.proto)
	@mkdir -p $(GEN)
	protoc-c -Ischema -I/usr/include --c_out=$(GEN) $(PROTO:schema/%=%) \
		google/api/http.proto google/api/annotations.proto \
		google/protobuf/timestamp.proto google/protobuf/descriptor.proto \
		$(GRPC_PROTO_NAMES:%=%.proto)
	protoc -Ischema -I/usr/include --include_imports --include_source_info \
		--descriptor_set_out=$(GEN)/schema.fds $(PROTO:schema/%=%)
	protoc -Ischema -I/usr/include --include_imports --include_source_info \
		--descriptor_set_out=$(GEN)/reflection.fds $(PROTO:schema/%=%) \
		$(GRPC_PROTO:schema/%=%)
	@touch $@

$(PROTO_NAMES:%=$(GEN)/%.pb-c.c): $(GEN)/.proto ;

# The contract as C tables and as OpenAPI; fails where it is not whole.
$(BUILD)/schema-tables: $(wildcard schema/tables/*.[ch]) ioasidd/base/error.c \
		ioasidd/base/str.c $(GEN)/.proto $(GEN)/errors.inc
	$(HOSTCC) -std=gnu17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Iioasidd \
		-I$(GEN) -o $@ $(filter %.c,$^) \
		$(GEN)/google/protobuf/descriptor.pb-c.c \
		$(GEN)/google/api/http.pb-c.c -lprotobuf-c -ljson-c

$(GEN)/methods.inc: $(BUILD)/schema-tables
	$< $(GEN)/schema.fds ioasid.v1 schema methods > $@.tmp && mv $@.tmp $@

$(GEN)/api-tables.c: $(BUILD)/schema-tables
	$< $(GEN)/schema.fds ioasid.v1 schema api contract_ioasid > $@.tmp && mv $@.tmp $@

$(GEN)/reflection-tables.c: $(BUILD)/schema-tables
	$< $(GEN)/reflection.fds ioasid.v1 schema reflection reflection_ioasid > $@.tmp && mv $@.tmp $@

$(GEN)/openapi.json: $(BUILD)/schema-tables
	$< $(GEN)/schema.fds ioasid.v1 schema openapi > $@.tmp && mv $@.tmp $@

# ioasid-api opens no file, so it has the document in itself.
$(GEN)/rest-document.c: $(GEN)/openapi.json
	{ echo '#include "rest/private.h"'; echo 'const char rest_document[] = {'; \
		od -An -v -td1 $< | sed 's/  */,/g; s/^,//; s/$$/,/'; \
		echo '};'; echo 'const size_t rest_document_size = sizeof(rest_document);'; \
		} > $@.tmp && mv $@.tmp $@

# It is committed, so that what changes for clients shows in review.
$(GEN)/.openapi: $(GEN)/openapi.json schema/openapi.json
	@cmp -s $^ || { diff -u schema/openapi.json $(GEN)/openapi.json | head -n 40; \
		echo "schema/openapi.json is not what the .proto files say: run 'make openapi' and commit it" >&2; \
		exit 1; }
	@touch $@

# The contract in Python, for tests that speak the native socket themselves.
$(BUILD)/tests/pb/.stamp: $(GEN)/.proto
	@mkdir -p $(@D)
	protoc -Ischema -I/usr/include --python_out=$(@D) $(PROTO:schema/%=%) \
		google/api/http.proto google/api/annotations.proto \
		google/rpc/status.proto google/rpc/error_details.proto
	mkdir -p $(@D)/../grpc-pb
	protoc -Ischema -I/usr/include --python_out=$(@D)/../grpc-pb \
		$(filter schema/grpc/%,$(GRPC_PROTO:schema/%=schema/%))
	@touch $@

# --- compiled ----------------------------------------------------------------

$(OBJ)/gen/%.o: $(GEN)/.proto
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Wno-shadow -c -o $@ $(GEN)/$*.c

$(OBJ)/gen/api-tables.o $(OBJ)/gen/reflection-tables.o: $(OBJ)/gen/%.o: $(GEN)/%.c \
		api/transcode/tables.h $(wildcard api/grpc/reflection.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(OBJ)/gen/rest-document.o: $(GEN)/rest-document.c api/rest/private.h | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(TEST_GEN)/.stamp: tests/api/everything.proto $(GEN)/.proto $(BUILD)/schema-tables
	@mkdir -p $(TEST_GEN) $(BUILD)/tests/pb
	protoc-c -Itests/api -Ischema -I/usr/include --c_out=$(TEST_GEN) \
		everything.proto google/protobuf/duration.proto
	protoc -Itests/api -Ischema -I/usr/include --include_imports --include_source_info \
		--descriptor_set_out=$(TEST_GEN)/everything.fds everything.proto
	protoc -Itests/api -Ischema -I/usr/include --python_out=$(BUILD)/tests/pb everything.proto
	$(BUILD)/schema-tables $(TEST_GEN)/everything.fds ioasid.test.v1 tests/api \
		api contract_everything > $(TEST_GEN)/tables.c
	@touch $@

$(OBJ)/tests/api/tables.o $(OBJ)/tests/api/everything.pb-c.o: $(OBJ)/tests/api/%.o: \
		$(TEST_GEN)/.stamp api/transcode/tables.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Wno-shadow -I$(TEST_GEN) -c -o $@ $(TEST_GEN)/$*.c

$(OBJ)/tests/api/duration.pb-c.o: $(TEST_GEN)/.stamp
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Wno-shadow -I$(TEST_GEN) -c -o $@ \
		$(TEST_GEN)/google/protobuf/duration.pb-c.c

$(PEER): $(OBJ)/tests/api/transcode-peer.o $(API_OBJ) $(TEST_API_OBJ) $(BASE_OBJ) $(PROTO_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(API_LIBS) -lprotobuf-c -pthread

$(GRPC_PEERS): $(BUILD)/tests/api/%: $(OBJ)/tests/api/%.o $(GRPC_PEER_OBJ) $(TEST_API_OBJ) $(BASE_OBJ) $(PROTO_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lnghttp2 -lprotobuf-c -pthread

# TLS alone, without what comes after it.
$(TLS_PEER): $(OBJ)/tests/api/tls-peer.o $(TLS_OBJ) $(BASE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lgnutls -lprotobuf-c -pthread

$(OBJ)/%.o: %.c | $(GENERATED) $(GEN)/.proto
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/ioasidd/base/error.o: $(GEN)/errors.inc
$(OBJ)/ioasidd/store/migrate.o: $(GEN)/migrations.inc
$(OBJ)/ioasidd/front/methods.o: $(GEN)/methods.inc
$(OBJ)/api/rest/exchange.o:

$(BUILD)/ioasidd: $(OBJ)/ioasidd/run/main.o $(DAEMON_OBJ) $(ROOT_BASE_OBJ) $(PROTO_OBJ) $(FAULT_OBJ)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FAULT_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -pthread

$(BUILD)/ioasidd-sim: $(OBJ)/ioasidd/run/main.o $(SIM_DAEMON_OBJ) $(SIM_OBJ) $(BASE_OBJ) $(PROTO_OBJ) $(FAULT_OBJ)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FAULT_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -ljson-c -pthread

$(LIB_A): $(LIB_OBJ) $(BASE_OBJ) $(PROTO_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJ) $(BASE_OBJ) $(PROTO_OBJ) clients/libioasid/libioasid.map
	$(CC) $(ALL_CFLAGS) $(filter-out -pie,$(ALL_LDFLAGS)) -shared \
		-Wl,-soname,libioasid.so.0 \
		-Wl,--version-script=clients/libioasid/libioasid.map \
		-o $@ $(filter %.o,$^) -lprotobuf-c
	ln -sf libioasid.so.0 $(BUILD)/libioasid.so

# ioasidctl reads whole objects, not libioasid's picture of them, so it links
# the archive with the contract in it.
$(BUILD)/ioasidctl: $(CTL_OBJ) $(LIB_A)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -ljson-c -lpci

# Compiled like a program of anybody's: with nothing of ours but the header.
$(BUILD)/examples/%: clients/examples/%.c clients/examples/edu.h clients/libioasid/ioasid.h $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(filter-out -I%,$(ALL_CFLAGS)) -Iclients/libioasid $(ALL_LDFLAGS) \
		-o $@ $< $(LIB_A) -lprotobuf-c

$(BUILD)/ioasid-api: $(OBJ)/api/main.o $(API_OBJ) $(BASE_OBJ) $(PROTO_OBJ)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(API_LIBS) -lprotobuf-c -pthread

$(SIM_A): $(SIM_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/tests/unit/%: $(OBJ)/tests/unit/%.o $(SIM_A) $(DAEMON_OBJ) $(BASE_OBJ) $(PROTO_OBJ) \
		$(API_OBJ) $(TEST_API_OBJ) $(FAULT_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FAULT_LDFLAGS) -o $@ $^ -lcmocka -lprotobuf-c -lsqlite3 -linih -ljson-c $(API_LIBS) -pthread

# It has the examples' device, which have the installed header.
$(addprefix $(OBJ)/tests/vm/progs/,kvm-tce.o pagetable.o tce.o): ALL_CFLAGS += -Iclients/libioasid

$(BUILD)/tests/progs/%: $(OBJ)/tests/vm/progs/%.o $(DAEMON_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -pthread

$(BUILD)/tests/beliefs/%: $(OBJ)/tests/vm/beliefs/%.o $(DAEMON_OBJ) $(BASE_OBJ) $(PROTO_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -pthread

# The daemon's table and libioasid, asked the same of the kernel's mock.
$(BUILD)/tests/mock/%: $(OBJ)/tests/vm/mock/%.o $(DAEMON_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -pthread

$(BUILD)/tests/bench/%: $(OBJ)/tests/bench/%.o $(DAEMON_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -lsqlite3 -linih -pthread

# Built for make bench alone, with libgrpc, which nothing else here needs: api/
# has headers of the same names.
$(BUILD)/tests/bench/grpc-reference: tests/bench/grpc/reference.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o $@ $< -lgrpc -lgpr

# Linked like a client of anybody's, but for its own words.
$(CONF): $(CONF_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c

# --- installed ---------------------------------------------------------------

install: all
	@test -z "$(FAULTS)" || { echo "a build with FAULTS is not installed" >&2; exit 1; }
	install -D -m 755 $(BUILD)/ioasidd $(DESTDIR)$(PREFIX)/sbin/ioasidd
	install -D -m 755 $(BUILD)/ioasidd-sim $(DESTDIR)$(PREFIX)/bin/ioasidd-sim
	install -D -m 755 $(BUILD)/ioasid-api $(DESTDIR)$(PREFIX)/libexec/ioasid-api
	install -D -m 755 $(BUILD)/ioasidctl $(DESTDIR)$(PREFIX)/bin/ioasidctl
	install -D -m 755 $(LIB_SO) $(DESTDIR)$(PREFIX)/lib/libioasid.so.0
	ln -sf libioasid.so.0 $(DESTDIR)$(PREFIX)/lib/libioasid.so
	install -D -m 644 $(LIB_A) $(DESTDIR)$(PREFIX)/lib/libioasid.a
	install -D -m 644 clients/libioasid/ioasid.h $(DESTDIR)$(PREFIX)/include/ioasid.h
	mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' clients/libioasid/libioasid.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/libioasid.pc
	install -D -m 644 packaging/completions/ioasidctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ioasidctl
	install -D -m 644 packaging/completions/_ioasidctl \
		$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_ioasidctl
	install -D -m 644 packaging/systemd/ioasidd.service \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/ioasidd.service
	install -D -m 644 packaging/sysusers/ioasidd.conf \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/ioasidd.conf
	install -D -m 644 packaging/ioasidd.conf.example \
		$(DESTDIR)$(PREFIX)/share/doc/ioasidd/ioasidd.conf.example
	install -D -m 644 $(GEN)/errors.md $(DESTDIR)$(PREFIX)/share/doc/ioasidd/errors.md
	install -m 644 schema/handover.md $(DESTDIR)$(PREFIX)/share/doc/ioasidd
	install -d $(DESTDIR)$(PREFIX)/share/doc/ioasidd/examples
	install -m 644 $(EXAMPLE_SRC) clients/examples/edu.h clients/examples/README.md \
		packaging/machines/testbed.json $(DESTDIR)$(PREFIX)/share/doc/ioasidd/examples
	for m in packaging/man/*.[1-8]; do install -D -m 644 $$m \
		$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf $(BUILD)

.PHONY: all help demo demo-vm check check-fast check-long check-machines matrix analyze \
	bench bench-needs openapi vm-shell tests install clean
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
