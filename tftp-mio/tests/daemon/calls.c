// Runs a program and counts what all its threads ask of the system, however they do: at the end it tells
// on standard error how often each of these calls was made. A request to stop is passed on.
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

static struct {
    const char *name;
    long number;
    unsigned long count;
} calls[] = {
#ifdef SYS_epoll_wait
    {"epoll_wait", SYS_epoll_wait, 0},
#else
    {"epoll_wait", SYS_epoll_pwait, 0},
#endif
    {"recvfrom", SYS_recvfrom, 0},
    {"recvmsg", SYS_recvmsg, 0},
    {"recvmmsg", SYS_recvmmsg, 0},
    {"sendto", SYS_sendto, 0},
    {"sendmsg", SYS_sendmsg, 0},
    {"ioctl", SYS_ioctl, 0},
    {"fcntl", SYS_fcntl, 0},
    {"lseek", SYS_lseek, 0},
    {"timerfd_settime", SYS_timerfd_settime, 0},
};
#define CALLS (sizeof calls / sizeof *calls)

static pid_t program;

static void pass_on(int signal) { kill(program, signal); }

static void count(pid_t thread) {
    struct __ptrace_syscall_info info = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) perror("calls"), exit(126);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    for (size_t at = 0; at < CALLS; at++) calls[at].count += info.entry.nr == (unsigned long)calls[at].number;
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
    for (size_t at = 0; at < CALLS; at++) fprintf(stderr, "counted %s %lu\n", calls[at].name, calls[at].count);
    return code;
}
