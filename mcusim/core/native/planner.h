/* A block while it is planned: what its code does to registers, symbolically. */
#ifndef MCUSIM_PLANNER_H
#define MCUSIM_PLANNER_H

#include "access_plan.h"

enum { UNKNOWN = 0x4000, MAXIMUM_UNKNOWNS = 0x4000, NO_LOAD = -1 };

/* A value that the block's code does not tell; `value` holds it over sources once it is found. */
typedef struct {
    affine value;
    int32_t load; /* index of the access that loads it */
    uint16_t offset;
    uint8_t is_known;
    uint8_t is_before; /* `value` needs nothing from behind the block's entry */
} unknown_value;

typedef struct {
    memory_access access;
    affine address;
    affine status;
    uint32_t pc;
    uint32_t index; /* of the instruction */
    uint16_t slot;  /* of its capture, 0 for none */
    uint8_t condition;
} block_access;

/* An instruction whose cost depends on data; `access` is its own, -1 for none. */
typedef struct {
    uint32_t pc;
    uint32_t index; /* of the instruction */
    uint32_t word;
    int32_t access;
    uint8_t bits;
    uint8_t condition;
} block_outcome;

typedef struct {
    const mcusim_spec *spec;
    block_plan *plan;
    affine registers[16];
    unknown_value *unknowns;
    uint32_t unknown_count;
    block_access *accesses;
    block_outcome *outcomes;
    uint32_t access_count;
    uint32_t outcome_count;
    uint32_t instruction_count;
    int32_t last_flag_setter; /* index of an instruction, -1 for none */
    int is_whole;
} planner;

/* Follow the code of the block: its accesses, its outcomes, registers behind it. */
void planner_walk(planner *p, const uint8_t *code);

/* Replace unknowns by what is known of them; 0 if something stays unknown. */
int planner_resolve(const planner *p, const affine *value, affine *resolved);

/* `value` is known to be what `source` holds: find the one unknown in it. */
int planner_solve(planner *p, const affine *value, uint16_t source);

/* Find unknowns by what registers hold behind the block; whether one was found. */
int planner_solve_exits(planner *p);

/* Find every unknown in `value` by reading memory again; 0 if that is not possible. */
int planner_solve_value(planner *p, const affine *value);

/* The first of `count` new sources. */
uint16_t planner_new_slots(planner *p, uint32_t count);

void planner_add(planned_access **list, uint32_t *count, const planned_access *access);

#endif
