/*
 * Preloaded into redis-server to shift its wall clock. The file named by CLOCK_SHIM_FILE holds the shift in milliseconds
 * as a 64-bit integer, and may change at any time. The monotonic clock is not shifted, as when a real clock steps.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_ms;

__attribute__((constructor)) static void map_shift(void) {
  const char *file = getenv("CLOCK_SHIM_FILE");
  int fd = file ? open(file, O_RDONLY) : -1;
  if (fd < 0) return;
  void *mapped = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) shift_ms = mapped;
  close(fd);
}

static void shifted(struct timespec *at) {
  int64_t shift = shift_ms ? *shift_ms : 0;
  at->tv_sec += shift / 1000;
  at->tv_nsec += (shift % 1000) * 1000000;
  if (at->tv_nsec >= 1000000000) at->tv_sec += 1, at->tv_nsec -= 1000000000;
  if (at->tv_nsec < 0) at->tv_sec -= 1, at->tv_nsec += 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, clock, at);
  if (!failed && clock == CLOCK_REALTIME) shifted(at);
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
