/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ends a running junctord with SIGKILL at its N-th step, counted from when this program says
 * "ready": at the entry of the N-th system call that changes something (before it is made), or
 * before the N-th store into a mapped table (jn_store_seam, found by its name in the executable).
 *
 *	crash_at PID syscalls N		N = 0: nothing is killed, only counted
 *	crash_at PID stores N
 *
 * Ends when the process is gone ("killed N WHERE"), or when its own input ends ("counted N").
 * It does NOT start junctord, and does not follow its children. Stores: x86-64 only.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define SEAM "jn_store_seam"
#define MAX_THREADS 64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BREAKPOINT 0xccul /* int3 */

static const struct {
	long number;
	const char *name;
} steps[] = {
	{ SYS_bpf, "bpf" },	    { SYS_write, "write" },	    { SYS_pwrite64, "pwrite64" },
	{ SYS_writev, "writev" },   { SYS_fsync, "fsync" },	    { SYS_fdatasync, "fdatasync" },
	{ SYS_sendmsg, "sendmsg" }, { SYS_ftruncate, "ftruncate" }, { SYS_unlink, "unlink" },
};

struct run {
	pid_t pid;
	bool at_stores;
	unsigned long target, count;
	const char *where;
	bool is_killed;
	uintptr_t seam; /* address in the process */
	long text;	/* what stood there */
	pid_t threads[MAX_THREADS];
	size_t thread_count;
};

static void fail(const char *what)
{
	fprintf(stderr, "crash_at: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- where the seam is ------------------------------------------------------------------------- */
static uint64_t find_symbol(const unsigned char *elf, uint64_t *load_base)
{
	const Elf64_Ehdr *head = (const void *)elf;
	const Elf64_Shdr *sections = (const void *)(elf + head->e_shoff);
	const Elf64_Phdr *segments = (const void *)(elf + head->e_phoff);

	*load_base = 0;
	for (int i = head->e_phnum - 1; i >= 0; i--) {
		if (segments[i].p_type == PT_LOAD)
			*load_base = segments[i].p_vaddr & ~4095ul;
	}
	for (int i = 0; i < head->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(elf + sections[i].sh_offset);
		const char *names;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		names = (const char *)elf + sections[sections[i].sh_link].sh_offset;
		for (size_t k = 0; k < sections[i].sh_size / sizeof(*symbols); k++) {
			if (!strcmp(names + symbols[k].st_name, SEAM))
				return symbols[k].st_value;
		}
	}
	return 0;
}

/* The address at which the kernel put the first segment of the executable. */
static uint64_t mapped_base(pid_t pid, const char *executable)
{
	char path[64], line[PATH_MAX + 128];
	uint64_t base = 0;
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		fail(path);
	while (!base && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = 0;
		if (strstr(line, executable))
			base = strtoull(line, NULL, 16);
	}
	(void)fclose(maps);
	return base;
}

static void find_seam(struct run *r)
{
	char path[64], executable[PATH_MAX] = "";
	uint64_t symbol, load_base;
	struct stat info;
	void *elf;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", r->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || readlink(path, executable, sizeof(executable) - 1) < 0 || fstat(fd, &info))
		fail(path);
	elf = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (elf == MAP_FAILED)
		fail(executable);
	symbol = find_symbol(elf, &load_base);
	if (!symbol) {
		fprintf(stderr, "crash_at: %s has no symbol " SEAM "; is it stripped?\n",
			executable);
		exit(1);
	}
	r->seam = mapped_base(r->pid, executable) - load_base + symbol;
	(void)munmap(elf, (size_t)info.st_size);
	(void)close(fd);
}

/* --- the breakpoint ---------------------------------------------------------------------------- */
/* thread: one that stands still. */
static void set_breakpoint(struct run *r, pid_t thread, bool on)
{
	long text = on ? (long)(((unsigned long)r->text & ~0xfful) | BREAKPOINT) : r->text;

	/* The data argument of a poke is a value in a pointer's clothes. */
	if (ptrace(PTRACE_POKETEXT, thread, (void *)r->seam, (void *)text)) /* NOLINT */
		fail("the breakpoint");
}

/* Run the one instruction that the breakpoint hides. */
static void step_over(struct run *r, pid_t thread)
{
#ifdef __x86_64__
	struct user_regs_struct regs;
	int status;

	if (ptrace(PTRACE_GETREGS, thread, NULL, &regs))
		fail("registers");
	regs.rip = r->seam;
	if (ptrace(PTRACE_SETREGS, thread, NULL, &regs))
		fail("registers");
	set_breakpoint(r, thread, false);
	if (ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL) || waitpid(thread, &status, __WALL) < 0)
		fail("a single step");
	if (WIFSTOPPED(status))
		set_breakpoint(r, thread, true);
#else
	(void)r;
	(void)thread;
	errno = ENOTSUP;
	fail("stores can be counted on x86-64 only");
#endif
}

static bool is_at_seam(const struct run *r, pid_t thread)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	return r->at_stores && !ptrace(PTRACE_GETREGS, thread, NULL, &regs) &&
	       regs.rip == r->seam + 1;
#else
	(void)r;
	(void)thread;
	return false;
#endif
}

/* --- threads ----------------------------------------------------------------------------------- */
static bool is_known(const struct run *r, pid_t thread)
{
	for (size_t i = 0; i < r->thread_count; i++) {
		if (r->threads[i] == thread)
			return true;
	}
	return false;
}

/* Take hold of the threads there are; returns how many were new. Later ones come by themselves. */
static unsigned seize_threads(struct run *r)
{
	long options = PTRACE_O_TRACECLONE | (r->at_stores ? 0 : PTRACE_O_TRACESYSGOOD);
	unsigned fresh = 0;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", r->pid);
	dir = opendir(path);
	if (!dir)
		fail(path);
	while ((entry = readdir(dir))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

		if (thread <= 0 || is_known(r, thread))
			continue;
		if (r->thread_count == MAX_THREADS) {
			errno = E2BIG;
			fail("threads");
		}
		if (ptrace(PTRACE_SEIZE, thread, NULL, (void *)options) || /* NOLINT */
		    ptrace(PTRACE_INTERRUPT, thread, NULL, NULL))
			fail("ptrace");
		r->threads[r->thread_count++] = thread;
		fresh++;
	}
	(void)closedir(dir);
	return fresh;
}

static void go_on(const struct run *r, pid_t thread, int signal)
{
	/* A thread that died meanwhile is none of our business: its end is reported by itself. */
	(void)ptrace(r->at_stores ? PTRACE_CONT : PTRACE_SYSCALL, thread, NULL,
		     (void *)(long)signal); /* NOLINT */
}

/* --- counting ---------------------------------------------------------------------------------- */
static const char *step_of(pid_t thread)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return NULL;
	for (size_t i = 0; i < COUNT(steps); i++) {
		if ((long)info.entry.nr == steps[i].number)
			return steps[i].name;
	}
	return NULL;
}

/* One more step; true when it was the last one. */
static bool count_step(struct run *r, const char *where)
{
	if (++r->count != r->target)
		return false;
	r->where = where;
	if (kill(r->pid, SIGKILL))
		fail("kill");
	r->is_killed = true;
	return true;
}

static void on_stop(struct run *r, pid_t thread, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	const char *where = NULL;

	if (event) /* a thread that is new, or that was interrupted by us */
		signal = 0;
	else if (signal == (SIGTRAP | 0x80)) {
		where = step_of(thread);
		signal = 0;
	} else if (signal == SIGTRAP && is_at_seam(r, thread)) {
		where = "store";
		signal = 0;
	}
	if (where && count_step(r, where))
		return;
	if (where && r->at_stores)
		step_over(r, thread);
	go_on(r, thread, signal);
}

/* Take what the kernel has to tell; false when the process is gone. */
static bool collect(struct run *r)
{
	for (;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL | WNOHANG);

		if (thread == 0)
			return true;
		if (thread < 0)
			return false;
		if (WIFSTOPPED(status))
			on_stop(r, thread, status);
		else if (thread == r->pid)
			return false;
	}
}

static void arm(struct run *r)
{
	int status;

	while (seize_threads(r))
		;
	for (size_t i = 0; i < r->thread_count; i++) {
		if (waitpid(r->threads[i], &status, __WALL) < 0)
			fail("waitpid");
	}
	if (r->at_stores) {
		errno = 0;
		r->text =
			ptrace(PTRACE_PEEKTEXT, r->threads[0], (void *)r->seam, NULL); /* NOLINT */
		if (errno)
			fail("the seam's text");
		set_breakpoint(r, r->threads[0], true);
	}
	for (size_t i = 0; i < r->thread_count; i++)
		go_on(r, r->threads[i], 0);
}

/*
 * Let go without a trace: stop one thread, take the breakpoint out; our end detaches the rest. Nobody is
 * dying: of who is, the first thread would not be told before the others were waited for.
 */
static void disarm(struct run *r)
{
	int status;

	if (!r->at_stores || ptrace(PTRACE_INTERRUPT, r->threads[0], NULL, NULL))
		return;
	if (waitpid(r->threads[0], &status, __WALL) > 0 && WIFSTOPPED(status))
		set_breakpoint(r, r->threads[0], false);
}

int main(int argc, char **argv)
{
	struct run r = { .where = "" };
	struct pollfd polls[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	bool is_alive = true;
	sigset_t children;

	if (argc != 4 || (strcmp(argv[2], "syscalls") != 0 && strcmp(argv[2], "stores") != 0)) {
		fprintf(stderr, "usage: crash_at PID syscalls|stores N\n");
		return 2;
	}
	r.pid = (pid_t)strtol(argv[1], NULL, 10);
	r.at_stores = !strcmp(argv[2], "stores");
	r.target = strtoul(argv[3], NULL, 10);
	(void)sigemptyset(&children);
	(void)sigaddset(&children, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &children, NULL);
	polls[1] = (struct pollfd){ .fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK),
				    .events = POLLIN };
	if (r.at_stores)
		find_seam(&r);
	arm(&r);
	puts("ready");
	(void)fflush(stdout);

	while (is_alive && !polls[0].revents) {
		struct signalfd_siginfo info;

		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			fail("poll");
		while (read(polls[1].fd, &info, sizeof(info)) > 0)
			; /* how many does not matter: collect() asks until there is no more */
		is_alive = collect(&r);
		if (r.is_killed) { /* its end is what we wait for, whoever has no more to say */
			polls[0].fd = -1;
			polls[0].revents = 0;
		}
	}
	if (is_alive) {
		disarm(&r);
		printf("counted %lu\n", r.count);
		return 0;
	}
	printf("killed %lu %s\n", r.count, r.where);
	return 0;
}
