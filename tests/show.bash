# What the demonstrations share: steps that are shown as they are done. Sourced.

step() { printf '\n== %s\n' "$*"; }

# show COMMAND...: say it, and do it
show() {
	printf '$ %s\n' "$*"
	"$@"
}

# quiet WHAT COMMAND...: say what is done, and its output only if it fails;
# $quiet_log is where that goes meanwhile
quiet() {
	local start=$SECONDS
	printf -- '--- %s ... ' "$1"
	shift
	if "$@" >"$quiet_log" 2>&1; then
		echo "$((SECONDS - start)) s"
	else
		echo failed
		tail -n 40 "$quiet_log"
		exit 1
	fi
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
