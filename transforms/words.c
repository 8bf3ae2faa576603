/* The words of many texts looked up in a table: what transforms/topic_model.py does one word at a time.
 *
 * A word is a run of letters; `letters` gives the small letter of each byte, or a blank. A word is known by its hash
 * (FNV-1a, 64 bits). The table's slots are a power of two, at least twice as many as words; a hash of 0 is a free one.
 */
#include <stdint.h>

struct table {
    const uint8_t *letters;
    uint64_t *hashes;
    int32_t *numbers;
    uint64_t slots;
};

static uint64_t slot_of(struct table table, uint64_t hash) {
    uint64_t slot = (hash ^ hash >> 32) & (table.slots - 1);
    while (table.hashes[slot] && table.hashes[slot] != hash) slot = (slot + 1) & (table.slots - 1);
    return slot;
}

/* The numbers of the first `most` words of each text, 0 for unknown ones, one text behind the other; counts[i] says how
 * many text i has. The texts lie in a row, the i-th up to ends[i]. With `enter` unknown words get the number of their
 * text, from 1. */
void look_up(const uint8_t *bytes, const int64_t *ends, int64_t texts, struct table table, int64_t most, int enter,
             int32_t *found, int64_t *counts) {
    int64_t all = 0, at = 0;
    for (int64_t text = 0; text < texts; text++) {
        const int64_t end = ends[text], before = all;
        while (all - before < most) {
            while (at < end && table.letters[bytes[at]] == ' ') at++;
            if (at == end) break;
            uint64_t hash = 0xCBF29CE484222325u;
            for (uint8_t letter; at < end && (letter = table.letters[bytes[at]]) != ' '; at++)
                hash = (hash ^ letter) * 0x100000001B3u;
            const uint64_t slot = slot_of(table, hash += !hash);
            if (enter && !table.hashes[slot]) {
                table.hashes[slot] = hash;
                table.numbers[slot] = (int32_t)(text + 1);
            }
            found[all++] = table.numbers[slot];
        }
        counts[text] = all - before;
        at = end;
    }
}
