// Does what processes do, on request, for the tests and the benchmark: much of it
// in little time, or once and in an odd way. Prints facts that only the inside
// knows, such as process ids, as "key=value" lines for a test to compare with
// what was recorded.
//
// Static and without any library but libc, so that it starts fast and runs alone
// in a namespace, a chroot or a bare guest.

#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

void fact(const char *key, const char *format, ...) {
    va_list values;
    va_start(values, format);
    printf("%s=", key);
    vprintf(format, values);
    putchar('\n');
    fflush(stdout);
    va_end(values);
}

void die(const char *format, ...) {
    int error = errno;
    va_list values;
    va_start(values, format);
    fputs("workload: ", stderr);
    vfprintf(stderr, format, values);
    fprintf(stderr, "%s%s\n", error ? ": " : "", error ? strerror(error) : "");
    va_end(values);
    _exit(125);
}

long number(const char *text) {
    char *end;
    errno = 0;
    long value = text ? strtol(text, &end, 10) : -1;
    if (value < 0 || end == text || *end || errno) {
        errno = 0;
        die("not a number: %s", text ? text : "(missing)");
    }
    return value;
}

const char *own_path(void) {
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        die("cannot read /proc/self/exe");
    path[length] = 0;
    return path;
}

void exec_workload(const char *path, char **arguments) {
    char *argv[64] = {"workload"};
    for (int i = 0; arguments[i] && i + 2 < 64; i++)
        argv[i + 1] = arguments[i];
    execve(path, argv, environ);
    die("cannot execute %s", path);
}

int wait_for(int pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            die("cannot wait for %d", pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int exit_with(char **arguments) {
    return (int)(number(arguments[0]) % 256);
}

static int sleep_for(char **arguments) {
    long ms = number(arguments[0]);
    struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
    return 0;
}

// A core is dumped (into the working directory, as a rule) only if asked for.
static int die_of_signal(char **arguments) {
    int signal_number = (int)number(arguments[0]);
    int with_core = arguments[1] && strcmp(arguments[1], "core") == 0;
    struct rlimit core = {with_core ? RLIM_INFINITY : 0, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &core);
    signal(signal_number, SIG_DFL);
    kill(getpid(), signal_number);
    errno = 0;
    die("signal %d does not kill", signal_number);
}

// A line break within a value must not look like a fact of its own.
static void print_value(const char *kind, int index, const char *value) {
    printf("%s.%d=", kind, index);
    for (; *value; value++)
        *value == '\n' ? fputs("\\n", stdout) : putchar(*value);
    putchar('\n');
}

static int dump_environment(char **arguments) {
    for (int i = 0; arguments[i]; i++)
        print_value("arg", i, arguments[i]);
    for (int i = 0; environ[i]; i++)
        print_value("env", i, environ[i]);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(char **);
    const char *usage;
} subcommands[] = {
    {"storm", storm,
     "[-j J] [-p] [-w MS] [-a BYTES] N [PROGRAM]: vfork, exec and wait N times, by J processes, each "
     "on a processor (-p), with pauses (-w), with so many bytes of arguments (-a)"},
    {"fork-only", fork_only, "N: fork N children that exit with 0, 1, 2... and never exec"},
    {"failed-exec", failed_exec, "N: try N execs that fail, then exit with 3"},
    {"bomb", bomb, "N: children that fork children that fork children, N of them"},
    {"crowd", crowd, "N: N children that live until the standard input ends"},
    {"join", join_control_group, "DIR SUBCOMMAND...: go on in a control group"},
    {"at-most", limit_processes, "N SUBCOMMAND...: go on as one of a user's N processes"},
    {"all-ns", all_namespaces, "N: N processes, each in namespaces of its own, until the input ends"},
    {"exit", exit_with, "STATUS: exit"},
    {"await", await_end_of_input, "STATUS: exit when the standard input has ended"},
    {"sleep", sleep_for, "MS: sleep"},
    {"kill", die_of_signal, "SIGNAL [core]: die of a signal"},
    {"env-dump", dump_environment, "[ARG...]: print arguments and environment"},
    {"exec-twice", exec_twice, "STATUS: two more execs in the same process, then exit"},
    {"setuid", exec_as_user, "UID PROGRAM [ARG...]: drop to a user and group, and exec"},
    {"memfd", exec_from_memfd, "[SUBCOMMAND...]: exec a copy that lives in a memfd"},
    {"deleted", exec_deleted, "DIR [SUBCOMMAND...]: exec a copy that was deleted before"},
    {"unlinked", exec_then_unlink, "DIR [SUBCOMMAND...]: exec a copy that then deletes itself"},
    {"unlink-self", unlink_own_file, "[SUBCOMMAND...]: delete the own file, go on without exec"},
    {"mount-ns", exec_in_mount_namespace, "DIR [SUBCOMMAND...]: exec a copy from a private tmpfs"},
    {"chroot", exec_in_chroot, "DIR [SUBCOMMAND...]: exec a copy inside a chroot"},
    {"thread-exec", exec_from_thread, "PROGRAM [ARG...]: exec from a thread that is not the leader"},
    {"thread-exits", thread_exits, "N: N threads come and go, then exit with 7"},
    {"leader-exits-first", leader_exits_first,
     "FIRST LAST: the leader ends with FIRST, later the last thread with LAST"},
    {"daemonize", daemonize, "[SUBCOMMAND...]: double fork, and exec once the parent is gone"},
    {"orphans", orphans, "N: N children whose parent dies before they exit with 0, 1, 2..."},
    {"pid-ns", pid_namespace, "[SUBCOMMAND...]: exec as process 1 of a new pid namespace"},
    {"pid-reuse", pid_reuse, ": two processes, one after the other, with the same pid"},
};

static int usage(void) {
    fputs("usage: workload SUBCOMMAND [ARGUMENT...]\n", stderr);
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        fprintf(stderr, "  %s %s\n", subcommands[i].name, subcommands[i].usage);
    return 125;
}

int run_subcommand(char **arguments) {
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        if (arguments[0] && strcmp(arguments[0], subcommands[i].name) == 0)
            return subcommands[i].run(arguments + 1);
    return usage();
}

int main(int argc, char **argv) {
    // The benchmark measures the recorder, so its children do nothing at all.
    if (argc >= 3 && strcmp(argv[1], "storm-child") == 0)
        _exit(atoi(argv[2]) % 256);
    if (argc > 1)
        fact("pid", "%d", getpid());
    return run_subcommand(argv + 1);
}
