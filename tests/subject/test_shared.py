import pickle
import threading
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

import trustcheck as tc
from trustcheck.subject._shared import Shared


def test_what_is_shared_is_computed_once_by_many_threads():
    memo, made = Shared(), []

    def compute():
        made.append(1)
        time.sleep(0.02)
        return len(made)

    threads = [threading.Thread(target=memo.get, args=("a", compute)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memo.get("a", compute) == 1
    assert memo.get("b", lambda: "other") == "other"


def test_a_copy_for_another_process_begins_anew():
    memo = Shared()
    memo.get("a", lambda: 1)
    assert pickle.loads(pickle.dumps(memo)).get("a", lambda: 2) == 2


def test_shared_draws_depend_on_the_seed_and_the_key_alone():
    X = np.arange(8.0).reshape(-1, 1)
    y = np.repeat([0, 1], 4)
    subject = tc.Subject(LogisticRegression().fit(X, y), X, y, seed=3)

    def draw(seen, rng):
        return rng.random()

    first = subject.view().shared("a", draw)
    assert subject.view().shared("a", draw) == first
    assert subject.view(seed=3).shared("a", draw) == first
    assert subject.view(seed=4).shared("a", draw) != first
    assert subject.view().shared("b", draw) != first
