// Code of somebody who has taken the server over: loaded into it, it tries what the environment
// variable INTRUDER says once the poll loop runs, and tells on standard error how that went.
//
// INTRUDER is a list of attempts, each in a line: "read PATH", "create PATH", "list PATH",
// "run PATH", "signal PID", "tcp ADDRESS-OF-A-PORT", "root".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

// Returns 0 or the number of an error.
static int attempt(const char *what, const char *with) {
    if (!strcmp(what, "read")) return open(with, O_RDONLY) < 0 ? errno : 0;
    if (!strcmp(what, "create")) return open(with, O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
    if (!strcmp(what, "list")) return opendir(with) ? 0 : errno;
    if (!strcmp(what, "signal")) return kill(atoi(with), 0) ? errno : 0;
    if (!strcmp(what, "tcp")) return connect_to(with) ? errno : 0;
    if (!strcmp(what, "root")) return setuid(0) ? errno : 0;
    if (!strcmp(what, "run")) {
        pid_t child;
        return posix_spawn(&child, with, NULL, NULL, (char *[]){(char *)with, NULL}, NULL);
    }
    return EINVAL;
}

static void intrude(void) {
    char *attempts = strdup(getenv("INTRUDER"));
    for (char *line = strtok(attempts, "\n"); line; line = strtok(NULL, "\n")) {
        char *with = strchr(line, ' ');
        if (with) *with++ = 0;
        int error = attempt(line, with ? with : "");
        dprintf(2, "intruder: %s %s: %s\n", line, with ? with : "-", error ? strerror(error) : "done");
    }
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout) {
    static atomic_flag inside = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&inside)) intrude();
    int (*real)(int, struct epoll_event *, int, int) = dlsym(RTLD_NEXT, "epoll_wait");
    return real(fd, events, most, timeout);
}
