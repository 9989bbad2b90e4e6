// A system that cuts no send into packets: loaded into a program, it lets every send that asks for it
// (UDP_SEGMENT) fail with the error whose number the environment variable REFUSAL holds, and says so
// on standard error.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

// linux/udp.h, which does not go well with netinet/udp.h.
#define UDP_SEGMENT 103

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    struct msghdr *header = (struct msghdr *)message;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level == IPPROTO_UDP && part->cmsg_type == UDP_SEGMENT) {
            dprintf(2, "segments refused\n");
            errno = atoi(getenv("REFUSAL"));
            return -1;
        }
    }
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    return real(fd, message, flags);
}
