/* reaped-writer FILE: a child writes 100 MB over four seconds and ends a second later; its parent reaps it and lives on for two. Prints both pids. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char block[2500000];

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  pid_t child = fork();
  if (child == 0) {
    usleep(500000);
    int fd = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600);
    for (int i = 0; i < 40; i++) {
      if (write(fd, block, sizeof block) < 0) return 1;
      usleep(100000);
    }
    sleep(1);
    return 0;
  }
  printf("%d %d\n", getpid(), child);
  fflush(stdout);
  wait(NULL);
  sleep(2);
  return 0;
}
