"""Models of other worlds: ONNX sessions, PyTorch modules, remote endpoints."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trustcheck.types import InputError, TrustError


def adapt(model: Any) -> Any:
    """Return a callable for models that do not speak scikit-learn; others as they are.

    A library is recognised through ``sys.modules``: if it was never imported, the model cannot be
    one of its own.
    """
    onnx = sys.modules.get("onnxruntime")
    if onnx is not None and isinstance(model, onnx.InferenceSession):
        return OnnxModel(model)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        return TorchModel(model)
    return model


class OnnxModel:
    """An onnxruntime session: one tensor of all columns, or one input per column.

    Takes the output whose second dimension (or dict) holds probabilities where there is one,
    else the first output.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.inputs = session.get_inputs()
        self.__name__ = "ONNX model"

    def __call__(self, table: Any) -> np.ndarray:
        """Return probabilities, labels or numbers, one row per row of the table."""
        outputs = self.session.run(None, self._feed(table))
        for output in outputs:
            if isinstance(output, list) and output and isinstance(output[0], dict):
                return np.array([[row[label] for label in sorted(row)] for row in output])
            if getattr(output, "ndim", 0) == 2 and output.shape[1] > 1:
                return np.asarray(output)
        return np.asarray(outputs[0]).reshape(len(table), -1)[:, 0]

    def _feed(self, table: Any) -> dict[str, np.ndarray]:
        kinds = {
            "tensor(float)": np.float32,
            "tensor(double)": np.float64,
            "tensor(int64)": np.int64,
        }
        if len(self.inputs) == 1:
            only = self.inputs[0]
            return {only.name: np.asarray(table).astype(kinds.get(only.type, object))}
        if not hasattr(table, "columns"):
            names = ", ".join(given.name for given in self.inputs)
            raise InputError(
                f"the ONNX model takes one input per column ({names}); give a data frame"
            )
        return {
            given.name: np.asarray(table[given.name]).astype(kinds.get(given.type, object))[:, None]
            for given in self.inputs
        }


class TorchModel:
    """A PyTorch module on numeric columns: evaluation mode, float32, no gradients.

    Two or more output columns that are not probabilities already are taken as logits (softmax);
    one column is taken as the prediction of a regression.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.__name__ = type(module).__name__

    def __call__(self, table: Any) -> np.ndarray:
        """Return probabilities, or numbers, one row per row of the table."""
        import torch

        try:
            values = np.array(table, dtype=np.float32)  # torch wants to own what it reads
        except (TypeError, ValueError) as fault:
            raise InputError(
                "a PyTorch module takes numeric columns only; encode the others in a function around it"
            ) from fault
        training = self.module.training
        self.module.eval()
        try:
            with torch.no_grad():
                out = self.module(torch.from_numpy(values)).detach().cpu().double()
        finally:
            self.module.train(training)
        if out.ndim == 1 or out.shape[1] == 1:
            return np.asarray(out.reshape(len(values)).numpy())
        is_share = bool((out >= 0).all()) and bool(((out.sum(dim=1) - 1).abs() < 1e-4).all())
        return np.asarray((out if is_share else torch.softmax(out, dim=1)).numpy())


class Remote:
    """A remote endpoint as a model: rows go out in batches, failures are tried again.

    Parameters
    ----------
    call : callable
        Takes a table of at most ``batch_size`` rows, returns one answer per row: probabilities
        (two dimensions) or predictions (one).
    batch_size : int
        Most rows per call.
    retries : int
        Further tries after a failed call.
    wait : float
        Seconds before the first further try; doubled each time, with jitter.

    Raises
    ------
    TrustError
        When a batch failed every time; the cause is attached.

    Examples
    --------
    >>> import numpy as np
    >>> endpoint = Remote(lambda rows: np.zeros(len(rows)), batch_size=2)
    >>> endpoint(np.ones((5, 1))).shape
    (5,)
    """

    def __init__(
        self,
        call: Callable[[Any], Any],
        *,
        batch_size: int = 1000,
        retries: int = 3,
        wait: float = 0.5,
    ) -> None:
        if batch_size < 1 or retries < 0 or wait < 0:
            raise InputError("batch_size is at least 1, retries and wait at least 0")
        self.call, self.batch_size, self.retries, self.wait = call, batch_size, retries, wait
        self.__name__ = getattr(call, "__name__", "endpoint")

    def __call__(self, table: Any) -> np.ndarray:
        """Return the answers of all rows."""
        rows = table.iloc if hasattr(table, "iloc") else table
        starts = range(0, len(table), self.batch_size)
        return np.concatenate([self._try(rows[s : s + self.batch_size], s) for s in starts])

    def _try(self, batch: Any, start: int) -> np.ndarray:
        for attempt in range(self.retries + 1):
            try:
                answer = np.asarray(self.call(batch))
            except Exception as fault:  # any failure of a remote call may pass
                if attempt == self.retries:
                    raise TrustError(
                        f"the endpoint failed {attempt + 1} times on the rows from position {start}"
                        f" ({type(fault).__name__})"
                    ) from fault
                # Jitter spreads clients out; it touches no result, so it needs no seed.
                time.sleep(self.wait * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
            else:
                if len(answer) != len(batch):
                    raise InputError(
                        f"the endpoint answered {len(answer)} rows for {len(batch)}; it must"
                        " return one answer per row, in order"
                    )
                return answer
        raise AssertionError("unreachable")
