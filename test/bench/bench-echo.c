/*
 * bench-echo - give every byte back at once, as an editor echoes a key.
 *
 * Sets its terminal to raw mode, says READY (0x06), and ends at 0x04.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int
main(void)
{
	struct termios modes;
	char buf[256];
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &modes) != 0) {
		perror("bench-echo: tcgetattr");
		return 2;
	}
	cfmakeraw(&modes);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &modes) != 0) {
		perror("bench-echo: tcsetattr");
		return 2;
	}
	if (write(STDOUT_FILENO, "\x06", 1) != 1)
		return 1;
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		if (memchr(buf, '\x04', (size_t)n) != NULL)
			return 0;
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			return 1;
	}
	return 1;
}
