#ifndef FILTER_H
#define FILTER_H

#include <stdint.h>

enum { FILTER_BLOCK = 64 };

/* Filter up to FILTER_BLOCK samples; what came before is remembered from block to block. */
void filter_block(const int16_t *samples, int16_t *out, int count);

#endif
