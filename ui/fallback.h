/* fallback.h: what stands for a character on a terminal without UTF-8. */
#ifndef PSI_UI_FALLBACK_H
#define PSI_UI_FALLBACK_H

#include <stdint.h>

/* One ASCII character; '?' if nothing resembles ch.  ch < 128 is itself. */
char ascii_for(uint32_t ch);

#endif
