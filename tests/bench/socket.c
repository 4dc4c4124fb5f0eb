/* SPDX-License-Identifier: Apache-2.0
 *
 * socket.c - how long the native socket takes to answer
 *
 *	socket IOASIDD FOLDER	the daemon, and where its state may be
 *
 * One client with one request at a time. The reference is what the kernel alone
 * takes: packets of the same sizes to another process, which sends back without
 * looking.
 */
#include <sys/prctl.h>

#include "base/str.h"
#include "bench.h"
#include "ioasid/v1/common.pb-c.h"
#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/envelope.pb-c.h"

#define TRIPS 2000
#define ROUNDS 15
#define PACKET_MAX (262144 + 4096)

/**
 * struct trip - A request and its answer
 * @sock:	To the daemon
 * @mirror:	To the process that sends back
 * @request:	The packet
 * @size:	Its size
 * @answer:	Size of the answer
 */
struct trip {
	int sock, mirror;
	uint8_t request[1024];
	size_t size;
	size_t answer;
};

static uint8_t buffer[PACKET_MAX];

/**
 * turn() - There and back, TRIPS times
 * @sock:	To whom
 * @trip:	What
 *
 * Return: microseconds for one.
 */
static double turn(int sock, const struct trip *trip)
{
	uint64_t start = clock_mono_ns();

	for (int i = 0; i < TRIPS; i++) {
		if (send(sock, trip->request, trip->size, 0) < 0)
			die("send: %m");
		if (recv(sock, buffer, sizeof(buffer), 0) !=
		    (ssize_t)trip->answer)
			die("the answer is another one");
	}
	return (double)(clock_mono_ns() - start) / 1e3 / TRIPS;
}

/* measure_daemon() - Ask ioasidd */
static double measure_daemon(void *data)
{
	const struct trip *trip = data;

	return turn(trip->sock, trip);
}

/* measure_mirror() - Ask the other process */
static double measure_mirror(void *data)
{
	const struct trip *trip = data;

	return turn(trip->mirror, trip);
}

/**
 * start_mirror() - A process that answers every packet with one of a size
 * @answer:	The size
 *
 * It ends with its socket, or with us.
 *
 * Return: the socket.
 */
static int start_mirror(size_t answer)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair: %m");
	pid = fork();
	if (pid < 0)
		die("fork: %m");
	if (pid > 0) {
		close(pair[1]);
		return pair[0];
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(pair[0]);
	while (recv(pair[1], buffer, sizeof(buffer), 0) > 0)
		if (send(pair[1], buffer, answer, 0) < 0)
			break;
	_exit(0);
}

/**
 * prepare_trip() - Make a request, and see how long its answer is
 * @trip:	@sock is set
 * @method:	Its full name
 */
static void prepare_trip(struct trip *trip, const char *method)
{
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	Ioasid__V1__Envelope packet = IOASID__V1__ENVELOPE__INIT, *answer;
	ssize_t n;

	request.method = (char *)method;
	packet.id = 1;
	packet.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	packet.request = &request;
	trip->size = ioasid__v1__envelope__pack(&packet, trip->request);
	if (send(trip->sock, trip->request, trip->size, 0) < 0)
		die("send: %m");
	n = recv(trip->sock, buffer, sizeof(buffer), 0);
	if (n <= 0)
		die("recv: %m");
	answer = ioasid__v1__envelope__unpack(NULL, (size_t)n, buffer);
	if (!answer || answer->body_case != IOASID__V1__ENVELOPE__BODY_REPLY)
		die("%s is refused", method);
	ioasid__v1__envelope__free_unpacked(answer, NULL);
	trip->answer = (size_t)n;
	trip->mirror = start_mirror(trip->answer);
}

/**
 * measure() - One method
 * @sock:	To the daemon
 * @method:	Its full name
 */
static void measure(int sock, const char *method)
{
	struct trip trip = { .sock = sock };
	char what[96];
	struct bench bench = { .what = what, .ours = measure_daemon,
			       .reference = measure_mirror, .data = &trip,
			       .rounds = ROUNDS };

	prepare_trip(&trip, method);
	str_format(what, sizeof(what), "%s, %zu and %zu bytes",
		   strrchr(method, '.') + 1, trip.size, trip.answer);
	bench_run(&bench);
	close(trip.mirror);
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .pid = 0 };
	int sock;

	if (argc != 3)
		die("socket IOASIDD FOLDER");
	daemon.program = argv[1];
	str_copy(daemon.dir, sizeof(daemon.dir), argv[2]);
	sock = daemon_start(&daemon);

	bench_title("round trip on the native socket, one at a time",
		    "packets of the same sizes to a process that sends back "
		    "(SOCK_SEQPACKET)",
		    "microseconds", "lower");
	measure(sock, "ioasid.v1.Host/GetVersion");
	measure(sock, "ioasid.v1.Devices/ListDevices");
	close(sock);
	daemon_stop(&daemon);
	return 0;
}
