import numpy as np
import pandas as pd
import pytest

from trustcheck.search._attack import Search, attack
from trustcheck.search._fewest import blind, fewest
from trustcheck.search._space import Space
from trustcheck.search._starts import nearest, starts
from trustcheck.subject import Schema

W = np.array([1.0, -2.0, 0.0, 0.5])


def world(n=200, norm="l2"):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 4)), columns=list("abcd"))
    rows = frame[(frame.to_numpy() @ W) > 0][:25].reset_index(drop=True)
    space = Space.of(rows, Schema.infer(frame), norm=norm, category=1.0)
    score = frame.to_numpy() @ W
    donors = starts(space, space.encode(frame), np.tile(score < 0, (25, 1)), score[None], 6)
    return space, donors


def linear(frame, _rows):
    return frame.to_numpy() @ W


@pytest.mark.parametrize("cap", [13, 60, 200])
def test_no_row_is_asked_about_more_often_than_the_cap(cap):
    space, donors = world()
    asked = np.zeros(25, dtype=int)

    def ask(frame, rows):
        asked.__iadd__(np.bincount(rows, minlength=25))
        return linear(frame, rows)

    search = Search(space, ask, cap)
    attack(search, donors, np.random.default_rng(0), margin=linear(space.frame, None), spare=3)
    assert (asked == search.used).all()
    assert (asked <= cap - 3).all()
    assert search.cap == cap
    fewest(search, search.distance * 2)
    blind(search, 1.0, np.random.default_rng(0), count=50)
    assert (asked <= cap).all()


def test_more_queries_find_nearer_flips():
    found = []
    for cap in (20, 60, 300):
        space, donors = world()
        search = Search(space, lambda *given: np.sign(linear(*given)), cap)
        attack(search, donors, np.random.default_rng(0))
        flipped = linear(space.decode(np.arange(25), search.best), None)
        assert (flipped < 0).all()
        found.append(np.median(search.distance))
    assert found[0] > found[1] > found[2]


def test_the_nearest_donors_are_those_of_a_plain_sort():
    space, _ = world()
    pool = np.random.default_rng(1).normal(size=(80, 4)) * 0.5
    other = np.random.default_rng(2).random((25, 80)) < 0.5
    found = nearest(space, pool, other, 3)
    for row in range(25):
        far = np.linalg.norm((pool[other[row]] - space.own[row]) / space.scale, axis=1)
        assert space.distance(np.full(3, row), found[row]) == pytest.approx(np.sort(far)[:3])


def test_the_fewest_changed_cells_are_found_where_one_is_enough():
    space, donors = world()
    search = Search(space, lambda frame, _: frame["b"].to_numpy() * -1.0 - 0.2, 200)
    attack(search, donors, np.random.default_rng(0), spare=10)
    hit = np.flatnonzero(np.isfinite(search.distance))
    small = fewest(search, 1.2 * search.distance)
    rows = np.arange(25)
    assert len(hit) > 5
    assert (space.changed(rows, small)[hit].sum(axis=1) == 1).all()


def test_a_search_with_nothing_left_to_ask_ends():
    frame = pd.DataFrame({"job": ["a", "b"] * 10, "owner": [True, False] * 10})
    space = Space.of(frame[:4], Schema.infer(frame), norm="l2", category=1.0)
    search = Search(space, lambda frame, _: np.ones(len(frame)), 10_000)
    attack(search, np.zeros((4, 2, 2)), np.random.default_rng(0))
    assert (search.used < 100).all()
    assert np.isinf(search.distance).all()
