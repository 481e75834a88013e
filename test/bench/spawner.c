/* spawner RATE SECONDS: starts so many processes a second that end at once, evenly, and prints how many it started. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  double rate = atof(argv[1]), start = now(), end = start + atof(argv[2]);
  long started = 0;
  for (double time = start; time < end; time = now()) {
    while (started < (time - start) * rate) {
      pid_t pid = vfork();
      if (pid == 0) _exit(0);
      if (pid < 0) return 1;
      waitpid(pid, NULL, 0);
      started++;
    }
    usleep(1000);
  }
  printf("%ld\n", started);
  return 0;
}
