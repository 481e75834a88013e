/* job US: uses that much CPU time, as the shortest step of a build would. */
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  long limit = argc > 1 ? atol(argv[1]) * 1000 : 0;
  struct timespec used;
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  while (used.tv_sec == 0 && used.tv_nsec < limit);
  return 0;
}
