#!/usr/bin/env python3
"""The verdict procedure once more, from its definitions; golden values for tests/statistics/. Needs numpy and scipy.

    python3 tools/golden/verdicts.py tests/golden/statistics/verdicts.json    writes the golden values, minutes
    python3 tools/golden/verdicts.py --check                                  the facts that docs/statistics.md states
    python3 tools/golden/verdicts.py --compare FILE [--bounds N]              a dump of the product: JSON lines of n, b, c, margin and any of
                                                                              holds_p, cracks_p, lower, upper; says the largest differences. Every
                                                                              bound is held between two margins of a grid, N are computed anew

n examples, b lost (regressions), c gained (fixes), margin and drop as shares. Nothing here is shared with src/statistics/, and nothing is fast by
assuming an order of the tables: regions are sets of tables, sorted by their statistic, not staircases.

Holds (`holds_p`): H0 drop >= margin. P(b) = q + margin, P(c) = q, q in [max(0, -margin), (1 - margin) / 2].
  T(x)   Tango's score at the margin; less is more extreme. T(x') <= T(x) up to TIE * max(1, |T(x)|) is a tie.
  pE(x)  P(T(X) <= T(x)) at the q that maximises the likelihood of x on the boundary drop = margin, whatever the drop of x.
  p(x)   sup over q of P(pE(X) <= pE(x)); pE(x') <= pE(x) * (1 + TIE) is a tie (Lloyd 2008, E+M).
Bounds: upper = the largest margin that holds_p does not reject at alpha; lower(b, c) = -upper(c, b).
Cracks (`cracks_p`): H0 drop <= 0. Z = (b - c) / sqrt(b + c), Z(0, 0) = 0, compared as exact fractions; P(b) = P(c) = psi / 2;
  p = sup over psi in (0, 1] of P(Z(X) >= Z(x)) (Suissa and Shuster 1991).
"""
import argparse
import collections
import fractions
import json
import math
import random
import sys

import numpy as np
import scipy
from scipy import optimize, special, stats

TIE = 1e-9
ALPHA = 0.05
CHUNK = 1 << 22  # numbers in one temporary


def tables(n):
    """All (b, c), b slowest: the order of every list of p-values here."""
    b = np.repeat(np.arange(n + 1), np.arange(n + 1, 0, -1))
    return b, np.concatenate([np.arange(n - k + 1) for k in range(n + 1)])


def place(n, b, c):
    return b * (n + 1) - b * (b - 1) // 2 + c


def log_rate(p):
    """Logarithm with a finite stand-in for log 0, so that 0 * log 0 = 0."""
    return np.where(p > 0, np.log(np.where(p > 0, p, 1.0)), -1e300)


class Trinomial:
    """Probabilities of the given tables, in their order, at many rates at once."""

    def __init__(self, n, b, c):
        self.counts = np.stack([b, c, n - b - c]).astype(float)
        self.log_ways = special.gammaln(n + 1) - special.gammaln(self.counts + 1).sum(0)

    def pmf(self, p_b, p_c, columns=None):
        rest = np.maximum(0.0, 1.0 - p_b - p_c)
        logs = np.stack([log_rate(p_b), log_rate(p_c), log_rate(rest)], 1)
        return np.exp(logs @ self.counts[:, :columns] + self.log_ways[:columns])


def boundary(margin):
    """x in [0, 1] to (P(b), P(c)) with drop = margin."""
    low, high = max(0.0, -margin), (1 - margin) / 2
    return lambda x: (low + x * (high - low) + margin, low + x * (high - low))


def restricted_fix_rate(n, b, c, margin):
    """Most likely P(c) when P(b) - P(c) = margin: root of 2n q^2 - B q - c margin (1 - margin) = 0."""
    if margin < 0:  # the mirror keeps every term of the constant non-negative
        return restricted_fix_rate(n, c, b, -margin) - margin
    linear = (b + c) + (b - c) * margin - 2 * n * margin
    constant = c * margin * (1 - margin)
    root = np.sqrt(linear * linear + 8 * n * constant)
    with np.errstate(invalid="ignore", divide="ignore"):
        small = np.where(root - linear > 0, 2 * constant / (root - linear), 0.0)
    return np.where(linear > 0, (linear + root) / (4 * n), small)


def tango(n, b, c, margin):
    q = restricted_fix_rate(n, b, c, margin)
    variance = n * np.maximum(0.0, 2 * q + margin - margin * margin)
    difference = b - c - n * margin
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, difference / np.sqrt(variance), np.where(difference == 0, 0.0, np.copysign(np.inf, difference)))


def largest_tails(law, cuts, rates, n, refine=True):
    """For each k in cuts: the largest probability of the first k tables over the nuisance. With x = (1 - cos t) / 2 a probability is a
    cosine polynomial of degree n in t, so a grid of 12 n points misses no hill; the tops are then found by parabolas."""
    cuts, back = np.unique(np.asarray(cuts), return_inverse=True)
    size = max(64, 12 * n)
    t = np.linspace(0, math.pi, size + 1)
    at = lambda t: rates((1 - np.cos(t)) / 2)
    values = np.empty((size + 1, len(cuts)))
    width = int(cuts.max())
    step = max(1, CHUNK // width)
    for i in range(0, size + 1, step):
        values[i:i + step] = np.cumsum(law.pmf(*at(t[i:i + step]), width), 1)[:, cuts - 1]
    best = values.max(0)
    if refine:
        padded = np.vstack([values[1], values, values[-2]])  # even around both ends
        hill = (values >= padded[:-2]) & (values >= padded[2:]) & (values >= best - 0.02) & (values >= best / 2)
        row, column = np.nonzero(hill & (best < 1 - 1e-13))
        middle, h = t[row], math.pi / size
        order = np.argsort(column, kind="stable")
        column, middle = column[order], middle[order]
        for _ in range(5):
            heights = []
            for shift in (-h, 0.0, h):
                height = np.empty(len(column))
                i = 0
                while i < len(column):  # neighbours have similar cuts: only so many columns are needed
                    j = min(len(column), i + max(1, CHUNK // int(cuts[column[min(len(column) - 1, i + 200)]])), i + 200)
                    k = cuts[column[i:j]]
                    mass = law.pmf(*at(middle[i:j] + shift), int(k.max()))
                    height[i:j] = np.where(np.arange(mass.shape[1]) < k[:, None], mass, 0.0).sum(1)
                    i = j
                heights.append(height)
                np.maximum.at(best, column, height)
            left, top, right = heights
            bend = left - 2 * top + right
            with np.errstate(invalid="ignore", divide="ignore"):
                move = np.where(bend < 0, h / 2 * (left - right) / bend, 0.0)
            middle = middle + np.clip(np.nan_to_num(move), -h, h)
            h /= 6
    return np.minimum(best, 1.0)[back]


def estimated_p(n, margin):
    """pE of every table."""
    b, c = tables(n)
    score = tango(n, b, c, margin)
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    with np.errstate(invalid="ignore"):
        slack = np.where(np.isfinite(ranked), TIE * np.maximum(1.0, np.abs(ranked)), 0.0)
    cuts = np.searchsorted(ranked, ranked + slack, side="right")
    law = Trinomial(n, b[order], c[order])
    q = restricted_fix_rate(n, b[order], c[order], margin)
    result = np.empty(len(b))
    i = 0
    while i < len(b):
        j = min(len(b), i + max(1, min(256, CHUNK // int(cuts[i]))))
        mass = law.pmf(q[i:j] + margin, q[i:j], int(cuts[i:j].max()))
        result[order[i:j]] = np.where(np.arange(mass.shape[1]) < cuts[i:j, None], mass, 0.0).sum(1)
        i = j
    return result


def holds_p(n, margin, which=None, refine=True):
    """E+M p-value of every table, or of the places in `which`."""
    b, c = tables(n)
    statistic = estimated_p(n, margin)
    order = np.argsort(statistic, kind="stable")
    wanted = statistic if which is None else statistic[np.asarray(which)]
    cuts = np.searchsorted(statistic[order], wanted * (1 + TIE), side="right")
    return largest_tails(Trinomial(n, b[order], c[order]), cuts, boundary(margin), n, refine)


def cracks_p(n, which=None):
    """Suissa-Shuster p-value of every table, or of the places in `which`."""
    b, c = tables(n)
    signed = lambda b, c: fractions.Fraction((b - c) * abs(b - c), max(1, b + c))
    keys = [signed(int(i), int(j)) for i, j in zip(b, c)]
    rank = {key: i for i, key in enumerate(sorted(set(keys), reverse=True))}
    ranks = np.array([rank[key] for key in keys])
    order = np.argsort(ranks, kind="stable")
    cuts = np.searchsorted(ranks[order], ranks if which is None else ranks[np.asarray(which)], side="right")
    return largest_tails(Trinomial(n, b[order], c[order]), cuts, lambda x: (x / 2, x / 2), n)


def scan_bounds(n, which, step, alpha=ALPHA):
    """For each place: the last cell [m, m + step] whose lower end is not rejected, and how often rejection turns back on the way down."""
    which = np.asarray(which)
    last, turns, before = np.full(len(which), np.nan), np.zeros(len(which), int), np.zeros(len(which), bool)
    for i in range(round(1 / step) - 1, -round(1 / step), -1):
        kept = holds_p(n, i * step, which, refine=False) > alpha
        last = np.where(np.isnan(last) & kept, i * step, last)
        turns += before & ~kept
        before = kept
    return np.where(np.isnan(last), -1.0, last), turns


def upper_bound(n, b, c, low, high, alpha=ALPHA):
    """The crossing in [low, high], by bisection to 1e-11; rejected at `high`, not at `low`."""
    if b == n:
        return 1.0
    one = lambda m: holds_p(n, m, [place(n, b, c)])[0]
    while high - low > 1e-11:
        middle = (low + high) / 2
        low, high = (middle, high) if one(middle) > alpha else (low, middle)
    return (low + high) / 2


def bounds(n, pairs, step=0.002, alpha=ALPHA):
    """(lower, upper, turns of upper) of each (b, c)."""
    cells = {}
    wanted = sorted({pair for b, c in pairs for pair in ((b, c), (c, b))})
    places = [place(n, b, c) for b, c in wanted]
    last, turns = scan_bounds(n, places, step, alpha)
    for (b, c), m, turn in zip(wanted, last, turns):
        high = min(m + step, 1 - 1e-9)
        if b < n and holds_p(n, high, [place(n, b, c)])[0] > alpha:  # the coarse scan may miss the top by a hair
            m, high = high, min(high + step, 1 - 1e-9)
        cells[b, c] = upper_bound(n, b, c, m, high, alpha), int(turn)
    return [(-cells[c, b][0], *cells[b, c]) for b, c in pairs]


def clopper_pearson_upper(k, n, alpha=ALPHA):
    return 1.0 if k >= n else float(special.betaincinv(k + 1, n - k, 1 - alpha))


def mid_p(b, c):
    flips = b + c
    return float(stats.binom.sf(b, flips, 0.5) + stats.binom.pmf(b, flips, 0.5) / 2)


def least_mid_p(flips):
    return 0.5**flips / 2


def tarone_holm_rejects(slices, alpha=ALPHA):
    """Hommel and Krummenauer 1998: Tarone's K for the slices not yet rejected, reject at alpha / K, again until nothing is new."""
    open_slices, rejected = set(range(len(slices))), set()
    while open_slices:
        least = [least_mid_p(sum(slices[i])) for i in open_slices]
        k = next(k for k in range(1, len(least) + 1) if sum(a <= alpha / k for a in least) <= k)
        new = {i for i in open_slices if mid_p(*slices[i]) <= alpha / k}
        if not new:
            break
        open_slices -= new
        rejected |= new
    return [i in rejected for i in range(len(slices))]


def tarone_holm_adjusted(slices):
    """Smallest level at which the step-down rejects: with p ascending, the running maximum of p_i * #{open slices with least p <= p_i}."""
    p = [mid_p(b, c) for b, c in slices]
    least = [least_mid_p(b + c) for b, c in slices]
    order, adjusted, running = sorted(range(len(p)), key=lambda i: p[i]), [0.0] * len(p), 0.0
    for position, i in enumerate(order):
        running = max(running, min(1.0, p[i] * sum(least[j] <= p[i] for j in order[position:])))
        adjusted[i] = running
    return adjusted


def sign_flip_p(differences):
    """P(sum of +-d >= sum of d), signs fair: whole numbers (lost minus gained passes; sums over a cluster), exact. The observed table counts in
    full: half of it, as a mid-p would, loses the guarantee P(p <= alpha) <= alpha."""
    law = collections.Counter({0: 1})
    for d in (abs(d) for d in differences if d):
        spread = collections.Counter()
        for total, ways in law.items():
            spread[total + d] += ways
            spread[total - d] += ways
        law = spread
    observed = sum(differences)
    return float(fractions.Fraction(sum(ways for total, ways in law.items() if total >= observed), sum(law.values())))


def gaffke_upper(values, alpha=ALPHA, low=-1.0, high=1.0):
    """Gaffke 2005: the 1 - alpha quantile of sum D_i z_i over the sample and `high`, D uniform on the simplex (Dirichlet of ones)."""
    points = collections.Counter(float(v) for v in values)
    points[float(high)] += 1
    z, ways = np.array(sorted(points)), np.array([points[v] for v in sorted(points)], float)
    if len(z) == 1:
        return float(high)
    return float(optimize.brentq(lambda x: dirichlet_mean_above(z, ways, x) - alpha, z[0] + 1e-12, z[-1] - 1e-12, xtol=1e-13, rtol=1e-14))


def dirichlet_mean_above(z, ways, x):
    """P(sum D_j z_j > x), D ~ Dirichlet(ways): the sign of sum G_j (z_j - x) of gammas, by inverting the moment generating function
    along the vertical line through its saddle point: smooth, and nothing cancels."""
    w = (z - x) / (z[-1] - z[0])
    log_m = lambda s: -(ways * np.log1p(-s * w)).sum()
    slope = lambda s: (ways * w / (1 - s * w)).sum() - 1 / s  # of log_m(s) - log(s), convex on the strip
    mean_above = (ways * w).sum() > 0
    if mean_above:  # P(Y <= 0) = P(-Y >= 0)
        return 1 - dirichlet_mean_above(-z[::-1], ways[::-1], -x)
    end = 1 / w.max()
    s = optimize.brentq(slope, end * 1e-12, end * (1 - 1e-12), xtol=1e-15, rtol=1e-14)
    width = 1 / math.sqrt((ways * (w / (1 - s * w))**2).sum() + 1 / s**2)

    # y = width * sinh(v): the tail falls like a power of y, so like an exponential of v; trapezoids then converge geometrically.
    step = 1 / 64
    v = np.arange(0, 40 * 64) * step
    y = width * np.sinh(v)
    u = s + 1j * y
    f = np.exp(-(np.log(1 - u[:, None] * w) @ ways) - np.log(u) - log_m(s) + math.log(s)).real * width * np.cosh(v)
    total = step * (f.sum() - f[0] / 2)
    return math.exp(log_m(s) - math.log(s)) * total / math.pi


def near_region(n, statistic_p, exact, level):
    """Which tables `exact` rejects: it is asked only where the approximate p leaves doubt."""
    b, c = tables(n)
    doubt = np.nonzero((statistic_p > level / 8) & (statistic_p < min(0.5, level * 4)))[0]
    rejected = statistic_p <= level
    rejected[doubt] = exact(doubt) <= level
    region = np.zeros((n + 1, n + 1), bool)
    region[b, c] = rejected
    return region


def holds_region(n, margin, level):
    b, c = tables(n)
    return near_region(n, stats.norm.cdf(tango(n, b, c, margin)), lambda which: holds_p(n, margin, which), level)


def cracks_region(n, level):
    b, c = tables(n)
    rough = stats.binom.sf(b, b + c, 0.5) + stats.binom.pmf(b, b + c, 0.5) / 2
    return near_region(n, rough, lambda which: cracks_p(n, which), level)


def square(n, p_b, p_c):
    """Trinomial probabilities as an array over b and c."""
    b, c = tables(n)
    law = np.zeros((n + 1, n + 1))
    law[b, c] = Trinomial(n, b, c).pmf(np.array([p_b]), np.array([p_c]))[0]
    return law


def looks_chances(looks, regions, p_b, p_c):
    """(holds, cracks, neither, mean n) of stopping at the first look that says something; exact. Where both reject, both are counted."""
    law, at, holds, cracks, mean_n = np.ones((1, 1)), 0, 0.0, 0.0, 0.0
    for n, (hold, crack) in zip(looks, regions):
        added = square(n - at, p_b, p_c)
        size = law.shape[0] + added.shape[0] - 1
        law = np.fft.irfft2(np.fft.rfft2(law, (size, size)) * np.fft.rfft2(added, (size, size)), (size, size)).clip(0)
        mean_n += (n - at) * law.sum()
        holds += law[hold].sum()
        cracks += law[crack].sum()
        law = np.where(hold | crack, 0.0, law)
        at = n
    return float(holds), float(cracks), float(law.sum()), float(mean_n)


def short(p):
    """Ten decimals, or seven digits of what is smaller than a thousandth."""
    return round(float(p), 10) if p >= 1e-3 else float("%.7g" % p)


HOLDS = {1: [.02, .05, .1, .2], 2: [.02, .05, .1, .2], 5: [.02, .05, .1, .2], 10: [.02, .05, .1, .2], 11: [.1, .2], 20: [.02, .05, .1, .2],
         25: [.05, .1, .2], 28: [.1], 29: [.1], 30: [.02, .05, .1, .2], 50: [.02, .05, .1, .2], 52: [.05], 58: [.05], 59: [.05], 60: [.05, .1]}
CRACKS = [1, 2, 5, 10, 11, 20, 25, 30, 50, 60]
LARGE = [(100, .05, [(0, 0), (1, 0), (2, 0), (3, 0), (1, 1), (3, 4), (5, 9), (19, 25)]), (100, .1, [(3, 0), (4, 0), (5, 0), (5, 1), (8, 5), (12, 10)]),
         (99, .1, [(3, 0)]), (200, .05, [(3, 0), (4, 0), (5, 1), (8, 5)]), (200, .1, [(10, 0), (13, 0), (14, 3), (34, 27)]),
         (450, .02, [(3, 0), (4, 0), (5, 2)]), (450, .05, [(9, 0), (12, 0), (14, 2)]), (500, .05, [(12, 0), (15, 0), (20, 8)])]
BOUNDS = {1: [(0, 0), (1, 0), (0, 1)], 2: [(0, 0), (1, 0), (1, 1), (0, 2)], 5: [(0, 0), (1, 0), (2, 1), (0, 3), (5, 0)],
          10: [(0, 0), (1, 0), (2, 0), (1, 1), (5, 0), (0, 4), (3, 4), (10, 0), (9, 1)], 20: [(0, 0), (1, 0), (1, 3), (4, 2), (10, 10), (20, 0)],
          25: [(0, 0), (1, 0), (2, 2)], 29: [(0, 0)], 30: [(0, 0), (1, 0), (2, 0), (1, 2), (3, 3), (4, 20)],
          50: [(0, 0), (1, 0), (0, 1), (2, 0), (3, 0), (3, 1), (4, 0), (6, 1), (8, 3), (3, 3), (0, 5), (24, 0), (10, 13)],
          60: [(0, 0), (1, 0), (3, 0), (3, 5), (6, 2)]}
SLICES = [[(5, 0), (0, 0), (1, 1), (3, 0)], [(4, 0), (0, 0), (0, 0), (0, 0), (0, 0)], [(4, 0), (1, 0), (0, 2), (1, 1), (3, 1)],
          [(5, 0), (5, 0), (1, 0), (0, 1), (2, 2)], [(5, 0), (4, 0), (0, 0), (1, 0), (0, 1)], [(6, 1), (5, 1), (4, 4), (8, 2), (0, 3)],
          [(3, 0)], [(4, 0)], [(0, 0), (0, 0)], [(9, 0), (6, 0), (5, 0), (4, 0), (3, 0)], [(4, 0), (4, 0)], [(7, 3), (0, 10), (10, 0)],
          [(5, 0), (2, 2), (2, 2), (1, 3)], [(4, 0), (5, 6), (6, 5), (5, 5)]]
SIGN_FLIPS = [[1, 1, 1, -1], [1, 1, 1, 1, 1], [0, 0, 0], [], [-2, -1], [3, 1, -2, 0, 1], [8, 8, 7, -1, 2, 1, 1, 0, 0, -3],
              [5, 5, 5, 0, 0, -5, 0, 0, 0, 0], [5, 4, 3, -1, 0, 0, -2, 1, 1, 0], [1, 2, 4, 8, 16, 32, -1], [1] * 30 + [-1] * 20 + [0] * 50,
              [3, -2, 1, 0, 2, -1, 1, 1, 0, 4, -3, 2, 2, 1, -1, 0, 0, 1, 5, -2] * 5]


def gaffke_samples():
    """Differences of mean passes over `samples` each, as whole numbers."""
    rng = np.random.default_rng(13)
    yield 1, [0] * 10
    yield 1, [0]
    yield 1, [1, 0]
    yield 1, [1] * 4
    yield 1, [-1] * 5
    yield 1, [1] * 3 + [0] * 47
    yield 1, [1, 1, 0, -1] + [0] * 46
    for n, samples in ((10, 4), (20, 8), (50, 8), (100, 8), (200, 8)):
        yield samples, [int(x) for x in rng.binomial(samples, 0.85, n) - rng.binomial(samples, 0.83, n)]
        yield samples, [int(x) for x in np.where(rng.random(n) < 0.05, samples, rng.integers(-1, 2, n))]


def golden():
    """Record after record: one a line of the file."""
    for n, margins in HOLDS.items():
        for margin in margins:
            yield {"kind": "holds", "n": n, "margin": margin, "p": [short(p) for p in holds_p(n, margin)]}
    for n, margin, pairs in LARGE:
        for (b, c), p in zip(pairs, holds_p(n, margin, [place(n, b, c) for b, c in pairs])):
            yield {"kind": "holds_one", "n": n, "margin": margin, "b": b, "c": c, "p": short(p)}
    for n in CRACKS:
        yield {"kind": "cracks", "n": n, "p": [short(p) for p in cracks_p(n)]}
    for n, pairs in ((100, [(3, 0), (4, 0), (6, 1), (10, 4), (20, 10)]), (200, [(3, 0), (4, 0), (8, 2), (25, 13)]), (500, [(3, 0), (12, 4), (40, 25)])):
        for (b, c), p in zip(pairs, cracks_p(n, [place(n, b, c) for b, c in pairs])):
            yield {"kind": "cracks_one", "n": n, "b": b, "c": c, "p": short(p)}
    for n, pairs in BOUNDS.items():
        for (b, c), (lower, upper, turns) in zip(pairs, bounds(n, pairs, 0.001)):
            yield {"kind": "bounds", "n": n, "b": b, "c": c, "lower": round(lower, 10), "upper": round(upper, 10), "turns": turns}
    for slices in SLICES:
        yield {"kind": "slices", "flips": slices, "mid_p": [short(mid_p(b, c)) for b, c in slices], "adjusted": [short(p) for p in tarone_holm_adjusted(slices)],
               "step_down_at_0.05": tarone_holm_rejects(slices)}
    for differences in SIGN_FLIPS:
        yield {"kind": "sign_flip", "differences": differences, "p": short(sign_flip_p(differences))}
    for samples, differences in gaffke_samples():
        values = [d / samples for d in differences]
        yield {"kind": "gaffke", "samples": samples, "differences": differences, "upper": round(gaffke_upper(values), 10),
               "lower": round(-gaffke_upper([-v for v in values]), 10)}
    for n, d in ((400, 0), (400, 2), (400, 8), (400, 12), (400, 13), (450, 8), (450, 9), (1000, 37), (10, 10), (1, 0)):
        yield {"kind": "unlabelled", "prompts": n, "differ": d, "upper": round(clopper_pearson_upper(d, n), 12)}
    looks, level, margin = [50, 100, 200], 0.022, 0.1
    regions = [(holds_region(n, margin, level), cracks_region(n, level)) for n in looks]
    for n, (hold, crack) in zip(looks, regions):
        yield {"kind": "look", "n": n, "margin": margin, "level": level,
               "holds_up_to_b": [int(hold[:n - c + 1, c].sum()) - 1 for c in range(n + 1) if hold[0, c]][:n // 2],
               "cracks_from_b": [int(np.argmax(crack[:, c])) for c in range(n + 1) if crack[:, c].any()][:n // 2]}
    for p_b, p_c in ((0, 0), (.02, .02), (.05, .05), (.1, .1), (.1, 0), (.12, .02), (.15, .05), (.2, .1), (.05, 0), (.07, .02)):
        chances = looks_chances(looks, regions, p_b, p_c)
        yield dict(zip(("kind", "lost", "gained", "holds", "cracks", "neither", "mean_n"), ("looks_chances", p_b, p_c, *(round(x, 9) for x in chances))))


def write(path):
    head = {"provenance": f"tools/golden/verdicts.py with numpy {np.__version__}, scipy {scipy.__version__}",
            "order": "p of holds and cracks: every (b, c) with b + c <= n, b slowest; bounds are one-sided 95%, turns counts returns to rejection"}
    lines = [json.dumps(record, separators=(",", ":")) for record in golden()]
    with open(path, "w") as file:
        file.write(json.dumps(head)[:-1] + ',\n"records": [\n' + ",\n".join(lines) + "\n]}\n")


def check():
    """The facts that the documentation states."""
    facts = []
    say = lambda text, ok: facts.append(ok) or print("ok  " if ok else "FAIL", text)
    lone = lambda n, m, b, c: holds_p(n, m, [place(n, b, c)])[0]
    for n, margin in ((29, .1), (59, .05)):
        before, now = lone(n - 1, margin, 0, 0), lone(n, margin, 0, 0)
        say(f"{n} examples, none lost, show a margin of {margin}: p {now:.6f}; with {n - 1} {before:.6f}", now <= ALPHA < before)
    for n, margin, rate in ((25, .1, .072), (52, .05, .069), (11, .2, .086)):
        p = lone(n, margin, 0, 0)
        say(f"({n}, 0, 0) at {margin} cannot hold: p {p:.6f}", abs(p - rate) < 6e-4)
    for n, bound in ((10, .259), (1, .95), (30, .095)):
        (lower, upper, turns), = bounds(n, [(0, 0)])
        say(f"{n} examples, none lost: at most {upper:.8f}, at least {lower:.8f}", abs(upper - bound) < 6e-4)
    p = cracks_p(50)
    say(f"50 examples, 3 lost: cracks, p {p[place(50, 3, 0)]:.6f}", round(p[place(50, 3, 0)], 4) == .0495)
    exact, approximate = ([(b, c) for b in range(51) for c in range(51 - b) if value(b, c) <= ALPHA] for value in (lambda b, c: p[place(50, b, c)], mid_p))
    added, taken = sorted(set(exact) - set(approximate)), sorted(set(approximate) - set(exact))
    say(f"50 examples: beside the mid-p the exact test adds {added} and takes {taken}", added == [(3, 0)] and all(b + c >= 29 for b, c in taken))
    with_gain, without = lone(50, .05, 0, 1), lone(50, .05, 0, 0)
    say(f"50 examples hold at 0.05 only with a gain: p of (0, 1) {with_gain:.6f}, of (0, 0) {without:.6f}", with_gain <= ALPHA < without)
    for n, differ, rate in ((400, 12, .938), (450, 14, .960)):
        bound, next_bound = clopper_pearson_upper(differ, n), clopper_pearson_upper(differ + 1, n)
        chance = stats.binom.cdf(differ, n, .02)
        say(f"{n} prompts hold at 0.05 without a label when {differ} differ ({bound:.6f}), not {differ + 1} ({next_bound:.6f}); chance at 2% {chance:.4f}",
            bound <= .05 < next_bound and abs(chance - rate) < 1e-3)
    return 0 if all(facts) else 1


def last_kept(n, b, c, bound, cell, reach, step=0.0005, alpha=ALPHA):
    """The largest margin that is not rejected, at most `reach` beyond `bound` and `cell`, found on a fine grid that has a point just below
    `bound`, and then closed in."""
    one = lambda m: holds_p(n, m, [place(n, b, c)])[0]
    for k in range(round((max(bound, cell) + reach - bound) / step), -round((reach + abs(bound - cell)) / step) - 1, -1):
        m = bound + k * step - 2e-5
        if -1 < m < 1 and one(m) > alpha:
            return upper_bound(n, b, c, m, min(m + step, 1 - 1e-9), alpha)
    return math.nan


def bracket_bounds(ends, note, counted, step=0.0025, slack=1e-4):
    """Every bound lies in the cell of a grid of margins where the p-values of all tables of n, computed at once, cross the level last. Around
    those that do not, the test takes back what it rejected within less than a cell: they are computed."""
    for n in sorted({key[0] for key in ends}):
        last, _ = scan_bounds(n, np.arange(len(tables(n)[0])), step)
        for (b, c), row in sorted((key[1:], row) for key, row in ends.items() if key[0] == n):
            for end, sign, x, y in (("upper", 1, b, c), ("lower", -1, c, b)):
                bound, cell = sign * row[end], last[place(n, x, y)]
                if cell - slack <= bound <= cell + step + slack:
                    counted["bounds in their cell"] += 1
                    continue
                expected = sign * last_kept(n, x, y, bound, cell, 0.3 / n)
                note(end, abs(row[end] - expected), row, expected)
                counted["bounds outside their cell, computed"] += 1


def compare(path, sample):
    rows = [json.loads(line) for line in open(path) if line.strip()]
    worst = {}

    def note(field, difference, row, expected):
        if not difference <= worst.get(field, (-1.0,))[0]:  # a NaN is noted too
            worst[field] = difference, row, expected

    counted = collections.Counter()
    groups = collections.defaultdict(list)
    for row in rows:
        for field in ("holds_p", "cracks_p"):
            if row.get(field) is not None:
                groups[field, row["n"], row["margin"] if field == "holds_p" else None].append(row)
    for (field, n, margin), group in sorted(groups.items(), key=str):
        which = [place(n, row["b"], row["c"]) for row in group]
        for row, expected in zip(group, holds_p(n, margin, which) if field == "holds_p" else cracks_p(n, which)):
            note(field, abs(row[field] - expected), row, float(expected))
            counted[field] += 1
            counted[field + " on the other side of 0.05"] += int((row[field] <= ALPHA) != (expected <= ALPHA))
    ends = {(row["n"], row["b"], row["c"]): row for row in rows if row.get("lower") is not None and row.get("upper") is not None}
    bracket_bounds(ends, note, counted)
    chosen = random.Random(13).sample(sorted(ends), min(sample, len(ends)))
    for n in sorted({key[0] for key in chosen}):
        pairs = [key[1:] for key in chosen if key[0] == n]
        for (b, c), (lower, upper, _) in zip(pairs, bounds(n, pairs)):
            row = ends[n, b, c]
            note("lower", abs(row["lower"] - lower), row, float(lower))
            note("upper", abs(row["upper"] - upper), row, float(upper))
            counted["bounds"] += 1
    print("compared:", dict(counted))
    for field, (difference, row, expected) in worst.items():
        print(f"{field}: largest difference {difference:.3g} at {json.dumps(row)}, expected {expected!r}")
    limits = {"holds_p": 1e-7, "cracks_p": 1e-7, "lower": 1e-4, "upper": 1e-4}
    return 0 if rows and all(difference <= limits[field] for field, (difference, *_) in worst.items()) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", help="golden file to write")
    parser.add_argument("--check", action="store_true", help="check the documented facts")
    parser.add_argument("--compare", metavar="FILE", help="JSON lines written by the product")
    parser.add_argument("--bounds", type=int, default=40, metavar="N", help="how many rows' bounds to compare, drawn with a fixed seed")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    if arguments.compare:
        return compare(arguments.compare, arguments.bounds)
    if not arguments.output:
        parser.error("name a file to write, or --check, or --compare FILE")
    write(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
