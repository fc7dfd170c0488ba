/* Loaded before the C library into a server under test (LD_PRELOAD): makes its disk full or unreliable and its clock wrong, as the first bytes of a shared file say.
   Byte 0: 0 all is well, 1 no room on the disk, 2 a part of all calls that write fails, 3 a part of all reads fails, 4 writing stands still, 5 the file system is read-only. Byte 1: how many of a hundred. Bytes 2 and 3: after how many writes it stands still; that it does, a file says whose name ends with ".stands".
   Bytes 8 to 15: seconds that the clock is ahead. Only files whose path contains what FAULT_PATH says ("rootmas.db" if it says nothing) are concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned char *state;

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("FAULT_STATE");
  int fd = path ? open(path, O_RDONLY) : -1;
  if (fd >= 0) {
    void *map = mmap(0, 16, PROT_READ, MAP_SHARED, fd, 0);
    state = map == MAP_FAILED ? 0 : map;
    close(fd);
  }
}

static int is_concerned(const char *path) {
  const char *concerned = getenv("FAULT_PATH");
  return strstr(path, concerned ? concerned : "rootmas.db") != 0;
}

static int concerns(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return is_concerned(path);
}

enum kind { READ, SYNC, WRITE };

/* Says so, and waits until somebody kills the process or all is well. */
static void stand_still(void) {
  char sign[4096];
  snprintf(sign, sizeof sign, "%s.stands", getenv("FAULT_STATE"));
  close(open(sign, O_CREAT | O_WRONLY, 0600));
  while (state[0] == 4) usleep(1000);
}

/* What a call fails with; 0: it goes on. */
static int fault(int fd, enum kind kind) {
  static unsigned seed = 7, written;
  if (!state || state[0] == 0 || !concerns(fd)) return 0;
  switch (state[0]) {
    case 1:
      return kind == WRITE ? ENOSPC : 0;
    case 5:
      return 0;
    case 4:
      if (kind == WRITE && __sync_fetch_and_add(&written, 1) >= (unsigned)(state[2] | state[3] << 8)) stand_still();
      return 0;
    default:
      return (kind == READ) == (state[0] == 3) && rand_r(&seed) % 100 < state[1] ? EIO : 0;
  }
}

#define FAILS(result, name, kind, params, args)                                 \
  result name params {                                                          \
    static result (*next) params;                                               \
    if (!next) next = (result (*) params)dlsym(RTLD_NEXT, #name);               \
    int error = fault(fd, kind);                                                \
    if (error) { errno = error; return -1; }                                    \
    return next args;                                                           \
  }

FAILS(ssize_t, pread64, READ, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))
FAILS(ssize_t, pread, READ, (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
FAILS(ssize_t, read, READ, (int fd, void *b, size_t n), (fd, b, n))
FAILS(ssize_t, pwrite64, WRITE, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
FAILS(ssize_t, pwrite, WRITE, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
FAILS(ssize_t, write, WRITE, (int fd, const void *b, size_t n), (fd, b, n))
FAILS(int, fsync, SYNC, (int fd), (fd))
FAILS(int, fdatasync, SYNC, (int fd), (fd))
FAILS(int, ftruncate64, SYNC, (int fd, off64_t n), (fd, n))

/* Only files that are opened to be written are missed on a read-only file system. */
#define OPENS(name)                                                             \
  int name(const char *path, int flags, ...) {                                  \
    static int (*next)(const char *, int, ...);                                 \
    if (!next) next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);          \
    if (state && state[0] == 5 && writes && is_concerned(path)) {               \
      errno = EROFS;                                                            \
      return -1;                                                                \
    }                                                                           \
    va_list more;                                                               \
    va_start(more, flags);                                                      \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;     \
    va_end(more);                                                               \
    return next(path, flags, mode);                                             \
  }

OPENS(open)
OPENS(open64)

static int64_t ahead(void) {
  int64_t seconds = 0;
  if (state) memcpy(&seconds, (const void *)(state + 8), 8);
  return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = next(clock, at);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) at->tv_sec += ahead();
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  static int (*next)(struct timeval *, void *);
  if (!next) next = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = next(at, zone);
  at->tv_sec += ahead();
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
