/* The machine that reads pickles and executes nothing; see unpickle.h.
 *
 * The stack holds indices of values; a mark on it is PICKLE_NOTHING.  The memo maps the numbers
 * that the pickle gives to values, so that later instructions can mean the same one again.  Every
 * instruction takes from the input what it adds to memory, but for copies of lists and tuples:
 * those are counted as cells, and all counts end at MACHINE_LIMIT. */
#include "net/unpickle_machine.h"

#include <stdlib.h>
#include <string.h>

int machine_bad(struct machine *m, const char *what)
{
    assay_fail(m->err, ASSAY_EFAIL,
               "%s: is no state dict that can be read: %s (at byte %zu of its pickle); "
               "nothing of it was executed",
               m->name, what, (size_t)(m->at - m->start));
    return ASSAY_EFAIL;
}

/* Room for one more item in a list at `list`, whose capacity is the next power of two. */
int machine_room(struct machine *m, void *list, size_t count, size_t size)
{
    void *items, *grown;

    if (count >= MACHINE_LIMIT)
        return machine_bad(m, "it has more than a million parts");
    if (count & (count - 1))
        return ASSAY_OK;
    memcpy(&items, list, sizeof(items));
    grown = realloc(items, (count ? 2 * count : 1) * size);
    if (!grown) {
        assay_fail(m->err, ASSAY_EFAIL, "%s: out of memory", m->name);
        return ASSAY_EFAIL;
    }
    memcpy(list, &grown, sizeof(grown));
    return ASSAY_OK;
}

int machine_push(struct machine *m, uint32_t value)
{
    int rc = machine_room(m, &m->stack, m->depth, sizeof(*m->stack));

    if (!rc)
        m->stack[m->depth++] = value;
    return rc;
}

/* A new value on the stack. */
int machine_make(struct machine *m, struct pickle_value v)
{
    int rc = machine_room(m, &m->p->values, m->p->value_count, sizeof(v));

    if (rc)
        return rc;
    m->p->values[m->p->value_count++] = v;
    return machine_push(m, (uint32_t)(m->p->value_count - 1));
}

int machine_make_kind(struct machine *m, enum pickle_kind kind, int64_t integer)
{
    return machine_make(
        m, (struct pickle_value){
               .kind = kind, .first = PICKLE_NOTHING, .last = PICKLE_NOTHING, .integer = integer});
}

/* The value on top; a mark is none. */
int machine_pop(struct machine *m, uint32_t *value)
{
    *value = PICKLE_NOTHING;
    if (!m->depth || m->stack[m->depth - 1] == PICKLE_NOTHING)
        return machine_bad(m, "its stack is empty");
    *value = m->stack[--m->depth];
    return ASSAY_OK;
}

/* The place on the stack of what lies above the last mark. */
static int find_mark(struct machine *m, size_t *first)
{
    size_t i = m->depth;

    while (i > 0 && m->stack[i - 1] != PICKLE_NOTHING)
        i--;
    *first = i;
    return i ? ASSAY_OK : machine_bad(m, "it has no mark");
}

int machine_append(struct machine *m, uint32_t to, uint32_t value)
{
    struct pickle *p = m->p;
    struct pickle_value *v;
    uint32_t cell = (uint32_t)p->cell_count;
    int rc = machine_room(m, &p->cells, p->cell_count, sizeof(*p->cells));

    if (rc)
        return rc;
    p->cells[p->cell_count++] = (struct pickle_cell){value, PICKLE_NOTHING};
    v = &p->values[to];
    if (v->last != PICKLE_NOTHING)
        p->cells[v->last].next = cell;
    else
        v->first = cell;
    v->last = cell;
    v->n++;
    return ASSAY_OK;
}

/* The values above place `first` of the stack go into `to`. */
static int append_all(struct machine *m, uint32_t to, size_t first)
{
    int rc = ASSAY_OK;

    for (size_t i = first; !rc && i < m->depth; i++)
        rc = machine_append(m, to, m->stack[i]);
    m->depth = first;
    return rc;
}

bool machine_is(const struct machine *m, uint32_t value, enum pickle_kind kind)
{
    return value != PICKLE_NOTHING && m->p->values[value].kind == kind;
}

bool machine_is_row(const struct machine *m, uint32_t value)
{
    return machine_is(m, value, PICKLE_TUPLE) || machine_is(m, value, PICKLE_LIST);
}

/* The first n items of a tuple or list; false: it has fewer. */
bool machine_items(const struct machine *m, uint32_t row, uint32_t *out, uint32_t n)
{
    uint32_t cell;

    if (!machine_is_row(m, row) || m->p->values[row].n < n)
        return false;
    cell = m->p->values[row].first;
    for (uint32_t i = 0; i < n; i++, cell = m->p->cells[cell].next)
        out[i] = m->p->cells[cell].value;
    return true;
}

/* ---- reading ---- */

static int take(struct machine *m, size_t n, const unsigned char **bytes)
{
    *bytes = m->at;
    if (n > (size_t)(m->end - m->at))
        return machine_bad(m, "it ends inside an instruction");
    m->at += n;
    return ASSAY_OK;
}

static int number(struct machine *m, size_t n, uint64_t *out)
{
    const unsigned char *b;
    int rc = take(m, n, &b);

    *out = 0;
    while (!rc && n--)
        *out = *out << 8 | b[n];
    return rc;
}

static int text(struct machine *m, size_t length_bytes)
{
    const unsigned char *b;
    uint64_t n;

    if (number(m, length_bytes, &n))
        return ASSAY_EFAIL;
    if (n > UINT32_MAX || take(m, (size_t)n, &b))
        return machine_bad(m, "it ends inside a text");
    return machine_make(
        m,
        (struct pickle_value){.kind = PICKLE_TEXT, .n = (uint32_t)n, .at = (size_t)(b - m->start)});
}

/* n bytes, two's complement. */
static int integer(struct machine *m, size_t n, bool is_signed)
{
    uint64_t v;

    if (n > 8)
        return machine_bad(m, "it has a number of more than 64 bits");
    if (number(m, n, &v))
        return ASSAY_EFAIL;
    if (is_signed && n && n < 8 && v >> (8 * n - 1))
        v |= UINT64_MAX << 8 * n;
    return machine_make_kind(m, PICKLE_INT, (int64_t)v);
}

static int long_integer(struct machine *m)
{
    uint64_t n;

    return number(m, 1, &n) ? ASSAY_EFAIL : integer(m, (size_t)n, true);
}

static int line(struct machine *m, const unsigned char **at, size_t *n)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));

    *at = m->at;
    *n = end ? (size_t)(end - m->at) : 0;
    if (!end)
        return machine_bad(m, "it ends inside a name");
    m->at = end + 1;
    return ASSAY_OK;
}

static int global_lines(struct machine *m)
{
    const unsigned char *module, *name;
    size_t n, k;

    return line(m, &module, &n) || line(m, &name, &k) ? ASSAY_EFAIL
                                                      : machine_global(m, module, n, name, k);
}

static int global_stack(struct machine *m)
{
    const struct pickle_value *a, *b;
    uint32_t module, name;

    if (machine_pop(m, &name) || machine_pop(m, &module))
        return ASSAY_EFAIL;
    if (!machine_is(m, module, PICKLE_TEXT) || !machine_is(m, name, PICKLE_TEXT))
        return machine_bad(m, "a global is not named by texts");
    a = &m->p->values[module];
    b = &m->p->values[name];
    return machine_global(m, m->start + a->at, a->n, m->start + b->at, b->n);
}

/* ---- memo ---- */

static int memo_put(struct machine *m, uint64_t at)
{
    int rc = ASSAY_OK;

    if (!m->depth || m->stack[m->depth - 1] == PICKLE_NOTHING)
        return machine_bad(m, "its stack is empty");
    if (at >= MACHINE_LIMIT)
        return machine_bad(m, "it remembers more than a million parts");
    while (!rc && m->memo_count <= at) {
        rc = machine_room(m, &m->memo, m->memo_count, sizeof(*m->memo));
        if (!rc)
            m->memo[m->memo_count++] = PICKLE_NOTHING;
    }
    if (!rc)
        m->memo[at] = m->stack[m->depth - 1];
    return rc;
}

static int memo_get(struct machine *m, uint64_t at)
{
    if (at >= m->memo_count || m->memo[at] == PICKLE_NOTHING)
        return machine_bad(m, "it asks for a part that it never remembered");
    return machine_push(m, m->memo[at]);
}

static int memo(struct machine *m, size_t bytes, int (*use)(struct machine *m, uint64_t at))
{
    uint64_t at;

    return number(m, bytes, &at) ? ASSAY_EFAIL : use(m, at);
}

/* ---- rows and dicts ---- */

/* A tuple of the top n values; it lies where the first of them was. */
static int tuple(struct machine *m, size_t first)
{
    uint32_t made;
    int rc = machine_make_kind(m, PICKLE_TUPLE, 0);

    if (rc)
        return rc;
    made = m->stack[--m->depth];
    rc = append_all(m, made, first);
    return rc ? rc : machine_push(m, made);
}

static int tuple_of(struct machine *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m->depth <= i || m->stack[m->depth - 1 - i] == PICKLE_NOTHING)
            return machine_bad(m, "its stack is empty");
    return tuple(m, m->depth - n);
}

static int tuple_marked(struct machine *m)
{
    size_t first;
    uint32_t made;

    if (find_mark(m, &first) || tuple(m, first))
        return ASSAY_EFAIL;
    made = m->stack[m->depth - 1];
    m->depth -= 2; /* and the mark */
    return machine_push(m, made);
}

/* Everything above place `first` goes into the value in front of it (and of a mark). */
static int fill(struct machine *m, size_t first, size_t before, enum pickle_kind kind)
{
    uint32_t to = first > before ? m->stack[first - before - 1] : PICKLE_NOTHING;
    int rc;

    if (!machine_is(m, to, kind) || (kind == PICKLE_DICT && (m->depth - first) % 2))
        return machine_bad(m, kind == PICKLE_DICT ? "what it fills is no dict, or lacks a value"
                                                  : "what it fills is no list");
    rc = append_all(m, to, first);
    m->depth -= before;
    return rc;
}

static int fill_marked(struct machine *m, enum pickle_kind kind)
{
    size_t first;

    return find_mark(m, &first) ? ASSAY_EFAIL : fill(m, first, 1, kind);
}

static int fill_one(struct machine *m, size_t n, enum pickle_kind kind)
{
    for (size_t i = 0; i < n; i++)
        if (m->depth <= i || m->stack[m->depth - 1 - i] == PICKLE_NOTHING)
            return machine_bad(m, "its stack is empty");
    return fill(m, m->depth - n, 0, kind);
}

/* ---- the machine ---- */

static int unknown(struct machine *m, int code)
{
    char what[64];

    m->at--;
    snprintf(what, sizeof(what), "it has the instruction 0x%02x, which none needs", code);
    return machine_bad(m, what);
}

static int skip(struct machine *m, size_t n)
{
    const unsigned char *b;

    return take(m, n, &b);
}

static int protocol(struct machine *m)
{
    uint64_t version;

    if (number(m, 1, &version))
        return ASSAY_EFAIL;
    return version <= 5 ? ASSAY_OK : machine_bad(m, "it is of an unknown protocol");
}

static int step(struct machine *m, int code)
{
    switch (code) {
    case 0x80:
        return protocol(m);
    case 0x95: /* FRAME: how many bytes follow */
        return skip(m, 8);
    case '(':
        return machine_push(m, PICKLE_NOTHING);
    case 'N':
        return machine_make_kind(m, PICKLE_NONE, 0);
    case 0x88:
    case 0x89:
        return machine_make_kind(m, PICKLE_BOOL, code == 0x88);
    case 'K':
        return integer(m, 1, false);
    case 'M':
        return integer(m, 2, false);
    case 'J':
        return integer(m, 4, true);
    case 0x8a:
        return long_integer(m);
    case 'G':
        return skip(m, 8) ? ASSAY_EFAIL : machine_make_kind(m, PICKLE_REAL, 0);
    case 'U': /* a text of Python 2 */
    case 0x8c:
        return text(m, 1);
    case 'T':
    case 'X':
        return text(m, 4);
    case 'c':
        return global_lines(m);
    case 0x93:
        return global_stack(m);
    case 'q':
        return memo(m, 1, memo_put);
    case 'r':
        return memo(m, 4, memo_put);
    case 0x94:
        return memo_put(m, m->memo_count);
    case 'h':
        return memo(m, 1, memo_get);
    case 'j':
        return memo(m, 4, memo_get);
    case ')':
        return machine_make_kind(m, PICKLE_TUPLE, 0);
    case 't':
        return tuple_marked(m);
    case 0x85:
    case 0x86:
    case 0x87:
        return tuple_of(m, (size_t)code - 0x84);
    case ']':
        return machine_make_kind(m, PICKLE_LIST, 0);
    case 'a':
        return fill_one(m, 1, PICKLE_LIST);
    case 'e':
        return fill_marked(m, PICKLE_LIST);
    case '}':
        return machine_make_kind(m, PICKLE_DICT, 0);
    case 's':
        return fill_one(m, 2, PICKLE_DICT);
    case 'u':
        return fill_marked(m, PICKLE_DICT);
    case 'R':
    case 0x81: /* NEWOBJ: the same for the few classes of the table */
        return machine_call(m);
    case 'b':
        return machine_build(m);
    case 'Q':
        return machine_persistent(m);
    default:
        return unknown(m, code);
    }
}

int pickle_read(const void *data, size_t len, const char *name, struct pickle *p,
                struct assay_err *err)
{
    struct machine m = {.start = data, .at = data, .p = p, .name = name, .err = err};
    int code = 0, rc = ASSAY_OK;

    memset(p, 0, sizeof(*p));
    p->data = data;
    m.end = m.start + len;
    while (!rc && code != '.') {
        if (m.at == m.end) {
            rc = machine_bad(&m, "it ends before its end mark");
            break;
        }
        code = *m.at++;
        if (code != '.')
            rc = step(&m, code);
    }
    if (!rc)
        rc = machine_pop(&m, &p->root);
    if (!rc && m.depth)
        rc = machine_bad(&m, "it leaves something on its stack");
    p->bytes = (size_t)(m.at - m.start);
    free(m.stack);
    free(m.memo);
    return rc;
}

void pickle_release(struct pickle *p)
{
    free(p->values);
    free(p->cells);
    free(p->storages);
    free(p->tensors);
    memset(p, 0, sizeof(*p));
}

bool pickle_is(const struct pickle *p, uint32_t v, const char *text)
{
    return v != PICKLE_NOTHING && p->values[v].kind == PICKLE_TEXT &&
           same(p->data + p->values[v].at, p->values[v].n, text);
}

uint32_t pickle_get(const struct pickle *p, uint32_t dict, const char *key)
{
    uint32_t cell = p->values[dict].first, value, found = PICKLE_NOTHING;

    while (cell != PICKLE_NOTHING && p->cells[cell].next != PICKLE_NOTHING) {
        value = p->cells[p->cells[cell].next].value;
        if (pickle_is(p, p->cells[cell].value, key))
            found = value;
        cell = p->cells[p->cells[cell].next].next;
    }
    return found;
}
