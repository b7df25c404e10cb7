/*
 * input - what of the keyboard may be kept (input = on): never a password.
 *
 * The modes of the inner terminal decide, read before input is forwarded and
 * again before it is stored:
 *	ECHO			stored
 *	no ECHO, ICANON		a password prompt: only the fact; where the echo went
 *				while it was forwarded, the ends of lines too
 *	neither (readline, editors): held for a moment; stored is what the output
 *				begins with; the first output that is no echo drops
 *				all that is held, and only the fact is kept
 * A run of typing that isn't kept is one fact, however long it was.  It makes
 * no difference in which pieces bytes are typed or written.
 *
 * Fuzzed: input
 */
#ifndef OPS_INPUT_H
#define OPS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_MAX 4096            /* bytes held */
#define INPUT_HOLD_NS 1000000000u /* waiting for the echo */

enum input_modes { INPUT_ECHO = 1, INPUT_ICANON = 2 }; /* as in REC_ECHO */

/* Where what is kept goes: bytes (n > 0) or a fact (enum masked_why). */
struct input_sink {
	void (*keep)(void *arg, const uint8_t *p, size_t n);
	void (*mask)(void *arg, unsigned why);
	void *arg;
};

/* Where the output since then stands: inside of what has no text. */
enum input_shown {
	SHOWN_TEXT,
	SHOWN_RETURN, /* after \r that was an echo */
	SHOWN_ESC,
	SHOWN_CSI,
	SHOWN_OSC,
	SHOWN_CHARSET, /* before the last byte of a sequence */
};

struct input {
	struct input_sink sink;
	uint8_t held[INPUT_MAX];
	size_t n;
	uint64_t since; /* of the oldest byte held */
	enum input_shown shown;
	unsigned masked; /* why the run before was not kept; 0: it was */
};

/* n bytes were typed while the terminal had these modes;
 * `again` are the modes now that they are forwarded. */
void input_typed(struct input *in, const uint8_t *p, size_t n, unsigned modes,
    unsigned again, uint64_t now);
/* The program wrote this. */
void input_output(struct input *in, const uint8_t *p, size_t n, unsigned modes);
/* Time has passed; `now` = UINT64_MAX: the session ends. */
void input_tick(struct input *in, uint64_t now);
/* When input_tick() is due; 0: never. */
uint64_t input_due(const struct input *in);

#endif
