/* A tiny TensorFlow graph, written byte by byte: y = x × w (MatMul) with x [batch, 4] and w[i][j] =
 * i - j, so y[j] = Σ i·x[i] - j·Σ x[i], for j = 0..2; as a frozen file or in a SavedModel's folder,
 * where x is called "in" and y "out". */
#ifndef TINY_GRAPHDEF_H
#define TINY_GRAPHDEF_H

#include <stdio.h>
#include <sys/stat.h>

#include "bytes.h"

enum { TINY_NO_SHAPE = -2 };

static inline void put_attr(struct bytes *node, const char *key, const struct bytes *value)
{
    struct bytes entry = {0};

    put_text(&entry, 1, key);
    put_part(&entry, 2, value);
    put_part(node, 5, &entry);
}

static inline void put_attr_type(struct bytes *node, const char *key)
{
    struct bytes value = {0};

    put_int(&value, 6, 1);
    put_attr(node, key, &value);
}

/* A TensorShapeProto of two dimensions. */
static inline void put_shape(struct bytes *o, int field, long rows, long columns)
{
    struct bytes shape = {0}, dim = {0};

    put_int(&dim, 1, (unsigned long)rows);
    put_part(&shape, 2, &dim);
    dim.n = 0;
    put_int(&dim, 1, (unsigned long)columns);
    put_part(&shape, 2, &dim);
    put_part(o, field, &shape);
}

static inline void put_node(struct bytes *graph, const char *name, const char *op,
                            const char *const *inputs, const struct bytes *attrs)
{
    struct bytes node = {0};

    put_text(&node, 1, name);
    put_text(&node, 2, op);
    for (; inputs && *inputs; inputs++)
        put_text(&node, 3, *inputs);
    memcpy(node.b + node.n, attrs->b, attrs->n);
    node.n += attrs->n;
    put_part(graph, 1, &node);
}

/* -1: free; batch TINY_NO_SHAPE: the graph says nothing of x's shape. */
static inline void tiny_graph(struct bytes *graph, long batch, long columns, const char *op)
{
    static const char *const inputs[] = {"x", "w", NULL};
    struct bytes attrs = {0}, value = {0}, tensor = {0};
    float w[12];

    for (int i = 0; i < 12; i++)
        w[i] = (float)(i / 3 - i % 3);
    put_attr_type(&attrs, "dtype");
    if (batch != TINY_NO_SHAPE) {
        put_shape(&value, 7, batch, columns);
        put_attr(&attrs, "shape", &value);
    }
    put_node(graph, "x", "Placeholder", NULL, &attrs);
    attrs.n = value.n = 0;
    put_attr_type(&attrs, "dtype");
    put_int(&tensor, 1, 1);
    put_shape(&tensor, 2, 4, 3);
    put_data(&tensor, 4, w, sizeof(w));
    put_part(&value, 8, &tensor);
    put_attr(&attrs, "value", &value);
    put_node(graph, "w", "Const", NULL, &attrs);
    attrs.n = 0;
    put_attr_type(&attrs, "T");
    put_node(graph, "y", op, inputs, &attrs);
}

static inline int tiny_write(const char *path, const struct bytes *o)
{
    FILE *f = fopen(path, "wb");
    int rc;

    if (!f)
        return -1;
    rc = fwrite(o->b, 1, o->n, f) == o->n ? 0 : -1;
    return fclose(f) || rc ? -1 : 0;
}

/* Returns 0 when the file was written. */
static inline int tiny_graphdef_write(const char *path, long batch, const char *op)
{
    struct bytes graph = {0};

    tiny_graph(&graph, batch, 4, op);
    return tiny_write(path, &graph);
}

static inline void put_info(struct bytes *signature, int field, const char *key, const char *tensor)
{
    struct bytes info = {0}, entry = {0};

    put_text(&info, 1, tensor);
    put_int(&info, 2, 1);
    put_text(&entry, 1, key);
    put_part(&entry, 2, &info);
    put_part(signature, field, &entry);
}

/* Into a folder that is there; names: the signatures, NULL-terminated. */
static inline int tiny_savedmodel_write(const char *folder, const char *const *names)
{
    struct bytes model = {0}, meta = {0}, part = {0}, signature = {0};
    char path[512];

    put_text(&part, 4, "serve");
    put_part(&meta, 1, &part);
    part.n = 0;
    tiny_graph(&part, -1, 4, "MatMul");
    put_part(&meta, 2, &part);
    put_info(&signature, 1, "in", "x:0");
    put_info(&signature, 2, "out", "y:0");
    put_text(&signature, 3, "tensorflow/serving/predict");
    for (; *names; names++) {
        part.n = 0;
        put_text(&part, 1, *names);
        put_part(&part, 2, &signature);
        put_part(&meta, 5, &part);
    }
    put_int(&model, 1, 1);
    put_part(&model, 2, &meta);
    snprintf(path, sizeof(path), "%s/saved_model.pb", folder);
    return tiny_write(path, &model);
}

#endif
