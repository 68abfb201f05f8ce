/* A disk that is full at one of the operations that take room, for one folder; see full_disk.py.

   Counted are the calls below the folder $FULL_DISK that can find no room: data, new names, and
   what goes down to the disk. Armed, the one at a number fails, or it and all that follow; a write
   of data that begins the latter takes half of its bytes first, as disks do. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long full_at;
static int full_for_good;
static long *counted; /* shared with the process that wants to know */

void full_disk_arm(long at, int for_good, long *count)
{
    full_at = at, full_for_good = for_good, counted = count;
}

static int begins(const char *path)
{
    const char *folder = getenv("FULL_DISK");
    size_t length = folder ? strlen(folder) : 0;
    return length && !strncmp(path, folder, length);
}

static int mine(const char *path)
{
    char here[PATH_MAX];
    return counted && begins(*path == '/' ? path : getcwd(here, sizeof here) ? here : "");
}

static int mine_open(int file)
{
    char link[64], path[PATH_MAX];
    if (!counted)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return begins(path);
}

/* Count a call: 0, or 1 for the one that fails, 2 for one after it. */
static int full(void)
{
    long number = __atomic_add_fetch(counted, 1, __ATOMIC_SEQ_CST);
    return full_at < 1 || number < full_at || (number > full_at && !full_for_good)
        ? 0 : number == full_at ? 1 : 2;
}

#define TRUE_ONE(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define NO_ROOM return errno = ENOSPC, -1
#define GUARD(kind, name, taken, given, condition) \
    kind name taken { if ((condition) && full()) NO_ROOM; return TRUE_ONE(name) given; }

ssize_t write(int file, const void *data, size_t size)
{
    int state = mine_open(file) ? full() : 0;
    if (state == 1 && full_for_good && size > 1)
        return TRUE_ONE(write)(file, data, size / 2);
    if (state)
        NO_ROOM;
    return TRUE_ONE(write)(file, data, size);
}

GUARD(ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n), mine_open(f))
GUARD(ssize_t, pwrite, (int f, const void *d, size_t n, off_t o), (f, d, n, o), mine_open(f))
GUARD(ssize_t, pwrite64, (int f, const void *d, size_t n, off64_t o), (f, d, n, o), mine_open(f))
GUARD(int, fsync, (int f), (f), mine_open(f))
GUARD(int, fdatasync, (int f), (f), mine_open(f))
GUARD(int, mkdir, (const char *p, mode_t m), (p, m), mine(p) && access(p, F_OK))
GUARD(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m), mine(p) && access(p, F_OK))
GUARD(int, link, (const char *a, const char *b), (a, b), mine(b) && access(b, F_OK))
GUARD(int, linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f),
      mine(b) && access(b, F_OK))
GUARD(int, rename, (const char *a, const char *b), (a, b), mine(b))
GUARD(int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), mine(b))

#define GUARD_OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (flags & O_CREAT && mine(path) && access(path, F_OK) && full()) \
            NO_ROOM; \
        return TRUE_ONE(name)(path, flags, mode); \
    }
GUARD_OPEN(open)
GUARD_OPEN(open64)
