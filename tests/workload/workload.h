// What the parts of the workload share. See main.c for what it is.
#pragma once

// Prints one "key=value" line at once, so that what comes next, be it a fork, an
// exec or death, neither loses it nor prints it twice.
__attribute__((format(printf, 2, 3))) void fact(const char *key, const char *format, ...);

// Prints what failed and why, and ends the process with status 125, which no
// subcommand otherwise uses.
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

// A whole, non-negative decimal number, or the end of the process.
long number(const char *text);

// The path of this program's file.
const char *own_path(void);

// Runs the subcommand in arguments[0] within this process.
int run_subcommand(char **arguments);

// Replaces the process by the file at `path`, as "workload ARGUMENTS...".
__attribute__((noreturn)) void exec_workload(const char *path, char **arguments);

// Waits for the child and returns its exit status, or 128 plus its signal.
int wait_for(int pid);

// Each subcommand takes its arguments, ended by NULL, and returns the exit status.
int storm(char **arguments);
int fork_only(char **arguments);
int failed_exec(char **arguments);

int bomb(char **arguments);
int crowd(char **arguments);
int join_control_group(char **arguments);
int limit_processes(char **arguments);
int all_namespaces(char **arguments);
int await_end_of_input(char **arguments);

int exec_twice(char **arguments);
int exec_as_user(char **arguments);
int exec_from_memfd(char **arguments);
int exec_deleted(char **arguments);
int exec_then_unlink(char **arguments);
int unlink_own_file(char **arguments);
int exec_in_mount_namespace(char **arguments);
int exec_in_chroot(char **arguments);

int exec_from_thread(char **arguments);
int thread_exits(char **arguments);
int leader_exits_first(char **arguments);

int daemonize(char **arguments);
int orphans(char **arguments);
int pid_namespace(char **arguments);
int pid_reuse(char **arguments);
