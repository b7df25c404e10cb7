/* caps - names of capabilities, capabilities(7). */
#ifndef OPS_CLI_CAPS_H
#define OPS_CLI_CAPS_H

#include <stdint.h>

#define CAPS_NAME 24
/* "cap_net_admin"; "cap_63" of one that this version doesn't know. */
void caps_name(unsigned bit, char out[static CAPS_NAME]);

#endif
