/* The loop that widens two pixels, for assembly: r0, r1 inputs, r2 words, r3 outputs, of which it leaves the
 * end in r3; takes r4 to r7, r12 and lr. An odd word goes first. See widen.c. */
#ifndef MCU_WIDEN_H
#define MCU_WIDEN_H

/* clang-format off */
#define MCU_WIDEN_PAIR \
    "lsrs r2, r2, #1\n\t" \
    "bcc 4f\n\t" \
    "ldr r4, [r0]\n\t" \
    "ldr r5, [r1]\n\t" \
    "adds r0, #4\n\t" \
    "adds r1, #4\n\t" \
    "sxtb16 r6, r4, ror #8\n\t" \
    "sxtb16 r7, r5, ror #8\n\t" \
    "sxtb16 r4, r4\n\t" \
    "sxtb16 r5, r5\n\t" \
    "stmia r3!, {r4-r7}\n" \
    "4:\n\t" \
    "cbz r2, 6f\n\t" \
    ".balign 4\n" \
    "5:\n\t" \
    "ldr r6, [r0, #4]\n\t" \
    "ldr r7, [r1, #4]\n\t" \
    "ldr r4, [r0], #8\n\t" \
    "ldr r5, [r1], #8\n\t" \
    "sxtb16 r12, r6\n\t" \
    "sxtb16 r6, r6, ror #8\n\t" \
    "sxtb16 lr, r7\n\t" \
    "sxtb16 r7, r7, ror #8\n\t" \
    "str r12, [r3, #16]\n\t" \
    "str lr, [r3, #20]\n\t" \
    "str r6, [r3, #24]\n\t" \
    "str r7, [r3, #28]\n\t" \
    "sxtb16 r12, r4, ror #8\n\t" \
    "sxtb16 r4, r4\n\t" \
    "sxtb16 lr, r5, ror #8\n\t" \
    "sxtb16 r5, r5\n\t" \
    "str r12, [r3, #8]\n\t" \
    "str lr, [r3, #12]\n\t" \
    "str r5, [r3, #4]\n\t" \
    "str r4, [r3], #32\n\t" \
    "subs r2, #1\n\t" \
    "bne 5b\n" \
    "6:\n\t"
/* clang-format on */

#endif
