# SPDX-License-Identifier: Apache-2.0
# ioasidctl.bash - what can follow on a command line of ioasidctl, for bash
#
# Options come from the verbs' own --help, names from the daemon, if it answers
# within a second.
# shellcheck shell=bash

# _ioasidctl_names() - The names of what there is: devices, leases, spaces...
# $1: a verb that lists them
_ioasidctl_names() {
	local IFS=' '
	# shellcheck disable=SC2086 # two words, "lease list"
	ioasidctl -t 1 $1 2>/dev/null |
		awk 'NR > 1 && /^[0-9a-z]/ { print $1 }'
}

# _ioasidctl_options() - The options of a verb
# $@: the verb
_ioasidctl_options() {
	ioasidctl "$@" --help 2>/dev/null |
		awk '{ for (i = 1; i <= 2; i++) if ($i ~ /^-.,?$|^--/) {
			sub(/,$/, "", $i); print $i } }'
}

# _ioasidctl() - Complete the word under the cursor into COMPREPLY
_ioasidctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local -a verb=()
	local i words=

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) # run: from here on it is another command's line
			_command_offset $((i + 1)) 2>/dev/null
			return ;;
		-*) ;;
		*) ((${#verb[@]} < 2)) && verb+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case ${verb[0]-} in
	device | lease | map | space | window | bind | dirty | operation | \
		machine | policy) ;;
	*) verb=("${verb[@]:0:1}") ;;
	esac

	case "$prev" in
	-s | --socket | --token-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	-d | --device) words=$(_ioasidctl_names devices) ;;
	--lease) words=$(_ioasidctl_names "lease list") ;;
	-u | --uid) words=$(compgen -u) ;;
	-g | --gid) words=$(compgen -g) ;;
	--vmm) words='qemu none' ;;
	--mode) words='transfer hold guarded' ;;
	-w | --window) words=size= ;;
	--group) words=$(_ioasidctl_names groups) ;;
	--state)
		case ${verb[*]} in
		devices) words='host preparing ready leased reclaiming
			quarantined stuck gone foreign' ;;
		lease\ *) words='offered claiming held reclaiming ended' ;;
		operation\ *) words='running done failed' ;;
		esac ;;
	*)
		case "$cur/${verb[*]}" in
		-*) words=$(_ioasidctl_options "${verb[@]}") ;;
		*/) words='devices device groups prepare restore lease map space
			window bind dirty operation watch run machine policy
			usage version' ;;
		*/device) words='show recover' ;;
		*/lease) words='create list show release token' ;;
		*/map) words=list ;;
		*/space) words='list show create delete attach detach' ;;
		*/window) words='set add resize remove plan' ;;
		*/bind) words='create list show delete attach detach
			invalidate' ;;
		*/dirty) words='on off show' ;;
		*/operation) words='list show wait cancel' ;;
		*/watch) words='devices groups iommus leases operations' ;;
		*/machine) words=capture ;;
		*/policy) words=check ;;
		*/lease\ token) words="reissue $(_ioasidctl_names "lease list")" ;;
		*/policy\ check)
			words="$(compgen -u) $(_ioasidctl_names devices)" ;;
		*/device\ * | */prepare | */restore | */"lease create")
			words=$(_ioasidctl_names devices) ;;
		*/lease\ show | */lease\ release | */map\ list)
			words=$(_ioasidctl_names "lease list") ;;
		*/space\ attach | */space\ detach)
			words="$(_ioasidctl_names "space list")
				$(_ioasidctl_names devices)" ;;
		*/bind\ attach | */bind\ detach)
			words="$(_ioasidctl_names "bind list")
				$(_ioasidctl_names devices)" ;;
		*/bind\ show | */bind\ delete | */bind\ invalidate | */dirty\ *)
			words=$(_ioasidctl_names "bind list") ;;
		*/window\ plan) words=size= ;;
		*/space\ show | */space\ delete | */window\ *)
			words=$(_ioasidctl_names "space list") ;;
		*/operation\ show | */operation\ wait | */operation\ cancel)
			words=$(_ioasidctl_names "operation list") ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	# A PCI address has colons, at which readline begins a new word.
	declare -F __ltrim_colon_completions >/dev/null &&
		__ltrim_colon_completions "$cur"
}

complete -F _ioasidctl ioasidctl
