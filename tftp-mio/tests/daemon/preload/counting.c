// Counts what a program asks of the system: loaded into it, it tells on standard error at the end how
// often each of these calls was made through the C library.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNTED(result, name, parameters, arguments)      \
    static atomic_ulong count_##name;                     \
    result name parameters {                              \
        static __typeof__(&name) real;                    \
        if (!real) real = REAL(name);                     \
        atomic_fetch_add(&count_##name, 1);               \
        return real arguments;                            \
    }

typedef struct sockaddr *address;
typedef const struct sockaddr *target;
COUNTED(int, epoll_wait, (int fd, struct epoll_event *events, int most, int time), (fd, events, most, time))
COUNTED(ssize_t, recvfrom, (int fd, void *to, size_t len, int flags, address from, socklen_t *size),
        (fd, to, len, flags, from, size))
COUNTED(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
COUNTED(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned most, int flags, struct timespec *time),
        (fd, messages, most, flags, time))
COUNTED(ssize_t, sendto, (int fd, const void *from, size_t len, int flags, target to, socklen_t size),
        (fd, from, len, flags, to, size))
COUNTED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
COUNTED(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument))
COUNTED(int, fcntl, (int fd, int command, void *argument), (fd, command, argument))
COUNTED(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence))
COUNTED(int, timerfd_settime, (int fd, int flags, const struct itimerspec *new, struct itimerspec *old),
        (fd, flags, new, old))

#define TELL(name) dprintf(2, "counted " #name " %lu\n", atomic_load(&count_##name))

__attribute__((destructor)) static void tell(void) {
    TELL(epoll_wait);
    TELL(recvfrom), TELL(recvmsg), TELL(recvmmsg);
    TELL(sendto), TELL(sendmsg);
    TELL(ioctl), TELL(fcntl), TELL(lseek), TELL(timerfd_settime);
}
