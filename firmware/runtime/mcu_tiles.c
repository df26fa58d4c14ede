#include "mcu_tiles.h"

#include <stddef.h>

/* An input row of the depthwise convolution, or the end of its rows, brought into those that there are. */
static int32_t existing(const mcu_tile_stage *stage, int32_t row) {
    return row < 0 ? 0 : row > stage->height ? stage->height : row;
}

static void run_tile(const mcu_tile_stage *stage, mcu_span band, int32_t tile) {
    int32_t made = existing(stage, band.first * stage->stride_h - stage->pad_top);
    for (int32_t first = band.first; first < band.end; first += stage->rows_at_once) {
        const int32_t end = first + stage->rows_at_once < band.end ? first + stage->rows_at_once : band.end;
        const int32_t bottom = (end - 1) * stage->stride_h - stage->pad_top + stage->kernel_h;
        const int32_t needed = existing(stage, bottom);
        if (made < needed) {
            stage->expand(made, needed, tile);
            made = needed;
        }
        stage->depthwise(first, end, tile);
        stage->project(first, end, tile);
        if (tile == stage->tile_count - 1 && stage->add != NULL) {
            stage->add(first, end, tile);
        }
    }
}

void mcu_run_tiles(const mcu_tile_stage *stage) {
    for (int32_t band = 0; band < stage->band_count; band++) {
        for (int32_t tile = 0; tile < stage->tile_count; tile++) {
            run_tile(stage, stage->bands[band], tile);
        }
    }
}
