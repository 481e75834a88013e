/*
 * net MODE …: one end of an exchange over the network that counts its own bytes, as its system calls return them.
 *   tcp-server PORT                                takes one connection and reads it to its end
 *   tcp-client ADDR PORT SECONDS BYTES_PER_SEC     sends so much, evenly
 *   sendfile ADDR PORT SECONDS BYTES_PER_SEC FILE  the same, from a file and without a copy
 *   udp-recv PORT                                  takes datagrams up to one of a single byte
 *   udp-send ADDR PORT SECONDS BYTES_PER_SEC connected|unconnected
 *   http-server PORT                               answers requests, each on a connection of its own, up to one for /end
 *   http-client ADDR PORT COUNT PER_SEC
 * Whoever listens says so in a line first. At its end each prints its counts as JSON and waits until its standard input is closed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 65536, DATAGRAM = 1400, BODY = 8192, TICK_US = 5000 };

static char buffer[CHUNK];
static long long sent, received;

static void failed(const char *what) {
  perror(what);
  exit(1);
}

/* A count that a system call returned; what failed is zero bytes and the end of the program. */
static ssize_t counted(ssize_t bytes, long long *sum, const char *what) {
  if (bytes < 0) failed(what);
  *sum += bytes;
  return bytes;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static struct addrinfo *address_of(const char *host, const char *port, int type) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) {
    fprintf(stderr, "%s is no address\n", host);
    exit(2);
  }
  return found;
}

static int open_socket(struct addrinfo *address) {
  int made = socket(address->ai_family, address->ai_socktype, 0);
  if (made < 0) failed("socket");
  return made;
}

static int connected_to(struct addrinfo *address) {
  int made = open_socket(address);
  if (connect(made, address->ai_addr, address->ai_addrlen) < 0) failed("connect");
  return made;
}

/* One socket for both families: an IPv6 one that takes IPv4 as well. */
static int bound_to(const char *port, int type) {
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
  int yes = 1, no = 0, room = 8 << 20;
  int made = socket(AF_INET6, type, 0);
  if (made < 0) failed("socket");
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (bind(made, (struct sockaddr *)&any, sizeof any) < 0) failed("bind");
  if (type == SOCK_STREAM && listen(made, 128) < 0) failed("listen");
  printf("{\"listening\":%s}\n", port);
  fflush(stdout);
  return made;
}

/* Hands out how many bytes are due, until the time is over. */
struct pace {
  double begin, seconds, rate;
  long long given;
};

static size_t due(struct pace *pace, size_t unit) {
  for (;;) {
    double elapsed = now() - pace->begin;
    if (elapsed >= pace->seconds) return 0;
    if (elapsed * pace->rate >= pace->given + unit) break;
    usleep(TICK_US);
  }
  pace->given += unit;
  return unit;
}

static struct pace pace_of(char **argv) {
  struct pace pace = {.begin = now(), .seconds = atof(argv[4]), .rate = atof(argv[5])};
  return pace;
}

static void tcp_server(char **argv) {
  int peer = accept(bound_to(argv[2], SOCK_STREAM), NULL, NULL);
  if (peer < 0) failed("accept");
  while (counted(read(peer, buffer, sizeof buffer), &received, "read") > 0) {}
  close(peer);
}

static void tcp_client(char **argv) {
  int peer = connected_to(address_of(argv[2], argv[3], SOCK_STREAM));
  struct pace pace = pace_of(argv);
  for (size_t left; (left = due(&pace, CHUNK)) > 0;)
    while (left > 0) left -= counted(write(peer, buffer, left), &sent, "write");
  close(peer);
}

static void send_file(char **argv) {
  int file = open(argv[6], O_RDONLY);
  if (file < 0) failed(argv[6]);
  int peer = connected_to(address_of(argv[2], argv[3], SOCK_STREAM));
  struct pace pace = pace_of(argv);
  for (size_t left; (left = due(&pace, CHUNK)) > 0;)
    while (left > 0) {
      off_t start = 0;
      left -= counted(sendfile(peer, file, &start, left), &sent, "sendfile");
    }
  close(peer);
}

static void udp_recv(char **argv) {
  int made = bound_to(argv[2], SOCK_DGRAM);
  while (counted(recv(made, buffer, sizeof buffer, 0), &received, "recv") != 1) {}
}

static void udp_send(char **argv) {
  struct addrinfo *to = address_of(argv[2], argv[3], SOCK_DGRAM);
  int connected = strcmp(argv[6], "connected") == 0;
  int made = connected ? connected_to(to) : open_socket(to);
  struct pace pace = pace_of(argv);
  for (;;) {
    /* The last datagram, of one byte, tells the receiver that there are no more. */
    size_t size = due(&pace, DATAGRAM) > 0 ? DATAGRAM : 1;
    if (connected) counted(send(made, buffer, size, 0), &sent, "send");
    else counted(sendto(made, buffer, size, 0, to->ai_addr, to->ai_addrlen), &sent, "sendto");
    if (size == 1) return;
  }
}

static void http_server(char **argv) {
  int listener = bound_to(argv[2], SOCK_STREAM);
  char answer[BODY + 128];
  int head = snprintf(answer, sizeof answer, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
  memset(answer + head, 'x', BODY);
  for (int last = 0; !last;) {
    int peer = accept(listener, NULL, NULL);
    if (peer < 0) failed("accept");
    size_t length = 0;
    do length += counted(read(peer, buffer + length, sizeof buffer - length), &received, "read");
    while (memmem(buffer, length, "\r\n\r\n", 4) == NULL);
    last = memcmp(buffer, "GET /end ", 9) == 0;
    counted(write(peer, answer, head + BODY), &sent, "write");
    close(peer);
  }
}

static void http_client(char **argv) {
  struct addrinfo *to = address_of(argv[2], argv[3], SOCK_STREAM);
  int count = atoi(argv[4]);
  double begin = now();
  for (int i = 1; i <= count; i++) {
    while ((now() - begin) * atof(argv[5]) < i) usleep(TICK_US / 10);
    int peer = connected_to(to);
    int length = snprintf(buffer, sizeof buffer, "GET /%s HTTP/1.0\r\nHost: %s\r\nUser-Agent: coverage\r\nAccept: */*\r\n\r\n",
                          i == count ? "end" : "page", argv[2]);
    counted(write(peer, buffer, length), &sent, "write");
    while (counted(read(peer, buffer, sizeof buffer), &received, "read") > 0) {}
    close(peer);
  }
}

static const struct {
  const char *name;
  int arguments;
  void (*run)(char **argv);
} modes[] = {
    {"tcp-server", 1, tcp_server}, {"tcp-client", 4, tcp_client},   {"sendfile", 5, send_file},     {"udp-recv", 1, udp_recv},
    {"udp-send", 5, udp_send},     {"http-server", 1, http_server}, {"http-client", 4, http_client},
};

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  /* A server that nobody speaks to would wait for ever. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(argv[1], modes[i].name) != 0 || argc - 2 != modes[i].arguments) continue;
    double begin = now();
    modes[i].run(argv);
    printf("{\"pid\":%d,\"sent\":%lld,\"received\":%lld,\"wallSeconds\":%.3f}\n", getpid(), sent, received, now() - begin);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {}
    return 0;
  }
  return 2;
}
