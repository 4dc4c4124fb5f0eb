/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c - what REST and gRPC cost
 *
 *	api IOASIDD-SIM MACHINE GRPC-REFERENCE FOLDER
 *
 * MACHINE is a description; state and sockets may be below FOLDER. The load is
 * h2load's, over UNIX sockets, of all servers in turns: for REST nginx with one
 * worker and `return 200` with as many bytes, for gRPC a server on libgrpc's C
 * core (grpc/reference.c) with as many. Every answer is counted, and so are its
 * bytes. Then one request at a time, to see what each way adds to the native
 * socket.
 *
 * Limits by the second are off: this one client is more than they allow.
 */
#include <sys/prctl.h>

#include "base/str.h"
#include "bench.h"
#include "ioasid/v1/envelope.pb-c.h"

#define REQUESTS 10000
#define TRIPS 2000
#define ROUNDS 11
#define PACKET_MAX (262144 + 4096)

/* What is got over REST. */
#define GETS 3

/**
 * struct load - A load for two servers
 * @options:	Of h2load
 * @ours:	Socket and path
 * @reference:	Likewise
 * @bytes:	Of each answer's body
 */
struct load {
	const char *options;
	const char *ours[2];
	const char *reference[2];
	long bytes;
};

/**
 * run_load() - Ask a server REQUESTS times
 * @target:	Socket and path
 *
 * Return: answers in a second.
 */
static double run_load(const struct load *load, const char *const target[2])
{
	double rate = 0;
	char command[1024], line[512];
	long good = 0, data = 0;
	FILE *out;

	str_format(command, sizeof(command),
		   "h2load -n %d -t 1 %s -B unix:%s 'http://localhost%s'",
		   REQUESTS, load->options, target[0], target[1]);
	out = popen(command, "r"); /* NOLINT(cert-env33-c): a benchmark */
	if (!out)
		die("popen: %m");
	while (fgets(line, sizeof(line), out)) {
		const char *bytes = strstr(line, "headers (space savings");

		(void)sscanf(line, "finished in %*[^,], %lf req/s", &rate);
		(void)sscanf(line, "status codes: %ld 2xx", &good);
		bytes = bytes ? strchr(bytes, ',') : NULL;
		bytes = bytes ? strchr(bytes, '(') : NULL;
		if (bytes)
			data = atol(bytes + 1);
	}
	if (pclose(out) || good != REQUESTS || data != REQUESTS * load->bytes)
		die("%s: %ld of %d answers, %ld bytes", command, good,
		    REQUESTS, data);
	return rate;
}

/* load_ours() - One measurement */
static double load_ours(void *data)
{
	const struct load *load = data;

	return run_load(load, load->ours);
}

/* load_reference() - One of the reference */
static double load_reference(void *data)
{
	const struct load *load = data;

	return run_load(load, load->reference);
}

/* --- the references --- */

/**
 * write_file() - Make a file
 */
static void write_file(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(text, 1, size, file) != size || fclose(file))
		die("%s: %m", path);
}

/**
 * await() - Connect, once somebody listens
 * @path:	Where
 *
 * Return: the connection.
 */
static int await(const char *path)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	uint64_t end = clock_mono_ns() + START_MS * UINT64_C(1000000);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || !str_copy(addr.sun_path, sizeof(addr.sun_path), path))
		die("%s: cannot connect", path);
	while (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (clock_mono_ns() > end)
			die("%s: nobody listens: %m", path);
		(void)nanosleep(&nap, NULL);
	}
	return sock;
}

/**
 * write_nginx_conf() - nginx with an answer for each of some sizes
 * @path:	The file
 * @folder:	For what else it writes
 * @socket:	Where it is to listen
 * @bytes:	The sizes: of /0, /1 and so on
 */
static void write_nginx_conf(const char *path, const char *folder,
			     const char *socket, const long bytes[GETS])
{
	FILE *file = fopen(path, "w");

	if (!file)
		die("%s: %m", path);
	fprintf(file, "daemon off; worker_processes 1;\n"
		"pid %s/pid; error_log %s/error.log;\n"
		"events { worker_connections 256; }\n"
		"http { access_log off; keepalive_requests 100000000;\n"
		"default_type application/json;\n"
		"server { listen unix:%s;\n", folder, folder, socket);
	for (int i = 0; i < GETS; i++) {
		fprintf(file, "location /%d { return 200 ", i);
		for (long n = 0; n < bytes[i]; n++)
			fputc('a', file);
		fputs("; }\n", file);
	}
	fputs("} }\n", file);
	if (fclose(file))
		die("%s: %m", path);
}

/**
 * start_nginx() - Start it
 * @folder:	For its files
 * @socket:	Where it is to listen
 * @bytes:	As write_nginx_conf()
 */
static void start_nginx(const char *folder, const char *socket,
			const long bytes[GETS])
{
	char path[128];

	str_format(path, sizeof(path), "%s/nginx.conf", folder);
	write_nginx_conf(path, folder, socket, bytes);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		execlp("nginx", "nginx", "-p", folder, "-c", path,
		       (char *)NULL);
		die("nginx: %m; packaging/prerequisites.sh bench installs it");
	}
	close(await(socket));
}

/**
 * start_grpc() - A server on libgrpc's C core
 * @program:	Its path
 * @socket:	Where it is to listen
 * @bytes:	Of its answers
 */
static void start_grpc(const char *program, const char *socket, long bytes)
{
	char size[24];

	str_format(size, sizeof(size), "%ld", bytes);
	if (fork() == 0) {
		execl(program, program, socket, size, (char *)NULL);
		die("%s: %m", program);
	}
	close(await(socket));
}

/* --- one at a time --- */

/**
 * struct way - A request over some way
 * @sock:	A connection
 * @request:	What is sent
 * @size:	Of it
 * @answer:	Size of the answer, head and body
 */
struct way {
	int sock;
	uint8_t request[256];
	size_t size, answer;
};

/**
 * struct ways - Two ways
 */
struct ways {
	struct way ours, reference;
};

static uint8_t buffer[PACKET_MAX];

/**
 * receive() - Receive one answer
 */
static void receive(const struct way *way)
{
	size_t n = 0;

	while (n < way->answer) {
		ssize_t more = recv(way->sock, buffer, sizeof(buffer), 0);

		if (more <= 0)
			die("recv: %m");
		n += (size_t)more;
	}
	if (n != way->answer)
		die("an answer of %zu bytes, not %zu", n, way->answer);
}

/* trips() - Microseconds for one request and its answer. */
static double trips(const struct way *way)
{
	uint64_t start = clock_mono_ns();

	for (int i = 0; i < TRIPS; i++) {
		if (send(way->sock, way->request, way->size, 0) < 0)
			die("send: %m");
		receive(way);
	}
	return (double)(clock_mono_ns() - start) / 1e3 / TRIPS;
}

/* trips_ours() - One measurement */
static double trips_ours(void *data)
{
	return trips(&((struct ways *)data)->ours);
}

/* trips_reference() - One of the reference */
static double trips_reference(void *data)
{
	return trips(&((struct ways *)data)->reference);
}

/**
 * native_way() - GetVersion on the native socket
 * @sock:	A connection
 *
 * Return: bytes of the reply message.
 */
static long native_way(int sock, struct way *way)
{
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	Ioasid__V1__Envelope packet = IOASID__V1__ENVELOPE__INIT, *answer;
	ssize_t n;
	long size;

	request.method = "ioasid.v1.Host/GetVersion";
	packet.id = 1;
	packet.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	packet.request = &request;
	way->sock = sock;
	way->size = ioasid__v1__envelope__pack(&packet, way->request);
	if (send(sock, way->request, way->size, 0) < 0)
		die("send: %m");
	n = recv(sock, buffer, sizeof(buffer), 0);
	if (n <= 0)
		die("recv: %m");
	way->answer = (size_t)n;
	answer = ioasid__v1__envelope__unpack(NULL, (size_t)n, buffer);
	if (!answer || answer->body_case != IOASID__V1__ENVELOPE__BODY_REPLY)
		die("GetVersion is refused");
	size = (long)answer->reply->payload.len;
	ioasid__v1__envelope__free_unpacked(answer, NULL);
	return size;
}

/**
 * rest_way() - A GET over REST
 * @path:	Of the socket
 * @target:	What to get
 *
 * Return: bytes of the body.
 */
static long rest_way(const char *path, const char *target, struct way *way)
{
	const char *head, *body;
	ssize_t n;

	way->sock = await(path);
	str_format((char *)way->request, sizeof(way->request),
		   "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
	way->size = strlen((char *)way->request);
	if (send(way->sock, way->request, way->size, 0) < 0)
		die("send: %m");
	/* A short answer comes in one piece, and others come after it. */
	(void)nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	n = recv(way->sock, buffer, sizeof(buffer) - 1, 0);
	if (n <= 0)
		die("recv: %m");
	buffer[n] = '\0';
	head = (char *)buffer;
	body = strstr(head, "\r\n\r\n");
	if (!body || !str_starts(head, "HTTP/1.1 200 "))
		die("GET %s: %.*s", target, 60, head);
	way->answer = (size_t)n;
	return n - (body + 4 - head);
}

/* --- the tables --- */

/**
 * compare() - A row
 * @what:	What is asked for
 */
static void compare(const char *what, const struct load *load)
{
	struct bench bench = { .what = what, .ours = load_ours,
			       .reference = load_reference,
			       .data = (void *)load, .rounds = ROUNDS };

	bench_run(&bench);
}

/**
 * measure_rest() - What is served in a second over REST
 * @folder:	With the sockets
 * @gets:	What is got
 * @bytes:	Of each body
 */
static void measure_rest(const char *folder, const char *const gets[GETS],
			 const long bytes[GETS])
{
	char api[96], nginx[96], target[16];

	str_format(api, sizeof(api), "%s/api.sock", folder);
	str_format(nginx, sizeof(nginx), "%s/nginx.sock", folder);
	puts("#");
	bench_title("REST, 16 connections", "nginx, one worker, return 200 "
		    "with as many bytes", "requests a second", "higher");
	for (int i = 0; i < GETS; i++) {
		char what[80];

		str_format(target, sizeof(target), "/%d", i);
		str_format(what, sizeof(what), "GET %s, %ld bytes",
			   strlen(gets[i]) < 20 ? gets[i] : "a device",
			   bytes[i]);
		compare(what, &(struct load){ "--h1 -c 16", { api, gets[i] },
					      { nginx, target }, bytes[i] });
	}
}

/**
 * measure_grpc() - What is served in a second over gRPC
 * @folder:	With the sockets
 * @bytes:	Of the reply message
 */
static void measure_grpc(const char *folder, long bytes)
{
	static const char method[] = "/ioasid.v1.Host/GetVersion";
	char api[96], grpc[96], options[256];

	str_format(api, sizeof(api), "%s/api.sock", folder);
	str_format(grpc, sizeof(grpc), "%s/grpc.sock", folder);
	str_format(options, sizeof(options),
		   "-c 8 -m 8 -d %s/empty -H 'te: trailers' "
		   "-H 'content-type: application/grpc'", folder);
	puts("#");
	bench_title("gRPC, unary, 8 connections with 8 streams each",
		    "a server on libgrpc's C core that looks at nothing",
		    "calls a second", "higher");
	compare("Host/GetVersion",
		&(struct load){ options, { api, method }, { grpc, method },
				5 + bytes });
}

/**
 * measure_trips() - What one request takes
 * @native:	On the native socket
 * @rest:	Over REST
 * @health:	Of what ioasid-api answers by itself
 */
static void measure_trips(const struct way *native, const struct way *rest,
			  const struct way *health)
{
	struct ways ways = { *rest, *native };
	struct bench bench = { .ours = trips_ours,
			       .reference = trips_reference, .data = &ways,
			       .rounds = ROUNDS };

	bench_title("one at a time", "the same method on the native socket",
		    "microseconds", "lower");
	bench.what = "GET /version";
	bench_run(&bench);
	puts("#");
	bench_title("the crossing to ioasidd, one at a time",
		    "GET /healthz, which ioasid-api answers by itself",
		    "microseconds", "lower");
	ways.reference = *health;
	bench_run(&bench);
}

int main(int argc, char **argv)
{
	static const char config[] = "[limits]\nrequests-per-second = 0\n";
	static const char *const gets[GETS] = {
		"/healthz", "/version", "/v1/devices/pci-0000-01-00.0",
	};
	struct daemon daemon = { .pid = 0 };
	struct way native, rest[GETS];
	char path[128], file[96];
	long bytes[GETS], reply;

	if (argc != 5)
		die("api IOASIDD-SIM MACHINE GRPC-REFERENCE FOLDER");
	daemon.program = argv[1];
	daemon.machine = argv[2];
	str_copy(daemon.dir, sizeof(daemon.dir), argv[4]);
	str_format(file, sizeof(file), "%s/ioasidd.conf", argv[4]);
	write_file(file, config, strlen(config));
	daemon.config = file;
	reply = native_way(daemon_start(&daemon), &native);
	str_format(path, sizeof(path), "%s/empty", argv[4]);
	write_file(path, "\0\0\0\0", 5);

	str_format(path, sizeof(path), "%s/api.sock", argv[4]);
	for (int i = 0; i < GETS; i++)
		bytes[i] = rest_way(path, gets[i], &rest[i]);
	str_format(path, sizeof(path), "%s/nginx.sock", argv[4]);
	start_nginx(argv[4], path, bytes);
	str_format(path, sizeof(path), "%s/grpc.sock", argv[4]);
	start_grpc(argv[3], path, reply);

	measure_trips(&native, &rest[1], &rest[0]);
	measure_rest(argv[4], gets, bytes);
	measure_grpc(argv[4], reply);
	daemon_stop(&daemon);
	return 0;
}
