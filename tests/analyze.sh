#!/bin/bash
# Static analysis: gcc's -fanalyzer, clang-tidy, cppcheck, shellcheck. Prints
# what they find and fails if it is anything.
#
# usage: tests/analyze.sh BUILD
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
found=0

mapfile -t sources < <(git ls-files 'ioasidd/*.c' 'clients/*.c' 'api/*.c' 'schema/*.c' 'tests/bench/*.c' \
	':!tests/bench/grpc') # of libgrpc, which is there for make bench alone
# By cppcheck only: the others do not know that a failed assertion ends a test,
# and take each use of a pointer after one for a fault.
mapfile -t tests < <(git ls-files 'tests/unit/*.c' 'tests/vm/*.c' 'tests/api/*.c')
mapfile -t scripts < <(git ls-files | xargs grep -lE '^#!/bin/(ba)?sh' --)
flags=(-std=gnu17 -D_GNU_SOURCE '-DIOASIDD_VERSION="analyze"' -DIOASID_FAULTS -Wall -Wextra
	-Wno-unused-parameter -Iioasidd -Iclients -Iapi "-I$build/gen" -Iclients/libioasid) # for the examples

step() {
	printf '\n--- %s\n' "$1"
	shift
	"$@" || found=1
}

# shellcheck disable=SC2317 # called by step
analyzer() {
	local source bad=0
	for source in "${sources[@]}"; do
		gcc -O2 -fanalyzer -Werror "${flags[@]}" -c -o /dev/null "$source" || bad=1
	done
	return "$bad"
}

step "gcc -fanalyzer" analyzer
step "clang-tidy" clang-tidy --quiet --warnings-as-errors='*' "${sources[@]}" -- "${flags[@]}"
# memleak: cppcheck does not know the cleanup attribute; -fanalyzer does, and
# looks for leaks.
step "cppcheck" cppcheck --quiet --error-exitcode=1 --inline-suppr \
	--enable=warning,portability --std=c11 --suppress=missingInclude \
	--suppress=unknownMacro --suppress=preprocessorErrorDirective \
	--suppress=memleak \
	-Iioasidd -Iclients -Iapi "-I$build/gen" "${sources[@]}" "${tests[@]}"
step "shellcheck" shellcheck -x "${scripts[@]}"

if [ "$found" = 0 ]; then
	printf '\nnothing found in %d sources and %d scripts\n' "$((${#sources[@]} + ${#tests[@]}))" "${#scripts[@]}"
fi
exit $found
