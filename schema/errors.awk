# Makes C and the document from schema/errors.catalogue.
#
# usage: awk -v want=header|table|document -f errors.awk errors.catalogue
#
# header:   enum error_id, one constant an id: device.in-use is ERROR_DEVICE_IN_USE
# table:    what each id is, as initialisers of struct error_kind
# document: errors.md

function constant(id) {
	id = toupper(id)
	gsub(/[.-]/, "_", id)
	return "ERROR_" id
}

function fail(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
	failed = 1
	exit 1
}

BEGIN {
	grpc_codes = " INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS CANCELLED DEADLINE_EXCEEDED OUT_OF_RANGE UNAUTHENTICATED "
	split("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED", names, " ")
	for (i in names)
		number[names[i]] = i - 1
	if (want == "header")
		print "/* Made by schema/errors.awk from schema/errors.catalogue. */\n\nenum error_id {\n\tERROR_NONE,"
	if (want == "table")
		print "/* Made by schema/errors.awk from schema/errors.catalogue. */\n"
	if (want == "document")
		print "# Errors\n\nMade from `schema/errors.catalogue`. The id is the same on the native socket,\nREST, gRPC and the command line.\n\n| id | gRPC | HTTP | meaning | what helps |\n|---|---|---|---|---|"
}

/^#/ || /^[ \t]*$/ { next }

{
	if ($1 !~ /^[a-z]+\.[a-z-]+$/)
		fail("'" $1 "' is not an id")
	if ($1 in seen)
		fail("'" $1 "' stands twice")
	seen[$1] = 1
	if (!index(grpc_codes, " " $2 " "))
		fail("'" $2 "' is not a gRPC code")
	if ($3 !~ /^[45][0-9][0-9]$/)
		fail("'" $3 "' is not an HTTP status")
	words = $0
	sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, "", words)
	if (split(words, part, / \| /) != 2)
		fail("needs 'meaning | what helps'")
	if (want == "header")
		printf "\t%s,\n", constant($1)
	if (want == "table") {
		for (i = 1; i <= 2; i++)
			gsub(/["\\]/, "\\\\&", part[i])
		printf "[%s] = {\n\t\"%s\", %d, %s,\n\t\"%s\",\n\t\"%s\",\n},\n", constant($1), $1, number[$2], $3, part[1], part[2]
	}
	if (want == "document")
		printf "| `%s` | %s | %s | %s | %s |\n", $1, $2, $3, part[1], part[2]
}

END {
	if (!failed && want == "header")
		print "\tERROR_COUNT\n};"
}
