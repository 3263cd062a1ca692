/* A tiny ONNX model, written byte by byte: output = input × W (MatMul) with input [batch, 4] and
 * W[i][j] = i - j, so output[j] = Σ i·x[i] - j·Σ x[i], for j = 0..2. */
#ifndef TINY_ONNX_H
#define TINY_ONNX_H

#include <stdio.h>

#include "base/half.h"
#include "bytes.h"

enum { TINY_FLOAT = 1, TINY_HALF = 10 }; /* as ONNX numbers them */

/* A ValueInfoProto: [batch, columns] of the type; 0 is a symbol. */
static void put_value(struct bytes *graph, int field, const char *name, unsigned long elem,
                      unsigned long batch, unsigned long columns)
{
    struct bytes value = {0}, type = {0}, tensor = {0}, shape = {0}, first = {0}, second = {0};

    if (batch)
        put_int(&first, 1, batch);
    else
        put_text(&first, 2, "batch");
    if (columns)
        put_int(&second, 1, columns);
    else
        put_text(&second, 2, "columns");
    put_part(&shape, 1, &first);
    put_part(&shape, 1, &second);
    put_int(&tensor, 1, elem);
    put_part(&tensor, 2, &shape);
    put_part(&type, 1, &tensor);
    put_text(&value, 1, name);
    put_part(&value, 2, &type);
    put_part(graph, field, &value);
}

/* Returns 0 when the file was written.  columns: of the input, 4 or free. */
static inline int tiny_onnx_write_type(const char *path, unsigned long elem, unsigned long batch,
                                       unsigned long columns, unsigned long opset, const char *op)
{
    struct bytes model = {0}, graph = {0}, node = {0}, weights = {0}, set = {0};
    float w[12];
    uint16_t half[12];
    FILE *f = fopen(path, "wb");
    int rc;

    for (int i = 0; i < 12; i++)
        half[i] = half_from_float(w[i] = (float)(i / 3 - i % 3));
    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 4, op);
    put_part(&graph, 1, &node);
    put_text(&graph, 2, "tiny");
    put_int(&weights, 1, 4);
    put_int(&weights, 1, 3);
    put_int(&weights, 2, elem);
    put_text(&weights, 8, "w");
    if (elem == TINY_HALF)
        put_data(&weights, 9, half, sizeof(half));
    else
        put_data(&weights, 9, w, sizeof(w));
    put_part(&graph, 5, &weights);
    put_value(&graph, 11, "x", elem, batch, columns);
    put_value(&graph, 12, "y", elem, batch, 3);
    put_int(&model, 1, 7);
    put_part(&model, 7, &graph);
    put_int(&set, 2, opset);
    put_part(&model, 8, &set);
    if (!f)
        return -1;
    rc = fwrite(model.b, 1, model.n, f) == model.n ? 0 : -1;
    return fclose(f) || rc ? -1 : 0;
}

static inline int tiny_onnx_write_shape(const char *path, unsigned long batch,
                                        unsigned long columns, unsigned long opset, const char *op)
{
    return tiny_onnx_write_type(path, TINY_FLOAT, batch, columns, opset, op);
}

static inline int tiny_onnx_write(const char *path, unsigned long batch, unsigned long opset,
                                  const char *op)
{
    return tiny_onnx_write_shape(path, batch, 4, opset, op);
}

#endif
