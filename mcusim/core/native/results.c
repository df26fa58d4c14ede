/* What a core has counted, as rows for its user. */
#include <string.h>

#include "allocate.h"
#include "core.h"

void mcusim_core_totals(mcusim_core *core, mcusim_totals *totals) {
    const call_stack *stack = core->calls.stack;
    calls_settle(&core->calls, core_present(core));
    *totals = (mcusim_totals){
        .cycles = core->cycles,
        .instructions = core->instructions,
        .nodes = core->calls.node_count,
        .layers = core->calls.layer_count,
        .stacks = core->calls.stack_count,
        .current_node = stack->depth ? stack->frames[stack->depth - 1].node : -1,
    };
    for (uint32_t i = 0; i < core->runs.count; ++i) {
        totals->runs += runs_at(&core->runs, i)->count != 0;
    }
}

void mcusim_core_memory(mcusim_core *core, mcusim_memory_count *memory) {
    core_advance(core);
    live_figures figures = liveness_measure(&core->memory.live);
    calls_credit_memory(&core->calls);
    *memory = (mcusim_memory_count){
        .touched_bytes = figures.touched_bytes,
        .unread_bytes = figures.unread_bytes,
        .lost_accesses = core->memory.lost,
        .stream_hash = core->memory.stream_hash,
        .live_peak_bytes = figures.live_peak_bytes,
        .heap_live_peak_bytes = core->memory.live.parts[core->memory.live.part_count - 1].peak,
        .unwritten = core->memory.unwritten.count,
        .null_reads = core->memory.null_reads.count,
        .waits = core->memory.waits.count,
    };
}

void mcusim_core_runs(const mcusim_core *core, mcusim_run_count *runs) {
    for (uint32_t i = 0; i < core->runs.count; ++i) {
        const run_edge *edge = runs_at(&core->runs, i);
        if (edge->count) {
            *runs++ = (mcusim_run_count){edge->count,
                                         edge->key.start,
                                         edge->key.end,
                                         edge->key.next,
                                         edge->key.node,
                                         edge->key.outcome,
                                         0};
        }
    }
}

void mcusim_core_nodes(const mcusim_core *core, mcusim_call_node *nodes) {
    for (uint32_t i = 0; i < core->calls.node_count; ++i) {
        const call_node *node = &core->calls.nodes[i];
        nodes[i] =
            (mcusim_call_node){node->calls, node->cycles, node->instructions, node->function, node->parent};
    }
}

void mcusim_core_stacks(const mcusim_core *core, mcusim_stack_record *stacks) {
    for (uint32_t i = 0; i < core->calls.stack_count; ++i) {
        const call_stack *stack = &core->calls.stacks[i];
        stacks[i] = (mcusim_stack_record){stack->top,          stack->deepest, stack->limit,
                                          stack->deepest_node, stack->area,    stack->is_process};
    }
}

void mcusim_core_layers(const mcusim_core *core, mcusim_layer_record *layers) {
    uint64_t *unread = allocate_zeroed(core->calls.layer_count, sizeof *unread);
    liveness_unread(&core->memory.live, unread, core->calls.layer_count);
    for (uint32_t i = 0; i < core->calls.layer_count; ++i) {
        const layer_record *layer = &core->calls.layers[i];
        layers[i] = (mcusim_layer_record){
            layer->calls,
            layer->cycles,
            layer->instructions,
            layer->touched.members,
            layer->function,
            layer->stack_bytes,
            liveness_layer_peak(&core->memory.live, (int32_t)i),
            0,
            unread[i],
        };
    }
    free(unread);
}

void mcusim_core_high_water(const mcusim_core *core, uint32_t *bytes) {
    for (uint32_t i = 0; i < core->spec.sram_count; ++i) {
        const mcusim_region *part = &core->spec.sram[i];
        bytes[i] = access_high_water(&core->memory, part->start, part->size);
    }
}

void mcusim_core_live_peaks(const mcusim_core *core, uint32_t *regions, uint32_t *columns) {
    const liveness *live = &core->memory.live;
    for (uint32_t i = 0; i < core->spec.sram_count; ++i) {
        regions[i] = live->parts[i].peak;
    }
    memcpy(columns, live->column_peaks, (live->map.column + 1) * sizeof *columns);
}

void mcusim_core_map(mcusim_core *core, mcusim_memory_map *map) {
    const occupancy *found = &core->memory.live.map;
    core_advance(core);
    liveness_settle_map(&core->memory.live);
    *map =
        (mcusim_memory_map){found->width, found->column + 1, found->written_rows, 1u << found->row_shift, 0};
}

void mcusim_core_map_rows(const mcusim_core *core, uint32_t *rows, int16_t *owners, uint64_t *alive) {
    const occupancy *map = &core->memory.live.map;
    const uint32_t columns = map->column + 1;
    for (uint32_t row = 0; row < map->row_count; ++row) {
        if (map->rows[row]) {
            *rows++ = row;
            memcpy(owners, map->rows[row]->owner, columns * sizeof *owners);
            memcpy(alive, map->rows[row]->alive, columns * sizeof *alive);
            owners += columns;
            alive += columns;
        }
    }
}

void mcusim_core_unwritten(const mcusim_core *core, mcusim_stray_read *reads) {
    memcpy(reads, core->memory.unwritten.rows, core->memory.unwritten.count * sizeof *reads);
}

void mcusim_core_null_reads(const mcusim_core *core, mcusim_stray_read *reads) {
    memcpy(reads, core->memory.null_reads.rows, core->memory.null_reads.count * sizeof *reads);
}

void mcusim_core_waits(const mcusim_core *core, mcusim_wait *waits) {
    waits_copy(&core->memory.waits, waits);
}

void mcusim_core_flash_reads(const mcusim_core *core, uint32_t flash, uint64_t *reads) {
    survey_copy(&core->survey, flash, core->calls.node_count, reads);
}
