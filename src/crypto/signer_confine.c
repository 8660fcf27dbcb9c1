/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/signer_process.h"
#include "util/mem.h"

/* What computing, memory, threads that are there, and channels need; the rest fails with EPERM. */
#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CONFINE_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef CONFINE_ARCH
#define ALLOW(name)                                                                                                              \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

bool signer_confine(const char **ret_lacks)
{
	static const struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(recvfrom),
		ALLOW(sendto),
		ALLOW(futex),
		ALLOW(brk),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(mprotect),
		ALLOW(madvise),
		ALLOW(getrandom),
		ALLOW(clock_gettime),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(tgkill), /* abort() */
		ALLOW(sched_yield),
		ALLOW(sched_getaffinity),
		ALLOW(rseq),
		ALLOW(set_robust_list),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigaction),
		ALLOW(rt_sigreturn),
		ALLOW(restart_syscall),
		ALLOW(exit),
		ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { ARRAY_LEN(rules), (struct sock_filter *)(uintptr_t)rules };

	*ret_lacks = "";
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0)
		return true;
	/* A kernel without filters is no reason to keep keys among the packets. */
	*ret_lacks = "its system calls are not filtered, for which the kernel lacks seccomp";
	return errno == ENOSYS || errno == EINVAL;
}
#else
bool signer_confine(const char **ret_lacks)
{
	*ret_lacks = "its system calls are not filtered, as their numbers on this machine are not known here";
	return true;
}
#endif
