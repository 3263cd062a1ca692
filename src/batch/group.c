/* See group.h.  A batch is as long as its longest sample: the longest of those that must go sets
 * the mark, and those nearest to it fill the batch. */
#include "batch/group.h"

size_t group_window(size_t waiting, uint32_t limit)
{
    size_t most = limit > GROUP_MOST / GROUP_WINDOW ? limit : (size_t)limit * GROUP_WINDOW;

    return waiting < most ? waiting : most;
}

/* Would it have left by now in order of arrival, this batch included? */
static bool is_due(const struct group_item *i, const struct group_rule *r)
{
    return i->number < r->taken + r->limit;
}

/* The next batch may come too late for it. */
static bool must_go(const struct group_item *i, const struct group_rule *r)
{
    return i->passed_ns && r->now_ns + r->service_ns - i->passed_ns > r->wait_ns;
}

static int64_t distance(const struct group_item *i, int64_t mark)
{
    return i->length > mark ? i->length - mark : mark - i->length;
}

/* The nearest to the mark that is not chosen yet; of equals the oldest. */
static size_t nearest(const struct group_item *items, size_t n, const bool *chosen, int64_t mark)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++)
        if (!chosen[i] && (best == n || distance(&items[i], mark) < distance(&items[best], mark)))
            best = i;
    return best;
}

static void in_order(size_t n, uint32_t limit, bool *chosen)
{
    for (size_t i = 0; i < n; i++)
        chosen[i] = i < limit;
}

static size_t count_passed(const struct group_item *items, size_t n, const struct group_rule *r,
                           const bool *chosen)
{
    size_t passed = 0;

    for (size_t i = 0; i < n; i++)
        passed += !chosen[i] && is_due(&items[i], r);
    return passed;
}

void group_choose(struct group_item *items, size_t n, const struct group_rule *r, bool *chosen)
{
    int64_t mark = items[0].length;
    uint32_t count = 0;

    for (size_t i = 0; i < n; i++) {
        chosen[i] = count < r->limit && (i == 0 || must_go(&items[i], r));
        count += chosen[i];
        mark = chosen[i] && items[i].length > mark ? items[i].length : mark;
    }
    for (; count < r->limit; count++)
        chosen[nearest(items, n, chosen, mark)] = true;
    if (r->service_ns > r->wait_ns || count_passed(items, n, r, chosen) > r->limit)
        in_order(n, r->limit, chosen);
    for (size_t i = 0; i < n; i++)
        if (!chosen[i] && !items[i].passed_ns && is_due(&items[i], r))
            items[i].passed_ns = r->now_ns;
}
