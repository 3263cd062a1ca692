/* OpenCV's INTER_AREA and Pillow's antialiased bilinear on RGB8, bit for bit, for a crop of the
 * result; OpenCV's INTER_LINEAR on the same pixels as float32, row by row.
 *
 * Equality is in the arithmetic's order: OpenCV weighs a source row horizontally in float32, from
 * left to right, then adds rows from top to bottom; Pillow rounds to 8 bits between its two passes.
 * We keep the order, and gain speed elsewhere: pixels outside the crop are not touched, a source
 * row that two rows of the result share is weighed once, a pixel's three channels are one vector of
 * four, and every pixel has the same number of taps (missing ones weigh 0, and adding 0 * x changes
 * no sum), so the inner loop has no unforeseen jump. */
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* a fused multiply-add rounds differently; gcc -std=c11 has it off   \
                              */
#endif

typedef float four __attribute__((vector_size(16)));

void resize_work_release(struct resize_work *w)
{
    free(w->memory);
    memset(w, 0, sizeof(*w));
}

/* A stack of pieces in w->memory: the first pass with base NULL only counts. */
struct pieces {
    uint8_t *base;
    size_t used;
};

static void *piece(struct pieces *p, size_t bytes)
{
    size_t at = p->used;

    p->used += (bytes + 63) / 64 * 64;
    return p->base ? p->base + at : NULL;
}

static int work_reserve(struct resize_work *w, size_t bytes, struct assay_err *err)
{
    if (bytes <= w->capacity)
        return ASSAY_OK;
    resize_work_release(w);
    w->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!w->memory)
        return assay_fail(err, ASSAY_EFAIL, "resize: not enough memory (%zu bytes)", bytes);
    w->capacity = bytes;
    return ASSAY_OK;
}

static void axis_pieces(struct resize_axis *a, uint32_t n, uint32_t taps, struct pieces *p)
{
    a->n = n;
    a->taps = taps;
    a->first = piece(p, n * sizeof(*a->first));
    a->weight = piece(p, (size_t)n * taps * sizeof(*a->weight));
    a->fixed = (int32_t *)a->weight;
}

static void axis_range(struct resize_axis *a, uint32_t source)
{
    a->from = a->first[0];
    a->to = a->first[a->n - 1] + a->taps;
    if (a->to > source)
        a->to = source;
}

/* Shrinking by area: source pixels covered by [d * scale, (d + 1) * scale), edges by their covered
 * part. */
static void axis_area(struct resize_axis *a, uint32_t source, double scale, uint32_t offset)
{
    uint32_t i, k;

    for (i = 0; i < a->n; i++) {
        double f1 = (offset + i) * scale, f2 = f1 + scale, cell = fmin(scale, source - f1);
        int64_t s1 = (int64_t)ceil(f1), s2 = (int64_t)floor(f2), s;
        float *w = a->weight + (size_t)i * a->taps;

        s2 = s2 < (int64_t)source - 1 ? s2 : (int64_t)source - 1;
        s1 = s1 < s2 ? s1 : s2;
        k = 0;
        a->first[i] = (uint32_t)s1;
        if (s1 - f1 > 1e-3) {
            a->first[i] = (uint32_t)(s1 - 1);
            w[k++] = (float)((s1 - f1) / cell);
        }
        for (s = s1; s < s2; s++)
            w[k++] = (float)(1.0 / cell);
        if (f2 - s2 > 1e-3)
            w[k++] = (float)(fmin(fmin(f2 - s2, 1.0), cell) / cell);
        while (k < a->taps)
            w[k++] = 0;
    }
    axis_range(a, source);
}

/* The loops below are compiled twice where the compiler can: for every x86-64, and for AVX2, which
 * encodes the same operations shorter.  AVX2 alone has no fused multiply-add: both give the same
 * bits. */
#define INLINE static inline __attribute__((always_inline))

INLINE void widen_row(const uint8_t *from, float *to, size_t n)
{
    size_t i = 0;

#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128();

    for (; i + 16 <= n; i += 16) {
        __m128i b = _mm_loadu_si128((const __m128i *)(from + i));
        __m128i lo = _mm_unpacklo_epi8(b, zero), hi = _mm_unpackhi_epi8(b, zero);

        _mm_storeu_ps(to + i, _mm_cvtepi32_ps(_mm_unpacklo_epi16(lo, zero)));
        _mm_storeu_ps(to + i + 4, _mm_cvtepi32_ps(_mm_unpackhi_epi16(lo, zero)));
        _mm_storeu_ps(to + i + 8, _mm_cvtepi32_ps(_mm_unpacklo_epi16(hi, zero)));
        _mm_storeu_ps(to + i + 12, _mm_cvtepi32_ps(_mm_unpackhi_epi16(hi, zero)));
    }
#endif
    for (; i < n; i++)
        to[i] = from[i];
}

INLINE four load_four(const float *p)
{
    four v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* row: the widened source from pixel a->from on.  out: n pixels of 3 floats and one float more. */
INLINE void weigh_taps(const struct resize_axis *a, uint32_t taps, const float *row,
                       float *restrict out)
{
    const uint32_t *first = a->first, *end = first + a->n;
    const float *w = a->weight, *p;
    uint32_t k;

    for (row -= (size_t)a->from * 3; first < end; first++, w += taps, out += 3) {
        four sum;

        p = row + (size_t)*first * 3;
        sum = load_four(p) * w[0];
        for (k = 1; k < taps; k++)
            sum += load_four(p + (size_t)k * 3) * w[k];
        memcpy(out, &sum, sizeof(sum));
    }
}

INLINE void weigh_row(const struct resize_axis *a, const float *row, float *out)
{
    /* The usual counts as constants, so that the loop over taps is unrolled. */
    if (a->taps == 3)
        weigh_taps(a, 3, row, out);
    else if (a->taps == 4)
        weigh_taps(a, 4, row, out);
    else
        weigh_taps(a, a->taps, row, out);
}

/* Eight sums to bytes: half to even, clamped. */
INLINE void round_eight(four a, four b, uint8_t *to)
{
#ifdef __SSE2__
    __m128i v = _mm_packs_epi32(_mm_cvtps_epi32((__m128)a), _mm_cvtps_epi32((__m128)b));

    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(v, v));
#else
    int i;

    for (i = 0; i < 8; i++) {
        long v = lrintf(i < 4 ? a[i] : b[i - 4]);

        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
#endif
}

/* One row of the result: weight[k] * rows[k], added from k = 0 on.  The rows have room for n
 * rounded up to 8. */
INLINE void add_rows(const float *const *rows, const float *weight, uint32_t taps, uint8_t *out,
                     size_t n)
{
    uint8_t last[8];
    uint32_t k;
    size_t i;

    for (i = 0; i < n; i += 8) {
        four a = load_four(rows[0] + i) * weight[0], b = load_four(rows[0] + i + 4) * weight[0];

        for (k = 1; k < taps; k++) {
            a += load_four(rows[k] + i) * weight[k];
            b += load_four(rows[k] + i + 4) * weight[k];
        }
        round_eight(a, b, i + 8 <= n ? out + i : last);
    }
    if (n % 8)
        memcpy(out + n - n % 8, last, n % 8);
}

/* What area_general has laid out: the axes and its buffers. */
struct area {
    struct resize_axis x, y;
    float *wide;        /* one source row as floats */
    float *ring;        /* y.taps weighed rows: source row s is at s % y.taps */
    size_t stride;      /* of the ring, in floats */
    const float **rows; /* [y.taps] */
};

INLINE void area_rows(const struct area *a, const struct pixels *from, uint8_t *out)
{
    size_t n = (size_t)a->x.n * 3, used = (size_t)(a->x.to - a->x.from) * 3;
    uint32_t i, k, taps, held = a->y.taps > 1 ? a->y.taps : 1; /* rows of the ring */
    uint32_t next = a->y.from;                                 /* the row that is weighed next */

    for (i = 0; i < a->y.n; i++, out += n) {
        const float *weight = a->y.weight + (size_t)i * a->y.taps;

        for (taps = 1; taps < a->y.taps && weight[taps] != 0; taps++)
            ;
        for (next = next > a->y.first[i] ? next : a->y.first[i]; next < a->y.first[i] + taps;
             next++) {
            widen_row(from->data + ((size_t)next * from->width + a->x.from) * 3, a->wide, used);
            weigh_row(&a->x, a->wide, a->ring + next % held * a->stride);
        }
        for (k = 0; k < taps; k++)
            a->rows[k] = a->ring + (a->y.first[i] + k) % held * a->stride;
        if (taps == 2)
            add_rows(a->rows, weight, 2, out, n);
        else if (taps == 3)
            add_rows(a->rows, weight, 3, out, n);
        else
            add_rows(a->rows, weight, taps, out, n);
    }
}

static void area_rows_plain(const struct area *a, const struct pixels *from, uint8_t *out)
{
    area_rows(a, from, out);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void area_rows_avx2(const struct area *a,
                                                           const struct pixels *from, uint8_t *out)
{
    area_rows(a, from, out);
}
#endif

static int area_general(const struct pixels *from, const struct resize_target *to, double scale_x,
                        double scale_y, uint8_t *out, struct resize_work *work,
                        struct assay_err *err)
{
    uint32_t taps_x = (uint32_t)ceil(scale_x) + 1, taps_y = (uint32_t)ceil(scale_y) + 1;
    struct area a = {.stride = ((size_t)to->cols * 3 + 1 + 7) / 8 * 8};
    struct pieces p = {0};
    size_t span, padded;
    int pass, rc;

    /* Taps of weight 0 may read behind the row: that part of `wide` stays zero. */
    span = (size_t)ceil(to->cols * scale_x) + 2 * taps_x + 4;
    padded = ((span < from->width ? span : from->width) + taps_x + 4) * 3;
    for (pass = 0; pass < 2; pass++) {
        p.used = 0;
        axis_pieces(&a.x, to->cols, taps_x, &p);
        axis_pieces(&a.y, to->rows, taps_y, &p);
        a.wide = piece(&p, padded * sizeof(float));
        a.ring = piece(&p, taps_y * a.stride * sizeof(float));
        a.rows = piece(&p, taps_y * sizeof(*a.rows));
        if (pass == 0 && (rc = work_reserve(work, p.used, err)))
            return rc;
        p.base = work->memory;
    }
    axis_area(&a.x, from->width, scale_x, to->left);
    axis_area(&a.y, from->height, scale_y, to->top);
    memset(a.wide, 0, padded * sizeof(float));
    memset(a.ring, 0, taps_y * a.stride * sizeof(float));
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        area_rows_avx2(&a, from, out);
        return ASSAY_OK;
    }
#endif
    area_rows_plain(&a, from, out);
    return ASSAY_OK;
}

/* Both scales are whole numbers: means of blocks, in integers. */
static void area_blocks(const struct pixels *from, const struct resize_target *to, uint32_t sx,
                        uint32_t sy, uint8_t *out)
{
    float share = 1.0f / (float)(sx * sy);
    size_t stride = (size_t)from->width * 3;
    uint32_t i, j, c, u, v;

    for (i = 0; i < to->rows; i++)
        for (j = 0; j < to->cols; j++) {
            const uint8_t *p =
                from->data + (size_t)(to->top + i) * sy * stride + (size_t)(to->left + j) * sx * 3;

            for (c = 0; c < 3; c++) {
                int64_t sum = 0;

                for (v = 0; v < sy; v++)
                    for (u = 0; u < sx; u++)
                        sum += p[v * stride + (size_t)u * 3 + c];
                *out++ =
                    (uint8_t)(sx == 2 && sy == 2 ? (sum + 2) >> 2 : lrintf((float)sum * share));
            }
        }
}

/* Where and how much when an axis enlarges: two taps in 11-bit fixed point.  Along x a pixel at the
 * edge takes it alone; along y the edge row counts twice (`edge_alone` false): their roundings
 * differ. */
static void axis_enlarge(struct resize_axis *a, uint32_t source, uint32_t target, uint32_t offset,
                         bool edge_alone)
{
    double inverse = (double)target / source, scale = 1.0 / inverse;
    uint32_t i;

    for (i = 0; i < a->n; i++) {
        uint32_t d = offset + i;
        int64_t s = (int64_t)floor(d * scale);
        float f = (float)((d + 1.0) - (double)(s + 1) * inverse);

        f = f <= 0 ? 0.0f : f - floorf(f);
        if (s >= (int64_t)source - 1) {
            s = (int64_t)source - 1;
            f = edge_alone ? 0.0f : f;
        }
        a->first[i] = (uint32_t)s;
        a->fixed[2 * (size_t)i] = (int32_t)lrintf((1.0f - f) * 2048.0f);
        a->fixed[2 * (size_t)i + 1] = (int32_t)lrintf(f * 2048.0f);
    }
}

static void enlarge_row(const struct resize_axis *x, const uint8_t *row, uint32_t width,
                        int32_t *out)
{
    uint32_t i, c;

    for (i = 0; i < x->n; i++) {
        const uint8_t *p = row + (size_t)x->first[i] * 3, *q = x->first[i] + 1 < width ? p + 3 : p;

        for (c = 0; c < 3; c++)
            *out++ = p[c] * x->fixed[2 * (size_t)i] + q[c] * x->fixed[2 * (size_t)i + 1];
    }
}

static int area_enlarge(const struct pixels *from, const struct resize_target *to, uint8_t *out,
                        struct resize_work *work, struct assay_err *err)
{
    struct resize_axis x = {0}, y = {0};
    struct pieces p = {0};
    int32_t *lines[2] = {NULL, NULL}; /* source row s, enlarged, is in lines[s % 2] */
    uint32_t held[2] = {UINT32_MAX, UINT32_MAX}, i, s, k;
    size_t n = (size_t)to->cols * 3, j;
    int pass, rc;

    for (pass = 0; pass < 2; pass++) {
        p.used = 0;
        axis_pieces(&x, to->cols, 2, &p);
        axis_pieces(&y, to->rows, 2, &p);
        lines[0] = piece(&p, n * sizeof(int32_t));
        lines[1] = piece(&p, n * sizeof(int32_t));
        if (pass == 0 && (rc = work_reserve(work, p.used, err)))
            return rc;
        p.base = work->memory;
    }
    axis_enlarge(&x, from->width, to->width, to->left, true);
    axis_enlarge(&y, from->height, to->height, to->top, false);
    for (i = 0; i < y.n; i++) {
        uint32_t two[2] = {y.first[i], y.first[i] + 1 < from->height ? y.first[i] + 1 : y.first[i]};
        const int32_t *upper = lines[two[0] % 2], *lower = lines[two[1] % 2];
        int32_t b0 = y.fixed[2 * (size_t)i], b1 = y.fixed[2 * (size_t)i + 1];

        for (k = 0; k < 2; k++) {
            s = two[k];
            if (held[s % 2] != s)
                enlarge_row(&x, from->data + (size_t)s * from->width * 3, from->width,
                            lines[s % 2]);
            held[s % 2] = s;
        }
        for (j = 0; j < n; j++)
            *out++ =
                (uint8_t)(((b0 * (upper[j] >> 4) >> 16) + (b1 * (lower[j] >> 4) >> 16) + 2) >> 2);
    }
    return ASSAY_OK;
}

static void copy_crop(const struct pixels *from, const struct resize_target *to, uint8_t *out)
{
    uint32_t i;

    for (i = 0; i < to->rows; i++)
        memcpy(out + (size_t)i * to->cols * 3,
               from->data + ((size_t)(to->top + i) * from->width + to->left) * 3,
               (size_t)to->cols * 3);
}

int resize_area(const struct pixels *from, const struct resize_target *to, uint8_t *out,
                struct resize_work *w, struct assay_err *err)
{
    /* Twice inverted, as OpenCV does it: the last bit decides. */
    double scale_x = 1.0 / ((double)to->width / from->width),
           scale_y = 1.0 / ((double)to->height / from->height);

    if (from->width == to->width && from->height == to->height) {
        copy_crop(from, to, out);
        return ASSAY_OK;
    }
    if (scale_x < 1 || scale_y < 1)
        return area_enlarge(from, to, out, w, err);
    if (fabs(scale_x - rint(scale_x)) < 2.2e-16 && fabs(scale_y - rint(scale_y)) < 2.2e-16) {
        area_blocks(from, to, (uint32_t)rint(scale_x), (uint32_t)rint(scale_y), out);
        return ASSAY_OK;
    }
    return area_general(from, to, scale_x, scale_y, out, w, err);
}

#define PIL_BITS 22

static uint32_t pil_taps(double scale)
{
    return (uint32_t)ceil(scale > 1 ? scale : 1) * 2 + 1;
}

/* A triangle as wide as two target pixels (two source pixels when enlarging), normalised, in 22-bit
 * fixed point. */
static void axis_pil(struct resize_axis *a, uint32_t source, double scale, uint32_t offset)
{
    double support = scale > 1 ? scale : 1, inverse = 1.0 / support;
    uint32_t i, k;

    for (i = 0; i < a->n; i++) {
        double center = (offset + i + 0.5) * scale, total = 0, v;
        int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
        int32_t *w = a->fixed + (size_t)i * a->taps;
        uint32_t n;

        low = low < 0 ? 0 : low;
        high = high > (int64_t)source ? (int64_t)source : high;
        n = (uint32_t)(high - low);
        a->first[i] = (uint32_t)low;
        for (k = 0; k < n; k++) {
            v = fabs(((double)k + (double)low - center + 0.5) * inverse);
            total += v < 1 ? 1 - v : 0;
        }
        for (k = 0; k < a->taps; k++) {
            v = fabs(((double)k + (double)low - center + 0.5) * inverse);
            v = k < n && v < 1 ? 1 - v : 0;
            w[k] = (int32_t)(0.5 + (total != 0 ? v / total : v) * (1 << PIL_BITS));
        }
    }
    axis_range(a, source);
}

static inline uint8_t pil_round(int32_t sum)
{
    sum >>= PIL_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* row starts at pixel a->from and is padded by taps pixels. */
static void pil_row(const struct resize_axis *a, const uint8_t *row, uint8_t *out)
{
    const int32_t *w = a->fixed;
    uint32_t i, k;

    for (i = 0; i < a->n; i++, w += a->taps, out += 3) {
        const uint8_t *p = row + (size_t)(a->first[i] - a->from) * 3;
        int32_t r = 1 << (PIL_BITS - 1), g = r, b = r;

        for (k = 0; k < a->taps; k++, p += 3) {
            r += p[0] * w[k];
            g += p[1] * w[k];
            b += p[2] * w[k];
        }
        out[0] = pil_round(r);
        out[1] = pil_round(g);
        out[2] = pil_round(b);
    }
}

/* rows: the horizontally resized source rows from a->from on, n bytes each. */
static void pil_column(const struct resize_axis *a, uint32_t i, const uint8_t *rows, size_t n,
                       int32_t *sum, uint8_t *out)
{
    const int32_t *w = a->fixed + (size_t)i * a->taps;
    uint32_t k;
    size_t j;

    for (j = 0; j < n; j++)
        sum[j] = 1 << (PIL_BITS - 1);
    for (k = 0; k < a->taps; k++) {
        const uint8_t *row = rows + (a->first[i] + k - a->from) * n;

        if (w[k] == 0) /* may lie behind the last row */
            continue;
        for (j = 0; j < n; j++)
            sum[j] += row[j] * w[k];
    }
    for (j = 0; j < n; j++)
        out[j] = pil_round(sum[j]);
}

int resize_pil(const struct pixels *from, const struct resize_target *to, uint8_t *out,
               struct resize_work *work, struct assay_err *err)
{
    double scale_x = (double)from->width / to->width, scale_y = (double)from->height / to->height;
    uint32_t taps_x = pil_taps(scale_x), taps_y = pil_taps(scale_y), i, rows;
    struct resize_axis x = {0}, y = {0};
    struct pieces p = {0};
    uint8_t *padded = NULL, *thin = NULL;
    int32_t *sum = NULL;
    size_t n = (size_t)to->cols * 3, span;
    int pass, rc;

    span = (size_t)ceil(to->cols * scale_x) + 2 * (size_t)taps_x + 4;
    span = (span < from->width ? span : from->width) + taps_x;
    rows = (uint32_t)ceil(to->rows * scale_y) + 2 * taps_y + 4;
    rows = rows < from->height ? rows : from->height;
    for (pass = 0; pass < 2; pass++) {
        p.used = 0;
        axis_pieces(&x, to->cols, taps_x, &p);
        axis_pieces(&y, to->rows, taps_y, &p);
        padded = piece(&p, span * 3);
        thin = piece(&p, rows * n);
        sum = piece(&p, n * sizeof(int32_t));
        if (pass == 0 && (rc = work_reserve(work, p.used, err)))
            return rc;
        p.base = work->memory;
    }
    axis_pil(&x, from->width, scale_x, to->left);
    axis_pil(&y, from->height, scale_y, to->top);
    memset(padded, 0, span * 3);
    for (i = y.from; i < y.to; i++) {
        memcpy(padded, from->data + ((size_t)i * from->width + x.from) * 3,
               (size_t)(x.to - x.from) * 3);
        pil_row(&x, padded, thin + (i - y.from) * n);
    }
    for (i = 0; i < y.n; i++)
        pil_column(&y, i, thin, n, sum, out + (size_t)i * n);
    return ASSAY_OK;
}

/* ---- OpenCV's INTER_LINEAR in float32 ---- */

/* Where pixel d of the result lies: the source pixel before it, and how far behind that one. */
static int64_t linear_place(uint32_t d, double scale, float *behind)
{
    float f = (float)((d + 0.5) * scale - 0.5);
    float whole = floorf(f);

    *behind = f - whole;
    return (int64_t)whole;
}

/* Along x a pixel at the edge is taken alone; along y (linear_row) the edge row counts twice: their
 * roundings differ.  Where both sides are halved OpenCV takes means of 2 × 2: the same bits. */
static void axis_linear(struct resize_axis *a, uint32_t source, double scale)
{
    uint32_t i;

    for (i = 0; i < a->n; i++) {
        float f;
        int64_t s = linear_place(i, scale, &f);

        if (s < 0 || s >= (int64_t)source - 1) {
            s = s < 0 ? 0 : (int64_t)source - 1;
            f = 0;
        }
        a->first[i] = (uint32_t)s;
        a->weight[2 * (size_t)i] = 1.0f - f;
        a->weight[2 * (size_t)i + 1] = f;
    }
    a->from = 0;
    a->to = source;
}

int resize_linear_begin(struct resize_linear *r, const struct pixels *from, uint32_t width,
                        uint32_t height, struct resize_work *w, struct assay_err *err)
{
    size_t wide = ((size_t)from->width + 2) * 3; /* the last pixel's second tap lies behind it */
    struct pieces p = {0};
    int pass, rc;

    *r = (struct resize_linear){.from = from,
                                .scale = 1.0 / ((double)height / from->height),
                                .held = {UINT32_MAX, UINT32_MAX}};
    for (pass = 0; pass < 2; pass++) {
        p.used = 0;
        axis_pieces(&r->x, width, 2, &p);
        r->wide = piece(&p, wide * sizeof(float));
        r->lines[0] = piece(&p, (size_t)width * 3 * sizeof(float));
        r->lines[1] = piece(&p, (size_t)width * 3 * sizeof(float));
        if (pass == 0 && (rc = work_reserve(w, p.used, err)))
            return rc;
        p.base = w->memory;
    }
    memset(w->memory, 0, p.used);
    axis_linear(&r->x, from->width, 1.0 / ((double)width / from->width));
    return ASSAY_OK;
}

/* The three channels of a source row, resized along x, one behind the other. */
INLINE void linear_line(struct resize_linear *r, uint32_t s)
{
    const float *w = r->x.weight;
    float *out = r->lines[s % 2];
    size_t width = r->x.n, i;

    if (r->held[s % 2] == s)
        return;
    widen_row(r->from->data + (size_t)s * r->from->width * 3, r->wide, (size_t)r->from->width * 3);
    for (i = 0; i < width; i++, w += 2) {
        const float *p = r->wide + (size_t)r->x.first[i] * 3;
        four sum = load_four(p) * w[0] + load_four(p + 3) * w[1];

        out[i] = sum[0];
        out[i + width] = sum[1];
        out[i + 2 * width] = sum[2];
    }
    r->held[s % 2] = s;
}

typedef float eight __attribute__((vector_size(32)));

/* upper and lower weighed and normalised, each step rounded to float32. */
INLINE void linear_blend(const float *upper, const float *lower, float f, float scale, float offset,
                         float divisor, float *out, size_t n)
{
    float rest = 1.0f - f, v;
    eight a, b;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        memcpy(&a, upper + i, sizeof(a));
        memcpy(&b, lower + i, sizeof(b));
        a = a * rest + b * f;
        a = a * scale;
        a = a - offset;
        a = a / divisor;
        memcpy(out + i, &a, sizeof(a));
    }
    for (; i < n; i++) {
        v = upper[i] * rest + lower[i] * f;
        v = v * scale;
        v = v - offset;
        out[i] = v / divisor;
    }
}

INLINE void linear_row(struct resize_linear *r, uint32_t i, const struct resize_values *values,
                       float *const out[3])
{
    float f;
    int64_t s = linear_place(i, r->scale, &f), last = (int64_t)r->from->height - 1;
    uint32_t upper = (uint32_t)(s < 0      ? 0
                                : s > last ? last
                                           : s),
             lower = (uint32_t)(s + 1 > last ? last : s + 1);
    size_t width = r->x.n, c;

    linear_line(r, upper);
    linear_line(r, lower);
    for (c = 0; c < 3; c++)
        linear_blend(r->lines[upper % 2] + c * width, r->lines[lower % 2] + c * width, f,
                     values->scale, values->offset[c], values->divisor[c], out[c], width);
}

static void linear_row_plain(struct resize_linear *r, uint32_t i, const struct resize_values *v,
                             float *const out[3])
{
    linear_row(r, i, v, out);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void linear_row_avx2(struct resize_linear *r, uint32_t i,
                                                            const struct resize_values *v,
                                                            float *const out[3])
{
    linear_row(r, i, v, out);
}
#endif

void resize_linear_row(struct resize_linear *r, uint32_t i, const struct resize_values *values,
                       float *const out[3])
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        linear_row_avx2(r, i, values, out);
        return;
    }
#endif
    linear_row_plain(r, i, values, out);
}
