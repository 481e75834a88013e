/*
 * talkers COUNT: so many processes that each send ten datagrams a second to themselves, through a socket without a fixed
 * peer, until standard input is closed. Says so in a line when all of them are there.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void talk(void) {
  struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof self;
  struct sockaddr_in any = {.sin_family = AF_INET};
  int made = socket(AF_INET, SOCK_DGRAM, 0);
  char text[100] = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (made < 0 || bind(made, (struct sockaddr *)&any, sizeof any) < 0) exit(1);
  getsockname(made, (struct sockaddr *)&any, &length);
  self.sin_port = any.sin_port;
  for (;;) {
    sendto(made, text, sizeof text, 0, (struct sockaddr *)&self, sizeof self);
    recv(made, text, sizeof text, 0);
    usleep(100000);
  }
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 0;
  signal(SIGCHLD, SIG_IGN);
  for (int i = 0; i < count; i++) {
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) talk();
  }
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
