// A poorer system: loaded into a program, it takes away from it what the environment variable
// WITHOUT names.
//
// tmpfile: files without a name, as on NFS.
// empty_path: naming a descriptor, as before Linux 6.10 without privileges.
// link: naming a descriptor in any way, as without procfs.
// nowait: reading without waiting, as on NFS and overlayfs.
// cache: content that is there without waiting, as of a file that nobody has read for long.
// sync: bringing anything to the disk, which has failed.
// sync_names: the same of folders only; Rust's library syncs files.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Lets this call fail if the argument has one of these bits.
static void forbid(int call, int argument, unsigned bits, int error) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        abort();
}

__attribute__((constructor)) static void impoverish(void) {
    const char *without = getenv("WITHOUT");
    // __O_TMPFILE, AT_EMPTY_PATH and AT_SYMLINK_FOLLOW, which headers hide or define elsewhere.
    if (!strcmp(without, "tmpfile")) forbid(SYS_openat, 2, 020000000, EOPNOTSUPP);
    if (!strcmp(without, "empty_path")) forbid(SYS_linkat, 4, 0x1000, ENOENT);
    if (!strcmp(without, "link")) forbid(SYS_linkat, 4, 0x1400, ENOENT);
    // RWF_NOWAIT.
    if (!strcmp(without, "nowait")) forbid(SYS_preadv2, 5, 0x8, EOPNOTSUPP);
    if (!strcmp(without, "cache")) forbid(SYS_preadv2, 5, 0x8, EAGAIN);
    // Any descriptor but 0.
    if (!strncmp(without, "sync", 4)) forbid(SYS_fsync, 0, ~0u, EIO);
}

int fsync(int fd) {
    return strcmp(getenv("WITHOUT"), "sync_names") ? (int)syscall(SYS_fsync, fd) : 0;
}
