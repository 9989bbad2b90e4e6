// Runs a program and counts what all its threads ask of the system, however they do: at the end it tells
// on standard error how often each call was made, by its name or else by its number. A request to stop is
// passed on.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// Those that the tests name.
static const char *names[] = {
#ifdef SYS_epoll_wait
    [SYS_epoll_wait] = "epoll_wait",
#else
    [SYS_epoll_pwait] = "epoll_wait",
#endif
    [SYS_connect] = "connect",
    [SYS_recvfrom] = "recvfrom",
    [SYS_recvmsg] = "recvmsg",
    [SYS_recvmmsg] = "recvmmsg",
    [SYS_sendto] = "sendto",
    [SYS_sendmsg] = "sendmsg",
    // Files in memory are read with the first where the system does not know how not to wait for them.
    [SYS_preadv] = "preadv",
    [SYS_preadv2] = "preadv",
    [SYS_pwrite64] = "pwrite64",
    [SYS_pwritev] = "pwritev",
};
#define NAMES (sizeof names / sizeof *names)

// By their numbers; the last one is for those of which this knows nothing.
static unsigned long counts[1024];
#define COUNTS (sizeof counts / sizeof *counts)

static pid_t program;

static void pass_on(int signal) { kill(program, signal); }

static void count(pid_t thread) {
    struct __ptrace_syscall_info info = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) perror("calls"), exit(126);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    counts[info.entry.nr < COUNTS ? info.entry.nr : COUNTS - 1]++;
}

int main(int argc, char **argv) {
    if (argc < 2 || (program = fork()) < 0) return 126;
    if (program == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0) perror("calls"), _exit(126);
        raise(SIGSTOP);
        execv(argv[1], argv + 1);
        _exit(127);
    }
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, 0);
    int status, code = 126, known = 0;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR) continue;
        if (thread < 0) break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == program) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        if (!known++) {
            long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
            ptrace(PTRACE_SETOPTIONS, thread, 0, options);
        }
        long signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) count(thread);
        // The stops of tracing itself are none of the program's business.
        if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP) signal = 0;
        ptrace(PTRACE_SYSCALL, thread, 0, signal);
    }
    for (size_t at = 0; at < COUNTS; at++) {
        if (!counts[at]) continue;
        if (at < NAMES && names[at])
            fprintf(stderr, "counted %s %lu\n", names[at], counts[at]);
        else
            fprintf(stderr, "counted %zu %lu\n", at, counts[at]);
    }
    return code;
}
