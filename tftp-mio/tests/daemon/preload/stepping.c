// A wall clock that jumps back and forth: loaded into a program, it lets every look at the time of day
// be as many seconds away from the truth as the environment variable STEP says, in turn ahead and
// behind. The monotonic clock stays as it is.
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static _Thread_local int looks;
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) {
        long step = atol(getenv("STEP"));
        time->tv_sec += looks++ % 2 ? step : -step;
    }
    return result;
}
