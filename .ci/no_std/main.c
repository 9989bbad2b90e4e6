/* Links the staticlib into a program, which only works when nothing in it is left undefined, and lets it move a
   file, as a boot loader would. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

intptr_t tftp_transfer(const uint8_t *file, uint8_t *copy, size_t len);

/* The host's own build of core was made for unwinding and names this; with panic = "abort" nobody calls it. */
void rust_eh_personality(void) {}

int main(void) {
    static const uint8_t file[] = "a boot image that fills several small blocks";
    uint8_t copy[sizeof file] = {0};
    intptr_t arrived = tftp_transfer(file, copy, sizeof file);

    printf("without std: %ld of %zu bytes arrived\n", (long)arrived, sizeof file);
    return arrived != (intptr_t)sizeof file || memcmp(file, copy, sizeof file) != 0;
}
