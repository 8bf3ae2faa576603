/* The encoder of transforms/encoder.py for vectors of width 96 and three maxout pieces, fused, so that a block of rows
 * stays in a core's cache from its first layer to its last. Plain C with GCC's vector extensions, which clang has too.
 *
 * Convolutions are Winograd's F(4,3), as in encoder.py: a quad of output rows from six products instead of twelve.
 * Weights come in panels: for each strip of LANES columns and each of the six matrices, (WIDTH, PIECES, LANES), which
 * stay in the innermost cache while the quads of a group pass. AVX-512 was no faster than AVX2 where it was tried.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define LANES 8
#define TILE 4 /* quads at once: with TILE * PIECES sums the registers are full */
#else
#define LANES 4
#define TILE 8
#endif
#define WIDTH 96
#define PIECES 3
#define COLUMNS (PIECES * WIDTH)
#define STRIPS (WIDTH / LANES)
#define MATRICES 6
#define GROUP 32 /* quads whose transformed rows are held at once */
#define UNROLL _Pragma("GCC unroll 16")

typedef float V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define AT(address) (*(V *)(address))
#define READ(address) (*(const V *)(address))

struct layer {
    const float *panels, *bias, *gain;
};

struct types { /* what is known of each type of token: its vector, and its three products with the first kernel */
    const float *vectors, *before, *centre, *after;
};

/* How many floats go into a vector; 0 where this processor cannot run the code. */
int lanes(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? LANES : 0;
#else
    return LANES;
#endif
}

static inline V larger(V a, V b) {
    V result;
    for (int i = 0; i < LANES; i++) result[i] = a[i] > b[i] ? a[i] : b[i];
    return result;
}

static inline float total(V a) {
    float lane[LANES];
    AT(lane) = a;
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

/* out = x + gain * (z - mean) / deviation: LayerNorm without its beta, added to the layer's input. */
static inline void add_normalised(const float *x, const V *z, const float *gain, float *out) {
    V sum = z[0], squares = {0}, centred[STRIPS];
    UNROLL for (int j = 1; j < STRIPS; j++) sum += z[j];
    const float mean = total(sum) * (1.0f / WIDTH);
    UNROLL for (int j = 0; j < STRIPS; j++) {
        centred[j] = z[j] - mean;
        squares += centred[j] * centred[j];
    }
    const float scale = 1.0f / sqrtf(total(squares) * (1.0f / WIDTH) + 1e-8f);
    UNROLL for (int j = 0; j < STRIPS; j++)
        AT(out + LANES * j) = READ(x + LANES * j) + centred[j] * scale * READ(gain + LANES * j);
}

/* The first layer, from the tables: rows 0 to rows - 1; numbers[-1] and numbers[rows] are read too. */
static void first_layer(const int64_t *numbers, int rows, struct types types, const float *gain, float *out) {
    for (int i = 0; i < rows; i++) {
        const float *before = types.before + numbers[i - 1] * COLUMNS, *centre = types.centre + numbers[i] * COLUMNS,
                    *after = types.after + numbers[i + 1] * COLUMNS;
        for (int at = 0; at < COLUMNS; at += 16) { /* the tables are larger than the cache */
            __builtin_prefetch(types.before + numbers[i + 3] * COLUMNS + at);
            __builtin_prefetch(types.centre + numbers[i + 4] * COLUMNS + at);
            __builtin_prefetch(types.after + numbers[i + 5] * COLUMNS + at);
        }
        V largest[STRIPS];
        UNROLL for (int j = 0; j < STRIPS; j++) {
            UNROLL for (int piece = 0; piece < PIECES; piece++) {
                const int at = piece * WIDTH + LANES * j;
                const V value = READ(before + at) + READ(centre + at) + READ(after + at);
                largest[j] = piece ? larger(largest[j], value) : value;
            }
        }
        add_normalised(types.vectors + numbers[i] * WIDTH, largest, gain, out + (long)i * WIDTH);
    }
}

/* What the six matrices are multiplied with (B'd), for one quad of rows that starts at x. */
static inline void transform(const float *x, float (*inputs)[GROUP][WIDTH], int quad) {
    UNROLL for (int j = 0; j < STRIPS; j++) {
        const float *at = x + LANES * j - WIDTH;
        const V d0 = READ(at), d1 = READ(at + WIDTH), d2 = READ(at + 2 * WIDTH), d3 = READ(at + 3 * WIDTH),
                d4 = READ(at + 4 * WIDTH), d5 = READ(at + 5 * WIDTH);
        const V even = d4 - 4.0f * d2, odd = d3 - 4.0f * d1, even_2 = d4 - d2, odd_2 = 2.0f * (d3 - d1);
        AT(&inputs[0][quad][LANES * j]) = 4.0f * d0 - 5.0f * d2 + d4;
        AT(&inputs[1][quad][LANES * j]) = even + odd;
        AT(&inputs[2][quad][LANES * j]) = even - odd;
        AT(&inputs[3][quad][LANES * j]) = even_2 + odd_2;
        AT(&inputs[4][quad][LANES * j]) = even_2 - odd_2;
        AT(&inputs[5][quad][LANES * j]) = 4.0f * d1 - 5.0f * d3 + d5;
    }
}

/* products = inputs @ panel for TILE quads: (TILE, WIDTH) @ (WIDTH, PIECES * LANES), all sums in registers. */
static inline void multiply(const float (*inputs)[WIDTH], const float *panel, float (*products)[PIECES * LANES]) {
    V sums[TILE][PIECES];
    UNROLL for (int q = 0; q < TILE; q++) UNROLL for (int p = 0; p < PIECES; p++) sums[q][p] = (V){0};
    for (int k = 0; k < WIDTH; k++, panel += PIECES * LANES) {
        UNROLL for (int q = 0; q < TILE; q++) {
            UNROLL for (int p = 0; p < PIECES; p++) sums[q][p] += inputs[q][k] * READ(panel + LANES * p);
        }
    }
    UNROLL for (int q = 0; q < TILE; q++) {
        UNROLL for (int p = 0; p < PIECES; p++) AT(&products[q][LANES * p]) = sums[q][p];
    }
}

/* Four output rows of one strip (A'm), the largest of the pieces of each. */
static inline void combine(float (*products)[GROUP][PIECES * LANES], int quad, const float *bias, V largest[4]) {
    UNROLL for (int p = 0; p < PIECES; p++) {
        V m[MATRICES];
        UNROLL for (int n = 0; n < MATRICES; n++) m[n] = READ(&products[n][quad][LANES * p]);
        const V sum12 = m[1] + m[2], difference12 = m[1] - m[2], sum34 = m[3] + m[4], difference34 = m[3] - m[4];
        const V add = READ(bias + p * WIDTH);
        const V outputs[4] = {m[0] + sum12 + sum34 + add, difference12 + 2.0f * difference34 + add,
                              sum12 + 4.0f * sum34 + add, m[5] + difference12 + 8.0f * difference34 + add};
        UNROLL for (int k = 0; k < 4; k++) largest[k] = p ? larger(largest[k], outputs[k]) : outputs[k];
    }
}

/* A later layer on rows 0 to rows - 1; x[-1] to x[rows + 4 * TILE] must be readable, and out as far writable. */
static void later_layer(const float *x, int rows, struct layer layer, float *out) {
    static _Thread_local float inputs[MATRICES][GROUP][WIDTH] __attribute__((aligned(64)));
    static _Thread_local float products[MATRICES][GROUP][PIECES * LANES] __attribute__((aligned(64)));
    static _Thread_local V largest[4 * GROUP][STRIPS] __attribute__((aligned(64)));
    for (int start = 0; start < rows; start += 4 * GROUP) {
        const int left = rows - start, here = left < 4 * GROUP ? left : 4 * GROUP, quads = (here + 3) / 4;
        for (int q = 0; q < quads; q++) transform(x + (long)(start + 4 * q) * WIDTH, inputs, q);
        const float *panel = layer.panels;
        for (int j = 0; j < STRIPS; j++) {
            for (int n = 0; n < MATRICES; n++, panel += WIDTH * PIECES * LANES)
                for (int q = 0; q < quads; q += TILE) multiply(&inputs[n][q], panel, &products[n][q]);
            for (int q = 0; q < quads; q++) {
                V rows_of_quad[4];
                combine(products, q, layer.bias + LANES * j, rows_of_quad);
                UNROLL for (int k = 0; k < 4; k++) largest[4 * q + k][j] = rows_of_quad[k];
            }
        }
        for (int i = 0; i < here; i++) {
            const long at = (long)(start + i) * WIDTH;
            add_normalised(x + at, largest[i], layer.gain, out + at);
        }
    }
}

/* Vectors (rows, WIDTH) of tokens by their type numbers. numbers[-depth] to numbers[rows + depth + 5] must be readable.
 * A block is computed with depth rows at both ends whose vectors lack context and are not used; work holds
 * 2 * (block + 2 * depth + 64) rows. */
void encode(const int64_t *numbers, int64_t rows, struct types types, const struct layer *layers, int depth,
                   int block, float *work, float *out) {
    const long half = (long)(block + 2 * depth + 64) * WIDTH;
    for (int64_t start = 0; start < rows; start += block) {
        const int here = rows - start < block ? (int)(rows - start) : block, around = here + 2 * depth;
        float *x = work + 4 * WIDTH, *next = x + half;
        first_layer(numbers + start - depth + 1, around - 2, types, layers[0].gain, x + WIDTH);
        for (int number = 1; number < depth; number++) {
            const int from = number + 1;
            later_layer(x + (long)from * WIDTH, around - 2 * from, layers[number], next + (long)from * WIDTH);
            float *done = next;
            next = x;
            x = done;
        }
        memcpy(out + start * WIDTH, x + (long)depth * WIDTH, (size_t)here * WIDTH * sizeof(float));
    }
}
