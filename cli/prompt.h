/*
 * prompt - which of a terminal's output is a command's, and which is what its
 * shell shows around it.
 *
 * Nobody says where a prompt begins.  What there is to know it by:
 *
 *  - marks: a line editor switches bracketed paste (xterm's mode 2004) on for a
 *    prompt and off behind it; some shells say OSC 133;A and ;C.
 *  - the lines that stood there when the command was started: one of them began
 *    with the prompt, and went on with what was typed.  So output that ends with
 *    what such a line begins with ends with the next prompt, if that is the same.
 *
 * So a prompt without a mark that changes from one command to the next is not
 * found, nor all but the last line of one of several lines.
 */
#ifndef OPS_CLI_PROMPT_H
#define OPS_CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMPT_MAX 1024 /* bytes of a line that are looked at */
#define PROMPT_MIN 2    /* shorter ones are not told from output */
#define PROMPT_LINES 8  /* that are looked at */

/* Zeroed at the begin.  The first bytes of the last lines. */
struct prompt {
	uint8_t line[PROMPT_LINES][PROMPT_MAX];
	size_t n[PROMPT_LINES];
	size_t now; /* the one that isn't ended yet */
};

/* Output from before the command, in order. */
void prompt_learn(struct prompt *p, const uint8_t *data, size_t n);

/* Is there a line that isn't ended? */
bool prompt_is_open(const struct prompt *p);

/* The first output since the command was started: how many bytes of it are still
 * the shell's, and the echo of the key that started it. */
size_t prompt_begin(const struct prompt *p, const uint8_t *data, size_t n);

/* The last output, up to some time after the command's end: how many bytes of it
 * are the command's.  n: there is no prompt that is known as one. */
size_t prompt_end(const struct prompt *p, const uint8_t *data, size_t n);

#endif
