"""Intervals of drift in worlds whose truth is known.

    python tests/worlds/drift_worlds.py [worlds per cell]

Prints, per statistic, the mean and the lowest share of worlds whose interval holds the truth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import expit

from trustcheck.stats import distances, mmd, unlabelled
from trustcheck.stats.label_shift import black_box_shift

SIZES = ((100, 100), (300, 2000), (2000, 2000))
Cell = tuple[str, Callable[[], "list[tuple[tuple[float, ...], float]]"]]


def smirnov(rng: np.random.Generator) -> Iterator[Cell]:
    """Uniform numbers of which a share moved up by a half."""
    for n, m in SIZES:
        for d in (0.0, 0.05, 0.2):

            def one(n=n, m=m, d=d):
                x = rng.random(m)
                now = np.where((x < 0.5) & (rng.random(m) < 2 * d), x + 0.5, x)
                both = distances.steps(rng.random(n), now)
                return [(distances.kolmogorov_smirnov(both), d)]

            yield "Kolmogorov-Smirnov", one


def shares(rng: np.random.Generator) -> Iterator[Cell]:
    """Levels whose shares tilt."""
    for k in (2, 5, 10):
        for n, m in SIZES:
            for tilt in (0.0, 0.3, 0.8):
                p = np.full(k, 1 / k)
                q = p * np.exp(tilt * np.linspace(-1, 1, k))
                q /= q.sum()
                index = float(((q - p) * np.log(q / p)).sum())
                far = float(np.abs(p - q).sum() / 2)
                for name, measure, truth in (
                    ("total variation", distances.total_variation, far),
                    ("stability index", distances.psi_interval, index),
                ):

                    def one(n=n, m=m, p=p, q=q, measure=measure, truth=truth):
                        return [(measure(rng.multinomial(n, p), rng.multinomial(m, q)), truth)]

                    yield name, one


def areas(rng: np.random.Generator) -> Iterator[Cell]:
    """Normal and skewed numbers that move or spread."""
    kinds = (
        (rng.normal, lambda k: rng.normal(size=k), 0.0),
        (rng.normal, lambda k: rng.normal(0.3, 1, k), 0.3),
        (rng.normal, lambda k: rng.normal(0, 1.5, k), 0.5 * (2 / np.pi) ** 0.5),
        (rng.exponential, lambda k: rng.exponential(1.3, k), 0.3),
    )
    for n, m in SIZES:
        for before, now, truth in kinds:

            def one(n=n, m=m, before=before, now=now, truth=truth):
                both = distances.steps(before(size=n), now(m))
                return [(distances.wasserstein_interval(both), truth)]

            yield "Wasserstein", one


def discrepancies(rng: np.random.Generator) -> Iterator[Cell]:
    """Normal rows, one number of which moves; the kernel's mean is known."""
    for d in (1, 5):
        for rows in (400, 2000):
            for shift in (0.0, 0.5):
                alike = (2.25 / 4.25) ** (d / 2)
                truth = 2 * alike * (1 - np.exp(-(shift**2) / 8.5))

                def one(d=d, rows=rows, shift=shift, truth=truth):
                    x, y = rng.normal(size=(2, rows, d))
                    y[:, 0] += shift
                    return [(mmd.block_mmd(x, y, 1.5, 40), truth)]

                yield "maximum mean discrepancy", one


def label_shifts(rng: np.random.Generator) -> Iterator[Cell]:
    """A model right three times in four; the shares of classes change."""
    for share in ([0.5, 0.5], [0.8, 0.2], [0.25, 0.25, 0.5]):
        for n, m in ((300, 300), (2000, 500)):
            k = len(share)
            given = np.full((k, k), 0.25 / (k - 1)) + np.eye(k) * (0.75 - 0.25 / (k - 1))
            truth = float(np.abs(np.array(share) - 1 / k).sum() / 2)

            def one(n=n, m=m, k=k, given=given, share=share, truth=truth):
                confusion = rng.multinomial(n, (given / k).ravel()).reshape(k, k)
                return [
                    (black_box_shift(confusion, rng.multinomial(m, given @ share)).distance, truth)
                ]

            yield "label shift", one


def performance(rng: np.random.Generator) -> Iterator[Cell]:
    """Rows move, scores are off by a slope, labels keep their chances."""
    for shift in (0.0, 0.8, -1.5):
        for slope in (0.6, 1.0, 1.8):
            x = rng.normal(shift, 1.5, 1_000_000)
            chance, said = expit(x), slope * x > 0.3 * (slope != 1)
            order = np.argsort(x)
            pos, neg = chance[order], 1 - chance[order]
            truth = (
                float(np.where(said, 1 - chance, chance).mean()),
                float(pos @ (np.cumsum(neg) - neg / 2) / (pos.sum() * neg.sum())),
                float(chance[said].mean()),
                float(chance[said].sum() / chance.sum()),
            )
            for n, m in ((300, 300), (2000, 2000)):

                def one(n=n, m=m, shift=shift, slope=slope, truth=truth):
                    before, now = rng.normal(0, 1.5, n), rng.normal(shift, 1.5, m)
                    raw = [expit(slope * x - 0.3 * (slope != 1)) for x in (before, now)]
                    labels = rng.random(n) < expit(before)
                    straight = unlabelled.straightened(raw[0], labels, raw[1])
                    known = unlabelled.bands(straight[0], labels)
                    got = unlabelled.expected_performance(
                        known, straight[1], raw[1] > 0.5, rng.permutation(m) % 20
                    )
                    return list(zip(got, truth, strict=True))

                yield "performance without labels", one


def main() -> None:
    """Print a line per statistic."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng = np.random.default_rng(0)
    held: dict[str, list[float]] = {}
    for cells in (smirnov, shares, areas, discrepancies, label_shifts, performance):
        for name, one in cells(rng):
            inside = [
                [low - 1e-12 <= truth <= high + 1e-12 for (_, low, high), truth in one()]
                for _ in range(worlds)
            ]
            held.setdefault(name, []).extend(np.mean(inside, axis=0).tolist())
    for name, cover in held.items():
        line = f"{len(cover):4d} cells  mean {np.mean(cover):.1%}  lowest {min(cover):.1%}"
        sys.stdout.write(f"{name:<28}{line}\n")


if __name__ == "__main__":
    main()
