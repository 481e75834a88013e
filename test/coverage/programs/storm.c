/*
 * storm MODE COUNT AT_ONCE MIN_US MAX_US [PROGRAM ARGS…]: starts COUNT processes, AT_ONCE of them at a time. Each uses MIN_US to MAX_US
 * of CPU time, or is the given program.
 *   wait       this process waits for each of them
 *   ignored    it ignores SIGCHLD, so the kernel reaps them and adds their usage to nobody
 *   double     each is forked twice, so that it becomes an orphan and init or a subreaper reaps it
 *   subreaper  the same, and this process is the subreaper; a launcher below it forks
 * When all are gone it prints what it knows, as JSON, and waits until its standard input is closed: whoever measures has time to look.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int count, at_once, min_us, max_us;
static char **program;
/* Whoever ends writes the pid of its parent of that time: that paces the storm where nothing can be waited for. */
static int tokens[2];

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static double used_by(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void work(int index) {
  if (program != NULL) {
    close(tokens[0]);
    execv(program[0], program);
    _exit(127);
  }
  double until = (min_us + (double)(max_us - min_us) * (index * 7919 % 1000) / 1000) / 1e6;
  while (seconds(CLOCK_PROCESS_CPUTIME_ID) < until) {}
}

/* Keeps what comes before the hyphen, by which the workload is known. */
static void rename_to(const char *role) {
  char name[16];
  snprintf(name, sizeof name, "%.*s-%s", (int)strcspn(program_invocation_short_name, "-"), program_invocation_short_name, role);
  prctl(PR_SET_NAME, name);
}

static pid_t forked(void) {
  pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    exit(1);
  }
  return pid;
}

static void started_and_waited_for(void) {
  int running = 0;
  for (int i = 0; i < count; i++) {
    if (running == at_once && wait(NULL) > 0) running--;
    if (forked() == 0) {
      work(i);
      _exit(0);
    }
    running++;
  }
  while (wait(NULL) > 0) {}
}

static void started_and_ignored(void) {
  signal(SIGCHLD, SIG_IGN);
  int running = 0;
  char token;
  for (int i = 0; i < count; i++) {
    /* A program knows nothing of tokens; wait returns when the last child is gone, so programs run one after another. */
    if (program == NULL && running == at_once && read(tokens[0], &token, 1) == 1) running--;
    if (forked() == 0) {
      work(i);
      if (write(tokens[1], "", 1) != 1) _exit(1);
      _exit(0);
    }
    running++;
    if (program != NULL) while (wait(NULL) > 0) {}
  }
  while (wait(NULL) > 0) {}
}

/* Returns who reaped the last one. */
static pid_t started_as_orphans(void) {
  pid_t reaper = 0;
  int running = 0;
  for (int i = 0; i < count; i++) {
    if (running == at_once && read(tokens[0], &reaper, sizeof reaper) == sizeof reaper) running--;
    pid_t middle = forked();
    if (middle == 0) {
      pid_t self = getpid();
      if (forked() != 0) _exit(0);
      work(i);
      while ((reaper = getppid()) == self) usleep(100);
      if (write(tokens[1], &reaper, sizeof reaper) != sizeof reaper) _exit(1);
      _exit(0);
    }
    waitpid(middle, NULL, 0);
    running++;
  }
  while (running > 0 && read(tokens[0], &reaper, sizeof reaper) == sizeof reaper) running--;
  return reaper;
}

int main(int argc, char **argv) {
  if (argc < 6 || pipe(tokens) < 0) return 2;
  count = atoi(argv[2]);
  at_once = atoi(argv[3]);
  min_us = atoi(argv[4]);
  max_us = atoi(argv[5]);
  if (argc > 6) program = argv + 6;
  pid_t reaper = getpid();
  double begin = seconds(CLOCK_MONOTONIC);
  if (strcmp(argv[1], "wait") == 0) started_and_waited_for();
  else if (strcmp(argv[1], "ignored") == 0) started_and_ignored();
  else if (strcmp(argv[1], "double") == 0) reaper = started_as_orphans();
  else if (strcmp(argv[1], "subreaper") == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    rename_to("reaper");
    if (forked() == 0) {
      prctl(PR_SET_CHILD_SUBREAPER, 0);
      rename_to("launcher");
      started_as_orphans();
      _exit(0);
    }
    while (wait(NULL) > 0) {}
  } else return 2;
  printf("{\"pid\":%d,\"reaper\":%d,\"processes\":%d,\"wallSeconds\":%.3f,\"cpuSeconds\":%.6f}\n", getpid(), reaper, count,
         seconds(CLOCK_MONOTONIC) - begin, used_by(RUSAGE_SELF) + used_by(RUSAGE_CHILDREN));
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  return 0;
}
