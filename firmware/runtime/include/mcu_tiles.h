/* Channel tiles: an inverted residual block (expand, depthwise, project, perhaps add) for a few of the
 * expanded channels at a time. Within a tile the operators advance together, a row or a pair of rows at a
 * time, so that of the expanded tensor only a tile of the rows under the window exists; the projection adds
 * up its sums over all tiles. Where the sums of the whole output are too many, the block runs once for each
 * of several horizontal bands of it; rows that two bands need are then expanded in both. */
#ifndef MCU_TILES_H
#define MCU_TILES_H

#include "mcu_patch.h"

/* Rows first <= y < end of an operator's output, for one tile. */
typedef void mcu_tile_layer(int32_t first, int32_t end, int32_t tile);

/* `bands`: rows of the output. `height`: rows of the input. `add` runs behind the last tile's projection of
 * each row; NULL if there is none. */
typedef struct mcu_tile_stage {
    const mcu_span *bands;
    mcu_tile_layer *expand;
    mcu_tile_layer *depthwise;
    mcu_tile_layer *project;
    mcu_tile_layer *add;
    int16_t band_count;
    int16_t tile_count;
    int16_t height;
    uint8_t kernel_h;
    uint8_t stride_h;
    uint8_t pad_top;
    uint8_t rows_at_once;
} mcu_tile_stage;

void mcu_run_tiles(const mcu_tile_stage *stage);

#endif
