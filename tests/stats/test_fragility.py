import itertools

import numpy as np
import pytest

import trustcheck as tc
from trustcheck import fairness
from trustcheck import report as room
from trustcheck.stats import fragility, gaps
from trustcheck.stats.intervals import mid_p, mover_difference


def apart(x1, n1, x2, n2, z=None):
    """The interval of one difference."""
    return mover_difference(mid_p(x1, n1, z=z), mid_p(x2, n2, z=z))


def verdict(hits, size, limit, level):
    found = gaps.largest_gap(hits, size, level=level)
    return "pass" if found.high <= limit else "fail" if found.low > limit else "inconclusive"


def states(hits, misses, turn):
    """Cheapest way to every state that one group can be brought to."""
    found = {}
    for a, b in itertools.product(range(hits + 1), range(misses + 1)):
        state = (hits - a + b, hits + misses) if turn else (hits - a, hits + misses - a - b)
        if state[1] > 0:
            found[state] = min(a + b, found.get(state, a + b))
    return list(found.items())


def fewest(hits, size, limit, level, turn):
    """Brute force over every state of all groups (and events): a count, or None."""
    shape = np.shape(hits)
    cells = zip(np.ravel(hits).tolist(), np.ravel(size).tolist(), strict=True)
    now = verdict(hits, size, limit, level)
    ends = [states(x, n - x, turn) for x, n in cells]
    combined = sorted(
        (sum(c for _, c in each), [s for s, _ in each]) for each in itertools.product(*ends)
    )
    for cost, state in combined:
        left = np.reshape([s[0] for s in state], shape), np.reshape([s[1] for s in state], shape)
        if verdict(*left, limit, level) != now:
            return cost
    return None


def tables(rng, groups, most, columns=()):
    while True:
        size = rng.integers(1, most + 1, (groups, *columns))
        hits = rng.integers(0, size + 1)
        level, limit = (
            rng.choice([0.3, 0.5, 0.7]),
            rng.choice([0.05, 0.1, 0.2, 0.3, 0.6, 0.8, 0.95]),
        )
        found = fragility.largest_gap(hits, size, limit, level=level)
        if found is not None:
            yield hits, size, float(limit), float(level), found


def changes(found):
    return (False, found.removal), (True, found.relabelling)


@pytest.mark.parametrize(("groups", "most", "cases"), [(2, 7, 250), (3, 4, 120)])
def test_no_fewer_rows_end_a_verdict_than_brute_force_finds(groups, most, cases):
    seen = {"pass": 0, "fail": 0}
    inexact = 0
    rng = np.random.default_rng(groups)
    for hits, size, limit, level, found in itertools.islice(tables(rng, groups, most), cases):
        seen[found.verdict] += 1
        for turn, change in changes(found):
            wanted = fewest(hits, size, limit, level, turn)
            if change is None:
                assert wanted is None
            elif change.exact:
                assert change.rows == wanted
            else:
                inexact += 1
                assert found.verdict == "fail"
                assert change.rows <= wanted
    assert min(seen.values()) > 30
    assert inexact < cases / 20


def test_a_pass_over_several_events_is_exact_and_a_fail_is_bounded():
    rng = np.random.default_rng(8)
    seen = set()
    for hits, size, limit, level, found in itertools.islice(tables(rng, 2, 3, (2,)), 80):
        for turn, change in changes(found):
            wanted = fewest(hits, size, limit, level, turn)
            seen.add(found.verdict)
            assert (change is None) <= (wanted is None)
            if found.verdict == "pass":
                assert (change and change.rows) == wanted
            elif change is not None:
                assert not change.exact
                assert wanted is None or change.rows <= wanted
    assert seen == {"pass", "fail"}


def test_rows_of_the_other_outcome_never_help_more():
    n, others = 12, np.arange(13)
    for x, gone in itertools.product(range(n + 1), range(1, n)):
        most = min(gone, n - x if x else n - 1)
        best = apart(x, n - most, others, n).high
        for hits in range(max(0, gone - (n - x)), min(gone, x) + 1):
            assert (apart(x - hits, n - gone, others, n).high <= best + 1e-12).all()
            below = apart(others, n, n - x - gone + hits, n - gone).high
            assert (below <= apart(others, n, n - most - x, n - most).high + 1e-12).all()


@pytest.mark.parametrize(
    ("hits", "limit"), [([480, 510, 460], 0.11), ([300, 310, 520], 0.05), ([300, 530, 520], 0.05)]
)
def test_the_rows_named_end_the_verdict_and_one_row_fewer_in_the_same_groups_does_not(hits, limit):
    size = [1000, 1000, 900]
    found = fragility.largest_gap(hits, size, limit)
    for turn, change in changes(found):
        assert change.exact
        assert sum(change.hits) + sum(change.misses) == change.rows
        for spared in (0, 1):
            gone = np.array([change.hits, change.misses])
            gone.flat[gone.argmax()] -= spared
            left = np.array(hits) - gone[0] + turn * gone[1]
            after = verdict(left, size if turn else size - gone.sum(axis=0), limit, 0.95)
            assert after == (found.verdict if spared else change.becomes)
        assert change.becomes == "inconclusive"


@pytest.mark.parametrize("turn", [False, True])
def test_no_split_of_fewer_rows_over_three_groups_ends_a_fail(turn):
    hits, size, limit = np.array([560, 440, 450]), np.array([1000, 1000, 900]), 0.05
    found = fragility.largest_gap(hits, size, limit)
    change = dict(changes(found))[turn]
    assert found.verdict == "fail"
    assert change.exact
    z = gaps.simultaneous_z(3)
    for total in (change.rows - 1, change.rows):
        first, second = np.meshgrid(np.arange(total + 1), np.arange(total + 1))
        first, second = first[first + second <= total], second[first + second <= total]
        high = hits[0] - (total - first - second), size[0] - (not turn) * (total - first - second)
        holds = np.ones(len(first), dtype=bool)
        for g, gone in ((1, first), (2, second)):
            low = hits[g] + turn * gone, size[g] - (not turn) * gone
            holds &= apart(*high, *low, z=z).low <= limit
        assert holds.any() == (total == change.rows)


def test_an_open_verdict_and_effective_sizes_have_no_fragility():
    assert fragility.largest_gap([50, 60], [100, 100], 0.1) is None
    assert fragility.largest_gap([48.5, 51.0], [100.0, 100.0], 0.3) is None
    assert fragility.largest_gap([48, 51], [100, 100], 0.3, rows=400) is None
    assert fragility.largest_gap([48, 51], [100, 100], 0.3, rows=200) is not None


def test_what_no_row_can_end_is_none():
    found = fragility.largest_gap([1, 2], [4, 4], 2.0)
    assert found.verdict == "pass"
    assert found.removal is None
    assert found.relabelling is None


def people(hits, size, **more):
    predictions = [1] * hits[0] + [0] * (size - hits[0]) + [1] * hits[1] + [0] * (size - hits[1])
    groups = {"sex": ["f"] * size + ["m"] * size}
    return tc.Subject.from_predictions(
        None, predictions, sensitive=groups, task="binary", classes=[0, 1], **more
    )


def test_a_verdict_says_how_few_rows_carry_it():
    finding = fairness.demographic_parity(people((480, 510), 1000))
    passed, failed = finding.at_most(0.08).fragility, finding.between(0, 0.08).fragility
    assert (passed.removals, passed.relabels, passed.exact) == (12, 7, True)
    assert "removing 12 rows of group 'f'" in passed.said
    assert "turn this pass into inconclusive" in passed.said
    assert failed is None
    wide = fairness.demographic_parity(people((300, 700), 1000)).at_most(0.1)
    assert not wide
    assert "would turn this fail into inconclusive" in wide.fragility.said


@pytest.mark.parametrize(
    "more", [{"sample_weight": [1.0, 2.0] * 1000}, {"cluster": [0, 1, 2, 3] * 500}]
)
def test_weighted_and_clustered_rows_are_not_counted(more):
    finding = fairness.demographic_parity(people((480, 500), 1000, **more))
    assert finding.at_most(0.99).fragility is None


def test_a_fail_over_two_events_says_what_cannot_end_it():
    truth = [1, 0] * 1000
    subject = tc.Subject.from_predictions(
        truth, [1, 1] * 500 + [0, 0] * 500, sensitive={"sex": ["f"] * 1000 + ["m"] * 1000}
    )
    said = fairness.equalized_odds(subject).at_most(0.1).fragility
    assert not said.exact
    assert said.said.startswith("Fragility: removing fewer than ")
    assert said.said.endswith("cannot end this fail.")


def test_a_report_keeps_the_fragility_and_reads_reports_without_it():
    subject = people((480, 510), 1000)
    report = tc.evaluate(subject, probes=["fairness.demographic_parity"])
    (one,) = report.verdicts
    assert one.fragility is not None
    data = report.to_dict()
    assert room.from_dict(data).verdicts[0].fragility == one.fragility
    for saved in data["verdicts"]:
        del saved["fragility"]
    assert room.from_dict(data).verdicts[0].fragility is None


def test_page_and_markdown_print_it(tmp_path):
    report = tc.evaluate(people((480, 510), 1000), probes=["fairness.demographic_parity"])
    for name in ("report.html", "report.md"):
        report.save(tmp_path / name)
        assert "Fragility: " in (tmp_path / name).read_text(encoding="utf-8")
