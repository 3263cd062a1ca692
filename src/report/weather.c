/* The machine's part in a difference; see weather.h.
 *
 * The reference kernel's times before and after each run say how fast the machine was.  What lasts
 * for a moment shows in the run itself, as its own noise, and so does what changes half-way; what
 * cannot be seen there is a machine that was slower all through it.  So of a run's two looks the
 * quicker counts, and the interval of a figure's ratio is stretched by the ratio of A's and B's,
 * less a dead zone that two looks at an unchanged machine may differ by.  For the compute part
 * that is 2 %: its quickest repetition repeats within 1 %.  For the memory part it is 10 %: it
 * wanders more, with what other processors have in the shared cache, and a run waits for memory
 * only a part of its time.  Where a run's own two looks differ by more (neighbours of a virtual
 * machine that change clock and cache from one second to the next), that is what one look is
 * worth, and the dead zone.  Of the two parts the one that says more counts, on either side.
 * Added is the difference in what others took meanwhile: of the processors' work what a hypervisor
 * gave to other machines (steal), and of all processors what other programs used.  Neither need
 * have touched the run, but both may; less 2 %, since what is taken in small pieces shows in the
 * run's own noise.
 * Where the two differ by more than 10 %, what they did is not known: threads that wait for each
 * other lose many times what was taken from one of them.  Then nothing says that the run that had
 * less of the machine is the slower one.
 * A run that mostly waits, for a card or another machine, can have been touched by the machine's
 * speed and by steal only while it used a processor, so these count by that part of its time.
 * What others took in small pieces falls on few latencies, and those become the longest: when they
 * took 2 % more while B ran, B's longest 2 % may be theirs, and a percentile beyond that says
 * nothing of B being slower.
 *
 * The stretch can only turn "faster" or "slower" into "cannot be told apart", never the other way
 * round. */
#include "report/weather.h"

#include <math.h>
#include <string.h>

#include "base/tree.h"
#include "record/conditions.h"

#define TAKEN_DEAD 0.02
#define TAKEN_MOST 0.10 /* more than this may have done anything */
#define OTHER_SAID 0.05 /* processors */

static const json_t *part(const json_t *record, const char *name)
{
    return json_object_get(json_object_get(record, "conditions"), name);
}

/* NaN: was not taken. */
static double probe(const json_t *record, const char *when, const char *what)
{
    return tree_real(json_object_get(part(record, "probe"), when), what, NAN);
}

/* The part of its time in which a run used processors, of one that would be 1: a machine that is
 * slower by so much makes the run slower by this part of it.  What only waits (for a timer, a card,
 * another machine) waits as long as before.  A Server also waits for its queries. */
static double working(const json_t *record)
{
    const json_t *cpu = part(record, "cpu");
    double share = tree_real(cpu, "own_s", NAN) / tree_real(cpu, "seconds", NAN);

    if (!isfinite(share) || !strcmp(tree_text(record, "scenario", ""), "Server"))
        return 1;
    return fmin(fmax(share, 0), 1);
}

/* The share of the machine that others took, of either kind. */
static double taken(const json_t *record)
{
    const json_t *threads = json_object_get(json_object_get(record, "system"), "threads");
    double processors = tree_real(threads, "value", 0);
    const json_t *conditions = json_object_get(record, "conditions");
    double share = conditions_steal(conditions) * working(record) +
                   (processors > 0 ? conditions_others(conditions) / processors : 0);

    return fmin(share, 0.9);
}

static bool throttled(const json_t *record)
{
    const json_t *t = part(record, "throttled");

    return tree_real(t, "thermal", 0) > 0 || tree_real(t, "quota", 0) > 0;
}

/* The quicker of a run's two looks; NaN: there is none. */
static double quickest(const json_t *record, const char *what)
{
    return fmin(probe(record, "before", what), probe(record, "after", what));
}

/* By what a run's two looks differ, as a logarithm; 0: there are not two. */
static double unsteady(const json_t *record, const char *what)
{
    double d = fabs(log(probe(record, "before", what) / probe(record, "after", what)));

    return isfinite(d) ? d : 0;
}

struct weather weather_between(const json_t *a, const json_t *b)
{
    static const struct {
        const char *name;
        double dead;
    } parts[] = {{"compute_ns", 0.02}, {"memory_ns", 0.10}};
    struct weather w = {.slow = 1, .quick = 1};
    double more = taken(b) - taken(a), beyond = fmax(0, fabs(more) - TAKEN_DEAD);
    double works = fmax(working(a), working(b));

    if (tree_int(part(a, "probe"), "revision", 0) == tree_int(part(b, "probe"), "revision", -1))
        for (int i = 0; i < 2; i++) {
            const char *name = parts[i].name;
            double ratio = log(quickest(b, name) / quickest(a, name));
            double dead = fmax(parts[i].dead, fmax(unsteady(a, name), unsteady(b, name)));

            if (!isfinite(ratio))
                continue;
            w.known = true;
            w.slow = fmax(w.slow, exp(works * fmax(0, ratio - dead)));
            w.quick = fmin(w.quick, exp(works * fmin(0, ratio + dead)));
        }
    if (more > 0)
        w.slow /= 1 - beyond;
    else
        w.quick *= 1 - beyond;
    w.more = fabs(more) > TAKEN_MOST ? copysign(INFINITY, more) : more;
    w.a_throttled = throttled(a) && !throttled(b);
    w.b_throttled = throttled(b) && !throttled(a);
    return w;
}

void weather_widen(const struct weather *w, int figure, struct spread *ratio)
{
    bool more_is_better = figure_more_is_better(figure);
    double *slower_end = more_is_better ? &ratio->high : &ratio->low;
    double *quicker_end = more_is_better ? &ratio->low : &ratio->high;

    /* A machine that was slower makes times of B longer and rates smaller: without it the ratio
     * could be nearer to the other end. */
    *slower_end = more_is_better ? *slower_end * w->slow : *slower_end / w->slow;
    *quicker_end = more_is_better ? *quicker_end * w->quick : *quicker_end / w->quick;
    if (w->b_throttled || w->more > figure_tail(figure))
        *slower_end = more_is_better ? INFINITY : 0;
    if (w->a_throttled || -w->more > figure_tail(figure))
        *quicker_end = more_is_better ? 0 : INFINITY;
}

void weather_notes(const struct weather *w, const json_t *a, const json_t *b, json_t *notes)
{
    conditions_notes(json_object_get(a, "conditions"), "A", OTHER_SAID, 0, notes);
    conditions_notes(json_object_get(b, "conditions"), "B", OTHER_SAID, 0, notes);
    if (w->slow > 1.001)
        json_array_append_new(
            notes, json_sprintf("the machine itself may have been up to %.1f %% slower while B ran "
                                "(reference kernel, others' use): intervals are widened by that",
                                100 * (w->slow - 1)));
    if (w->quick < 0.999)
        json_array_append_new(
            notes,
            json_sprintf("the machine itself may have been up to %.1f %% quicker while B "
                         "ran (reference kernel, others' use): intervals are widened by that",
                         100 * (1 - w->quick)));
}
