#!/bin/bash
#
# Make keys, certificates and lists of revoked ones for tests, good and bad.
#
#   tests/api/pki.sh FOLDER		all of them
#   tests/api/pki.sh FOLDER soon N	client-soon.pem, which ends in N seconds, and
#					revoked-soon.pem, out of date then
#   tests/api/pki.sh FOLDER long N	revoked-long.pem, of N others
#
# Every certificate X.pem has its key in X-key.pem. Made at each run: what is
# committed would expire some day.
set -euo pipefail
cd "${1:?FOLDER}"

tool() { certtool --no-text "$@" 2>>certtool.log; }

# key NAME [ARGUMENT...]: a key; without arguments of the usual kind
key() {
	local name=$1
	shift
	[ $# -gt 0 ] || set -- --key-type ecdsa --curve secp256r1
	tool --generate-privkey "$@" --outfile "$name-key.pem"
}

# cert NAME ISSUER LINE...: a certificate for the key, of a template's lines
cert() {
	local name=$1 issuer=$2
	shift 2
	printf '%s\n' "cn = \"$name\"" "$@" >"$name.template"
	if [ "$name" = "$issuer" ]; then
		tool --generate-self-signed --load-privkey "$name-key.pem" \
			--template "$name.template" --outfile "$name.pem"
	else
		tool --generate-certificate --load-privkey "$name-key.pem" \
			--load-ca-certificate "$issuer.pem" \
			--load-ca-privkey "$issuer-key.pem" \
			--template "$name.template" --outfile "$name.pem"
	fi
}

# client NAME ISSUER LINE...: a client's, good but for what the lines say
client() {
	local name=$1 issuer=$2
	shift 2
	key "$name"
	cert "$name" "$issuer" signing_key "$@"
}

# revoke NAME ISSUER LINE -- CERTIFICATE...: a list
revoke() {
	local name=$1 issuer=$2 line=$3
	shift 4
	printf '%s\n' 'crl_number = 1' "$line" >"$name.template"
	cat /dev/null "$@" >"$name.revoked"
	tool --generate-crl --load-ca-certificate "$issuer.pem" \
		--load-ca-privkey "$issuer-key.pem" \
		${1:+--load-certificate "$name.revoked"} \
		--template "$name.template" --outfile "$name.pem"
}

if [ "${2:-}" = soon ]; then
	client client-soon ca tls_www_client "uri = \"spiffe://test/soon\"" \
		"expiration_date = \"$(date -d "+$3 seconds" '+%F %T')\""
	revoke revoked-soon ca \
		"crl_next_update_date = \"$(date -d "+$3 seconds" '+%F %T')\"" --
	exit
fi
if [ "${2:-}" = long ]; then
	# certtool wants the certificates; openssl believes its database.
	seq "$3" | awk '{
		printf "R\t301231235959Z\t260101000000Z\t%08X\tunknown\t/CN=c%d\n",
			$1 + 268435456, $1
	}' >long.index
	echo 'unique_subject = no' >long.index.attr
	echo 01 >long.number
	printf '%s\n' '[ca]' 'default_ca = d' '[d]' 'database = long.index' \
		'crlnumber = long.number' 'default_md = sha256' \
		'crl_extensions = e' '[e]' 'authorityKeyIdentifier = keyid' >long.cnf
	openssl ca -gencrl -config long.cnf -keyfile ca-key.pem -cert ca.pem \
		-crldays 30 -out revoked-long.pem 2>>certtool.log
	exit
fi

ca=(ca cert_signing_key crl_signing_key 'expiration_days = 30')
past=('activation_date = "2020-01-01 00:00:00"'
	'expiration_date = "2021-01-01 00:00:00"')
good='expiration_days = 30'

key ca; cert ca ca "${ca[@]}"
key other-ca; cert other-ca other-ca "${ca[@]}"
key old-ca; cert old-ca old-ca ca cert_signing_key "${past[@]}"
key sub-ca; cert sub-ca ca "${ca[@]}"

server=(signing_key 'dns_name = "localhost"' 'ip_address = "127.0.0.1"')
key server; cert server ca "${server[@]}" tls_www_server "$good"
key server-expired; cert server-expired ca "${server[@]}" tls_www_server "${past[@]}"
key server-for-clients; cert server-for-clients ca "${server[@]}" tls_www_client "$good"
key encrypted
tool --to-p8 --load-privkey server-key.pem --password secret --pkcs-cipher aes-256 \
	--outfile encrypted-key.pem

client client ca tls_www_client "$good" \
	'uri = "spiffe://test/one"' 'uri = "https://example.test/two"' \
	'dns_name = "Node-1.Example.Test"' 'email = "someone@example.test"' \
	'ip_address = "192.0.2.1"'
client client-nameless ca tls_www_client "$good"
client client-expired ca tls_www_client "${past[@]}"
client client-early ca tls_www_client 'activation_date = "2090-01-01 00:00:00"' \
	'expiration_date = "2091-01-01 00:00:00"'
client client-purposeless ca "$good"
client client-any-purpose ca 'key_purpose_oid = 2.5.29.37.0' "$good"
client client-is-server ca tls_www_server "$good"
client client-revoked ca tls_www_client "$good"
client client-stranger other-ca tls_www_client "$good"
client client-by-client client tls_www_client "$good"
mapfile -t names < <(seq -f 'uri = "spiffe://test/%g"' 65)
client client-many-names ca tls_www_client "$good" "${names[@]}"
client client-blank ca tls_www_client "$good" 'uri = "spiffe://test/a b"'
client client-sub sub-ca tls_www_client "$good" 'uri = "spiffe://test/sub"'
cat sub-ca.pem >>client-sub.pem
client client-runner ca tls_www_client "$good" 'uri = "spiffe://test/ns/ci/runner-1"'
client client-builder ca tls_www_client "$good" 'dns_name = "Builder.Example.Test"'
key client-weak --key-type rsa --bits 1024
cert client-weak ca signing_key tls_www_client "$good"
key client-rsa --key-type rsa --bits 2048
cert client-rsa ca signing_key tls_www_client "$good" 'uri = "spiffe://test/rsa"'

next='crl_next_update = 30'
revoke revoked ca "$next" -- client-revoked.pem
revoke revoked-more ca "$next" -- client-revoked.pem client.pem
revoke revoked-none ca "$next" --
revoke revoked-sub ca "$next" -- sub-ca.pem
revoke revoked-stranger other-ca "$next" --
revoke revoked-old ca 'crl_next_update_date = "2021-02-01 00:00:00"
crl_this_update_date = "2021-01-01 00:00:00"' --
# An authority of the same name with another key: its list is nobody's.
key ca-impostor
tool --generate-self-signed --load-privkey ca-impostor-key.pem \
	--template ca.template --outfile ca-impostor.pem
revoke revoked-forged ca-impostor "$next" --
head -c 3000 /dev/zero | tr '\0' x >junk.pem
: >empty.pem
cat sub-ca.pem ca.pem >sub-and-ca.pem
cat old-ca.pem ca.pem >old-and-ca.pem
cat server.pem other-ca.pem >unsorted.pem
cat client-by-client.pem client.pem >by-client-chain.pem
cp client-by-client-key.pem by-client-chain-key.pem
cat client.pem ca.pem ca.pem ca.pem ca.pem ca.pem ca.pem ca.pem ca.pem >nine.pem
