/*
 * leaks - tells LeakSanitizer, where a build has it, that it can't look.
 *
 * It stops all threads from a helper that attaches to them (ptrace(2)), and reads
 * /proc: a process that may not be attached to, or is shut in, ends with its error.
 */
#ifndef OPS_LEAKS_H
#define OPS_LEAKS_H

void ops_leaks_unseen(void);

#endif
