/*
 * writer FILE BLOCK_BYTES BLOCKS PAUSE_US direct|synced LAST_US: writes that many blocks past the page cache, or through it with an
 * fdatasync after each, pauses after each, and once more for LAST_US. A block is a multiple of 4096 bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  size_t size = strtoul(argv[2], NULL, 10);
  int blocks = atoi(argv[3]);
  int direct = strcmp(argv[5], "direct") == 0;
  void *block;
  if (posix_memalign(&block, 4096, size) != 0) return 1;
  memset(block, 'x', size);
  int file = open(argv[1], O_CREAT | O_WRONLY | (direct ? O_DIRECT : O_TRUNC), 0600);
  if (file < 0) {
    perror(argv[1]);
    return 1;
  }
  for (int i = 0; i < blocks; i++) {
    if (write(file, block, size) != (ssize_t)size || (!direct && fdatasync(file) < 0)) {
      perror("write");
      return 1;
    }
    usleep(atoi(argv[4]));
  }
  usleep(atoi(argv[6]));
  return 0;
}
