#!/usr/bin/env python3
"""Does find-peak find the peak?  Against a queue whose capacity is known.

    bench/find_peak.py BUILD [--tries N] [--duration-s N] [--service-us X] [--bound-ms X] [--json FILE]

The null engine serves one sample after another with a service time that is fixed or exponential; LoadGen sends
Poisson arrivals; so one lane is an M/D/1 or M/M/1 queue.  Its capacity under a latency bound is computed here, by the
Lindley recursion  wait' = max(0, wait + service - gap)  over long seeded sequences, as the highest rate at which 99 %
of the response times (wait + service) are within the bound.  For the exponential service time there is a formula
besides, rate = 1/service - ln(100)/bound, which shows that the simulation is right.

The bound is long against what a machine stalls for now and then; it is 240 mean services, so that the queue forgets its
past often in a run; and the services are long against the few microseconds that LoadGen and Assay take for a query.  A
simulation of the whole search, with stalls of 6 ms, 0.6 a second, and 3 µs a query, gave peaks of +0.3 ± 0.4 % of the
capacity (exponential; fixed: +0.4 ± 0.2 %); with 250 µs and 60 ms -1.1 ± 0.4 %; with 500 µs and 15 ms the sampling noise of a
run of 30 s alone was 0.9 %.

A try is good when the peak is within 2 % of the capacity and the final run is VALID.  Everything must be good."""

import argparse
import json
import math
import pathlib
import random
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers  # noqa: E402

WITHIN = 0.02
ARRIVALS = 400_000
SEQUENCES = 5


def over_bound(rate, gaps, services, bound):
    """Share of the responses that are over the bound."""
    wait, over, scale = 0.0, 0, 1 / rate
    for gap, service in zip(gaps, services):
        wait -= gap * scale
        if wait < 0:
            wait = 0.0
        wait += service  # now the response time: what the next one finds before it
        if wait > bound:
            over += 1
    return over / len(gaps)


def capacity_of(gaps, services, bound):
    low, high = 0.5 / statistics.fmean(services), 1 / statistics.fmean(services)
    while high / low > 1.0005:
        middle = (low + high) / 2
        if over_bound(middle, gaps, services, bound) > 0.01:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def capacity(distribution, service, bound):
    """Mean over several sequences, and its standard error."""
    found = []
    for seed in range(SEQUENCES):
        draw = random.Random(seed)
        gaps = [draw.expovariate(1) for _ in range(ARRIVALS)]
        services = ([service] * ARRIVALS if distribution == "fixed"
                    else [draw.expovariate(1 / service) for _ in range(ARRIVALS)])
        found.append(capacity_of(gaps, services, bound))
    return statistics.fmean(found), statistics.stdev(found) / math.sqrt(SEQUENCES)


def one_try(assay, distribution, service, number, args):
    options = f"latency_us={service * 1e6:g},distribution={distribution},wait=sleep,seed={number}"
    started = time.time()
    r = assay.record("Server", "null", [
        "--mode", "find-peak", "--engine-options", options, "--lanes", "1", "--batch", "1",
        "--peak-precision", f"{args.precision:g}", "--target-latency-ms", f"{args.bound_ms:g}",
        "--min-duration-ms", f"{args.duration_s * 1000:.0f}"])
    return {"distribution": distribution, "try": number, "peak": r["settings"]["target-qps"]["value"],
            "valid": r["verdict"]["valid"], "reasons": r["verdict"]["reasons"], "trials": r["trials"],
            "attempts": r.get("attempts") or [], "seconds": time.time() - started}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", type=pathlib.Path, help="a finished build folder: build/release")
    p.add_argument("--tries", type=int, default=10)
    p.add_argument("--duration-s", type=float, default=30, help="of the full run")
    p.add_argument("--precision", type=float, default=0.005, help="of the search")
    p.add_argument("--service-us", type=float, default=500, help="mean service time; a fixed one is twice as long")
    p.add_argument("--bound-ms", type=float, default=120, help="latency bound, at p99")
    p.add_argument("--only", choices=("fixed", "exponential"))
    p.add_argument("--json", metavar="FILE")
    args = p.parse_args()
    args.build = args.build.resolve()
    return args


def main():
    args = arguments()
    bound = args.bound_ms * 1e-3
    results, bad = [], 0
    with tempfile.TemporaryDirectory(prefix="assay-peak-") as work:
        assay = peers.Assay(args.build, pathlib.Path(work))
        for distribution in (args.only,) if args.only else ("fixed", "exponential"):
            # Twice as long, for a load that leaves a machine which stalls now and then a chance to catch up.
            service = args.service_us * (2e-6 if distribution == "fixed" else 1e-6)
            known, error = capacity(distribution, service, bound)
            formula = (f"; by formula {1 / service - math.log(100) / bound:.1f}" if distribution == "exponential"
                       else "")
            print(f"\n{distribution} service time of {service * 1e6:g} µs, p99 within {args.bound_ms:g} ms: capacity "
                  f"{known:.1f} ± {error:.1f} queries/s ({known * service:.1%} load{formula})\n"
                  f"{'try':>4}{'peak':>10}{'off by':>9}{'final run':>11}{'trials':>8}{'put aside':>11}{'seconds':>9}",
                  flush=True)
            for number in range(1, args.tries + 1):
                try:
                    r = one_try(assay, distribution, service, number, args)
                except peers.Failed as why:
                    print(f"{number:>4}  {why}", flush=True)
                    results.append({"distribution": distribution, "try": number, "good": False, "error": str(why)})
                    bad += 1
                    continue
                off = r["peak"] / known - 1
                good = abs(off) <= WITHIN and r["valid"]
                bad += not good
                results.append(dict(r, known=known, off=off, good=good))
                print(f"{number:>4}{r['peak']:>10.1f}{off:>+9.2%}{'VALID' if r['valid'] else 'INVALID':>11}"
                      f"{len(r['trials']):>8}{len(r['attempts']):>11}{r['seconds']:>9.0f}  {'ok' if good else 'bad'}", flush=True)
                if args.json:
                    pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{len(results) - bad} of {len(results)} tries are good")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
