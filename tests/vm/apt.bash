# Debian's packages without a change to this host: sourced by what fills the cache.
#
# apt fetches and verifies, with a source list and a state folder of its own under
# $cache, and knows of nothing that is installed here. Wanted from who sources it:
# $cache (its folder), and a function `say`.
# shellcheck shell=bash

cache=${cache:?the folder of the cache}
apt_prerequisites=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../packaging/prerequisites.sh
apt_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# private_apt ARCHITECTURE SUITE...: fetch the lists of those suites; afterwards
# apt-get and apt-cache with "${apt_opts[@]}" see them alone
private_apt() {
	local arch=$1 apt mirror suite
	shift

	mirror=$("$apt_prerequisites" --mirror) || return 1
	[ -e "$apt_keyring" ] || {
		say "$apt_keyring is missing: packaging/prerequisites.sh vm"
		return 1
	}
	apt=$cache/apt
	[ "$arch" = "$(dpkg --print-architecture)" ] || apt=$cache/apt-$arch
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	for suite; do
		echo "deb [signed-by=$apt_keyring] $mirror $suite main"
	done >"$apt/sources.list"
	# An empty status file: what is installed here does not matter.
	: >"$apt/status"
	apt_opts=(
		-o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
		-o "Dir::Etc::sourcelist=$apt/sources.list"
		-o "Dir::Etc::sourceparts=/dev/null"
		-o "Dir::Etc::preferences=/dev/null"
		-o "Dir::Etc::preferencesparts=/dev/null"
		-o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists"
		-o "Dir::State::status=$apt/status"
		-o "Dir::Cache=$apt" -o "Dir::Cache::archives=$apt/archives"
		-o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
		-o "Acquire::Languages=none" -o "Acquire::Retries=3"
		-o "APT::Get::AllowUnauthenticated=false"
		-o "Acquire::AllowInsecureRepositories=false"
	)
	say "asking $mirror for what there is in $* ($arch)"
	apt-get "${apt_opts[@]}" -q --error-on=any update >&2
}

# apt_newest REGEX: the name of highest version that matches, and its version
apt_newest() {
	local name

	name=$(apt-cache "${apt_opts[@]}" pkgnames | grep -E "^$1\$" |
		sort -V | tail -n 1) || true
	[ -n "$name" ] || { say "no package $1"; return 1; }
	apt-cache "${apt_opts[@]}" show --no-all-versions "$name" |
		awk -v n="$name" '$1 == "Version:" { print n, $2; exit }'
}

# apt_fetch FOLDER PACKAGE[=VERSION]...: the .deb files, into that empty new folder
apt_fetch() {
	local folder=$1
	shift

	rm -rf "$folder"
	# apt's own user writes there.
	mkdir "$folder" && chmod 777 "$folder"
	say "fetching $*"
	(cd "$folder" && apt-get "${apt_opts[@]}" -q download "$@") >&2
}
