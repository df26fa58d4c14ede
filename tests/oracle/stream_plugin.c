/* QEMU plugin: hashes what a program reads and writes in a range of addresses; see mcusim/core/stream.py.
 *
 * Arguments: start=ADDRESS, size=BYTES. On exit prints the number of accesses and the hash.
 *
 * The declarations are those that version 1 of QEMU's plugin interface publishes (include/qemu/qemu-plugin.h
 * of QEMU 4.2 to 8.1), as far as they are used. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
typedef uint32_t access_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void block_callback(plugin_id id, struct qemu_plugin_tb *block);
typedef void access_callback(unsigned int cpu, access_info info, uint64_t address, void *user);
typedef void exit_callback(plugin_id id, void *user);
enum { CALLBACK_NO_REGISTERS = 0, ACCESS_READ_WRITE = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, block_callback *callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction, access_callback *callback,
                                      int flags, int kind, void *user);
unsigned int qemu_plugin_mem_size_shift(access_info info);
bool qemu_plugin_mem_is_store(access_info info);
void qemu_plugin_register_atexit_cb(plugin_id id, exit_callback *callback, void *user);

EXPORT int qemu_plugin_version = 1;

static uint32_t first;
static uint32_t size;
static uint64_t hash;
static uint64_t count;

/* STREX, STREXB, STREXH: Arm DDI 0403E, A5.3.6. */
static bool is_exclusive_store(const uint8_t *code) {
    unsigned int word = code[0] | (unsigned int)code[1] << 8;
    unsigned int behind = code[2] | (unsigned int)code[3] << 8;
    return (word & 0xFFF0) == 0xE840 || ((word & 0xFFF0) == 0xE8C0 && (behind & 0xFE0) == 0xF40);
}

static void on_access(unsigned int cpu, access_info info, uint64_t address, void *user) {
    bool store = qemu_plugin_mem_is_store(info);
    uint32_t bytes = 1u << qemu_plugin_mem_size_shift(info);
    uint32_t unit = bytes > 4 ? 4 : bytes;
    (void)cpu;
    /* QEMU stores exclusively by comparing and exchanging, whose read no core makes. */
    if ((uint32_t)address - first >= size || (user && !store)) {
        return;
    }
    for (uint32_t offset = 0; offset < bytes; offset += unit) {
        uint64_t element = (uint32_t)(address + offset) | (uint64_t)unit << 32 | (uint64_t)store << 40;
        hash = (hash ^ element) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    ++count;
}

static void on_block(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        void *is_exclusive = is_exclusive_store(qemu_plugin_insn_data(instruction)) ? &hash : NULL;
        qemu_plugin_register_vcpu_mem_cb(instruction, on_access, CALLBACK_NO_REGISTERS, ACCESS_READ_WRITE,
                                         is_exclusive);
    }
}

static void on_end(plugin_id id, void *user) {
    (void)id;
    (void)user;
    fprintf(stderr, "%" PRIu64 " %016" PRIx64 "\n", count, hash);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if (!strncmp(argv[i], "start=", 6)) {
            first = (uint32_t)strtoul(argv[i] + 6, NULL, 0);
        } else if (!strncmp(argv[i], "size=", 5)) {
            size = (uint32_t)strtoul(argv[i] + 5, NULL, 0);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
