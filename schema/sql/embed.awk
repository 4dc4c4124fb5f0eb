# Makes the C table of migrations: one entry a file, in the order given. The
# number of a migration is that of its file's name, and they must be in step.

FNR == 1 {
	if (NR > 1)
		print "\t\"\" },"
	n = split(FILENAME, path, "/")
	if (substr(path[n], 1, 4) + 0 != ++version) {
		printf "%s: should be number %04d\n", FILENAME, version > "/dev/stderr"
		exit 1
	}
	printf "{ %d, \"%s\",\n", version, path[n]
}

/^[ \t]*--/ || /^[ \t]*$/ { next }

{
	gsub(/["\\]/, "\\\\&")
	printf "\t\"%s\\n\"\n", $0
}

END {
	if (NR > 0)
		print "\t\"\" },"
}
