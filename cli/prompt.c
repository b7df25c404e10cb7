#include "prompt.h"

#include <string.h>

#include "base/bytes.h"

void
prompt_learn(struct prompt *p, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			p->now = (p->now + 1) % PROMPT_LINES;
			p->n[p->now] = 0;
		} else if (p->n[p->now] < PROMPT_MAX) {
			p->line[p->now][p->n[p->now]++] = data[i];
		}
	}
}

bool
prompt_is_open(const struct prompt *p)
{
	return p->n[p->now] > 0;
}

/* Behind the last of a shell's marks that a command begins; 0: there is none. */
static size_t
behind_mark(const uint8_t *data, size_t n)
{
	static const char paste_off[] = "\033[?2004l", runs[] = "\033]133;C";
	size_t at = 0;

	for (const uint8_t *m = data; m != NULL;) {
		m = memmem(data + at, n - at, paste_off, strlen(paste_off));
		if (m != NULL)
			at = (size_t)(m - data) + strlen(paste_off);
	}
	for (const uint8_t *m = data; m != NULL;) {
		m = memmem(data + at, n - at, runs, strlen(runs));
		if (m == NULL)
			break;
		/* It goes on to BEL or ESC \. */
		at = (size_t)(m - data) + strlen(runs);
		while (at < n && data[at] != '\a' && data[at] != '\\')
			at++;
		at += at < n;
	}
	return at;
}

size_t
prompt_begin(const struct prompt *p, const uint8_t *data, size_t n)
{
	size_t at = behind_mark(data, n);

	if (at == 0) /* the line that was typed was still open */
		return prompt_is_open(p) && n >= 2 &&
			       memcmp(data, "\r\n", 2) == 0
			   ? 2
			   : 0;
	while (at < n && data[at] == '\r')
		at++;
	return at;
}

/* How many bytes at the end of data are those that the line begins with.  Not all
 * of it: behind a prompt there is what was typed, and output may come again. */
static size_t
overlap(const uint8_t *line, size_t line_n, const uint8_t *data, size_t n)
{
	size_t k;

	if (line_n > 0 && line[line_n - 1] == '\r')
		line_n--;
	for (k = line_n <= n ? line_n : n + 1; k-- > PROMPT_MIN;)
		if (memcmp(line, data + n - k, k) == 0)
			return k;
	return 0;
}

size_t
prompt_end(const struct prompt *p, const uint8_t *data, size_t n)
{
	static const char *const marks[] = { "\033[?2004h", "\033]133;A",
		"\033]133;D" };
	size_t most = 0;

	if (n == 0)
		return 0; /* and data may be NULL */
	for (size_t i = 0; i < PROMPT_LINES; i++) {
		size_t k =
		    i == p->now ? 0 : overlap(p->line[i], p->n[i], data, n);

		most = k > most ? k : most;
	}
	n -= most;
	for (size_t i = 0; i < OPS_ARRAY_LEN(marks); i++) {
		const uint8_t *at = memmem(data, n, marks[i], strlen(marks[i]));

		if (at != NULL)
			n = (size_t)(at - data);
	}
	return n;
}
