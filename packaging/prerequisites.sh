#!/bin/bash
#
# Install what is needed to build and to test ioasidd on Debian 12 or 13.
#
#   packaging/prerequisites.sh [build|test|vm|arm|power|amd|bench|long|cross ...]	default: the first three
#   packaging/prerequisites.sh --list [build|test|vm|arm|power|amd|bench|long|cross ...]
#   packaging/prerequisites.sh --mirror
#
#   build	compiler, code generators, libraries; curl, for make demo
#   test	analysers, sanitizers, test frameworks
#   vm		QEMU 9 or later, and what builds a kernel
#   arm	a QEMU of the same version for tests/vm/boot --iommu smmuv3
#   power	a QEMU of the same version for tests/vm/boot --iommu spapr
#   amd		a QEMU of 11.1 or later for tests/vm/boot --iommu amd, in the cache
#		of tests/vm: the host's own QEMU stays as it is
#   bench	what make bench compares with: nginx, libgrpc; and a load
#   long	what make check-long has beside test and vm: Go
#   cross	compilers for make CROSS=..., and what runs one program of such
#		a build here; libraries of the other machine come from
#		packaging/sysroot, so no dpkg --add-architecture is needed
#
# --list prints the package names; --mirror prints the Debian mirror that this
# host uses (tests/vm/kernel asks for it).
#
# Run as root. Nothing is downloaded when all is installed already. apt's lists
# are fetched into a folder of our own with sources of our own: the host's
# sources and lists are read, never changed, so an unrelated source that does
# not answer cannot stop us and backports do not stay behind. IOASIDD_MIRROR
# overrides the mirror.
set -euo pipefail

# QEMU 9 is the oldest with all that the test machine uses; Debian 12 has 7.2
# and takes it from its backports.
QEMU_MIN=9
# The oldest whose AMD IOMMU translates DMA; Debian 13's backports have it.
QEMU_AMD=11.1

BUILD=(
	gcc make pkg-config libc6-dev
	libsqlite3-dev
	protobuf-compiler libprotobuf-dev
	protobuf-c-compiler libprotobuf-c-dev
	libjson-c-dev libpci-dev libmicrohttpd-dev libnghttp2-dev
	libgnutls28-dev libinih-dev libseccomp-dev
	curl
)
TEST=(
	clang clang-tidy libclang-rt-dev cppcheck shellcheck
	libcmocka-dev
	python3 python3-pytest python3-protobuf python3-grpcio gnutls-bin
	nodejs npm
	strace gdb git e2fsprogs
)
# Beside QEMU. libfdt1 and friends come as dependencies.
VM=(
	busybox-static cpio
	bc bison flex gcc libelf-dev libssl-dev make perl rsync xz-utils
	debian-archive-keyring ca-certificates
	e2fsprogs iproute2 kmod pciutils procps python3 python3-pytest
)
BENCH=(nginx-light nghttp2-client libgrpc-dev)
LONG=(golang-go ca-certificates)
CROSS=(
	gcc-powerpc64le-linux-gnu gcc-aarch64-linux-gnu qemu-user
	debian-archive-keyring ca-certificates
)
VM_QEMU=(qemu-system-x86)
ARM_QEMU=(qemu-system-arm)
POWER_QEMU=(qemu-system-ppc)

say() { echo "prerequisites: $*" >&2; }
die() { say "$*"; exit 1; }

# The host's Debian release: VERSION_CODENAME, VERSION_ID.
os_release() {
	# shellcheck source=/dev/null
	. /etc/os-release
	codename=${VERSION_CODENAME:-}
	case "${ID:-}-${VERSION_ID:-}" in
	debian-12|debian-13) ;;
	*) die "this is ${PRETTY_NAME:-an unknown system}; Debian 12 and 13" \
		"are known here. Install what 'prerequisites.sh --list' names by hand." ;;
	esac
}

# The host's own sources for Debian suites, whatever their format: lines
# "URI SUITE". Also where no list was ever fetched, as in a fresh container.
host_sources() {
	apt-get --print-uris update 2>/dev/null |
	sed -n "s,^'\\([^']*\\)/dists/\\([^/']*\\)/InRelease'.*,\\1 \\2,p" |
	awk -v c="$1" '
		sub(/^stable/, c, $2) || $2 == c || index($2, c "-") == 1 {
			if (!seen[$1, $2]++)
				print $1, $2
		}'
}

# A third party may call its suite after Debian's release; none has updates.
mirror() {
	local m=${IOASIDD_MIRROR:-}

	[ -n "$m" ] || m=$(host_sources "$1" | awk -v c="$1" '
		$2 == c "-updates" && !best { best = $1 }
		$2 == c && !some { some = $1 }
		END { print best ? best : some }')
	[ -n "$m" ] || die "no Debian source is configured on this host;" \
		"name a mirror: IOASIDD_MIRROR=http://.../debian $0 ..."
	echo "${m%/}"
}

# Which of the named packages are not installed; "pkg>=version" is understood.
missing() {
	local p name min have

	for p; do
		name=${p%%>=*} min=
		[ "$name" = "$p" ] || min=${p#*>=}
		# Others' nodejs has it in itself, and none beside it; Go may be others', too.
		[ "$name" != npm ] || ! command -v npm >/dev/null || continue
		[ "$name" != golang-go ] || ! command -v go >/dev/null || continue
		# A name may be provided under several architectures: any will do.
		have=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' \
			"$name" 2>/dev/null | awk '$1 == "installed" { print $2; exit }') || true
		if [ -z "$have" ]; then
			echo "$name"
		elif [ -n "$min" ] && dpkg --compare-versions "${have#*:}" lt "$min"; then
			echo "$name"
		fi
	done
}

# Sources and lists of our own, in $tmp; fills the array apt_opts.
private_apt() {
	local codename=$1 m suite uri signed

	m=$(mirror "$codename")
	mkdir -p "$tmp/parts" "$tmp/lists/partial"
	chmod 755 "$tmp"
	signed=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$signed" ] || die "$signed is missing: install debian-archive-keyring"
	{
		for suite in "$codename" "$codename-updates" "$codename-backports"; do
			echo "deb [signed-by=$signed] $m $suite main"
		done
		host_sources "$codename" | while read -r uri suite; do
			[ "$suite" != "$codename-security" ] ||
				echo "deb [signed-by=$signed] $uri $suite main"
		done
	} >"$tmp/parts/ioasidd.list"
	apt_opts=(
		-o "Dir::Etc::sourcelist=/dev/null"
		-o "Dir::Etc::sourceparts=$tmp/parts"
		-o "Dir::State::lists=$tmp/lists"
		-o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
		-o "Acquire::Languages=none"
		-o "Acquire::Retries=3"
		-o "DPkg::Lock::Timeout=600"
	)
	say "fetching Debian's package lists from $m"
	apt-get "${apt_opts[@]}" -q update >&2 ||
		say "some list could not be fetched; going on with the others"
}

# A program beside the host's own, unless that is new enough.
newer_qemu() {
	[ -n "$(missing "${VM_QEMU[@]/%/>=$QEMU_AMD}")" ] || return 0
	"$(dirname "$(readlink -f "$0")")/../tests/vm/newer-qemu" >/dev/null ||
		die "no QEMU for --iommu amd (the reason is above)"
}

install_packages() {
	say "installing $*"
	DEBIAN_FRONTEND=noninteractive apt-get "${apt_opts[@]}" -q -y \
		--no-install-recommends install "$@" >&2 ||
		die "apt-get could not install: $* (its words are above)"
}

main() {
	local group want=() need=() qemu=() list=false newer=false codename

	case "${1:-}" in
	-h|--help)
		awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
		exit 0 ;;
	--mirror)
		os_release
		mirror "$codename"
		exit 0 ;;
	--list)
		list=true
		shift ;;
	esac

	[ $# -gt 0 ] || set -- build test vm
	for group; do
		case "$group" in
		build) want+=("${BUILD[@]}") ;;
		test) want+=("${TEST[@]}") ;;
		vm) want+=("${VM[@]}"); qemu+=("${VM_QEMU[@]}") ;;
		arm) qemu+=("${ARM_QEMU[@]}") ;;
		power) qemu+=("${POWER_QEMU[@]}") ;;
		amd) newer=true ;;
		bench) want+=("${BENCH[@]}") ;;
		long) want+=("${LONG[@]}") ;;
		cross) want+=("${CROSS[@]}") ;;
		*) die "'$group' is none of build, test, vm, arm, power, amd, bench, long, cross" ;;
		esac
	done
	if $list; then
		printf '%s\n' "${want[@]}" "${qemu[@]}" | sed '/^$/d' | sort -u
		exit 0
	fi

	os_release
	mapfile -t need < <(missing "${want[@]}" | sort -u)
	mapfile -t qemu < <(missing "${qemu[@]/%/>=$QEMU_MIN}")
	if [ $((${#need[@]} + ${#qemu[@]})) -eq 0 ]; then
		! $newer || newer_qemu
		say "all that $* needs is installed"
		exit 0
	fi
	[ "$(id -u)" = 0 ] ||
		die "not installed: ${need[*]} ${qemu[*]}. Run this as root."

	tmp=$(mktemp -d "${TMPDIR:-/tmp}/ioasidd-apt.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	private_apt "$codename"
	[ ${#need[@]} -eq 0 ] || install_packages "${need[@]}"
	case "$codename" in
	bookworm) set -- -t bookworm-backports ;;
	*) set -- ;;
	esac
	[ ${#qemu[@]} -eq 0 ] || install_packages "$@" "${qemu[@]}"

	mapfile -t need < <(missing "${want[@]}" "${qemu[@]/%/>=$QEMU_MIN}" | sort -u)
	[ ${#need[@]} -eq 0 ] || die "still not there after apt-get: ${need[*]}"
	! $newer || newer_qemu
	say "done"
}

main "$@"
