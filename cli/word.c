#include "word.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

/* Of bash and zsh; those with signs in them are quoted for these. */
static bool
is_reserved(const uint8_t *p, size_t n)
{
	static const char *const words[] = { "case", "coproc", "do", "done",
		"elif", "else", "end", "esac", "fi", "for", "foreach",
		"function", "if", "in", "nocorrect", "repeat", "select", "then",
		"time", "until", "while" };

	for (size_t i = 0; i < OPS_ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
			return true;
	return false;
}

/* Would a shell take it for more or less than one word, or than itself? */
static bool
needs_quotes(const uint8_t *p, size_t n, bool first)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' ||
		    strchr("\"'$`&|;<>()*?[]{}!#~^", p[i]) != NULL ||
		    (first && (p[i] == '=' || p[i] == '%')))
			return true;
	return n == 0 || (first && is_reserved(p, n)) ||
	       p[0] == '='; /* zsh: =ls is /bin/ls */
}

/* Does '...' not hold it as it is? */
static bool
needs_escapes(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = ops_text_visible_len(p + i, n - i);

		if (len == 0 || p[i] == '\'' || p[i] == '\\')
			return true;
		i += len;
	}
	return false;
}

/* All that ops_escape() writes, $'...' reads; it leaves the ' alone. */
static void
put_escaped(struct ops_buf *out, const uint8_t *p, size_t n)
{
	ops_buf_puts(out, "$'");
	for (size_t at = 0; at < n;) {
		const uint8_t *quote = memchr(p + at, '\'', n - at);
		size_t end = quote != NULL ? (size_t)(quote - p) : n;

		ops_escape(out, p + at, end - at);
		if (quote != NULL)
			ops_buf_puts(out, "\\'");
		at = end + 1;
	}
	ops_buf_puts(out, "'");
}

void
word_put(struct ops_buf *out, const uint8_t *p, size_t n, bool first)
{
	const char *quote = needs_quotes(p, n, first) ? "'" : "";

	if (needs_escapes(p, n)) {
		put_escaped(out, p, n);
		return;
	}
	ops_buf_puts(out, quote);
	ops_buf_put(out, p, n);
	ops_buf_puts(out, quote);
}
