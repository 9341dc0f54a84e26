import builtins
import hashlib
import io
import json
import os
import pickle
import subprocess
import zipfile

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck import security

TROJANS = (os.system, subprocess.run, builtins.eval, builtins.exec, os.popen, builtins.__import__)


class Trojan:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call, ("raise SystemExit('the file was run')",)


def fitted(seed, model=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    return (model or LogisticRegression()).fit(X, (X[:, 0] > 0).astype(int))


def ask(path, pin=None):
    where = path if pin is None else {"path": path, "sha256": pin}
    subject = tc.Subject(
        lambda X: X[:, 0], [[0.0], [1.0]], task="regression", context=tc.Context(artefact=where)
    )
    return security.artefact(subject)


@pytest.mark.parametrize("compress", [0, 3, ("xz", 3), ("bz2", 3)])
def test_a_trojan_in_a_model_is_found_and_not_run_and_its_clean_twin_is_quiet(tmp_path, compress):
    for seed in range(20):
        model = fitted(seed, make_pipeline(StandardScaler(), LogisticRegression()))
        clean, broken = tmp_path / "clean.joblib", tmp_path / "broken.joblib"
        joblib.dump(model, clean, compress=compress)
        model.note_ = Trojan(TROJANS[seed % len(TROJANS)])
        joblib.dump(model, broken, compress=compress)
        assert ask(clean).value == 0
        finding = ask(broken)
        assert finding.value >= 1
        assert TROJANS[seed % len(TROJANS)].__name__ in finding.rows[0]["faults"]
        assert not finding.at_most(0)


def test_the_names_are_those_pickletools_shows(tmp_path):
    import pickletools

    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(fitted(0), protocol=2))
    shown = {
        argument.replace(" ", ".")
        for code, argument, _ in pickletools.genops(file.read_bytes())
        if code.name == "GLOBAL"
    }
    assert ask(file).rows[0]["names"] == len(shown)


def test_a_pin_that_holds_is_quiet_and_one_changed_byte_is_found(tmp_path):
    file = tmp_path / "model.onnx"
    rng = np.random.default_rng(0)
    content = bytearray(b"\x08\x07" + rng.bytes(500))
    file.write_bytes(content)
    pin = hashlib.sha256(content).hexdigest()
    assert ask(file, pin).value == 0
    for at in rng.integers(2, len(content), 20):
        changed = bytearray(content)
        changed[at] ^= 1
        file.write_bytes(changed)
        finding = ask(file, pin.upper())
        assert finding.value == 1
        assert "not the one it is pinned to" in finding.notes[0]
    assert pin not in ask(file).notes[0]
    assert "sha256" in ask(file).notes[0]


def test_a_truncated_pickle_is_a_fault_and_never_a_pass(tmp_path):
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(fitted(0))[:-40])
    assert "cannot be followed" in ask(file).rows[0]["faults"]


def test_an_unknown_format_leaves_the_verdict_open(tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    finding = ask(file)
    assert finding.value == 0
    with pytest.warns(tc.TrustInconclusiveWarning):
        assert str(finding.at_most(0).status) == "inconclusive"


def test_each_file_of_a_folder_is_inspected(tmp_path):
    (tmp_path / "model.yaml").write_bytes(b"flavors:\n")
    (tmp_path / "conda.yaml").write_text("name: m\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "loader.py").write_text("import os\n")
    joblib.dump(fitted(0, DecisionTreeClassifier()), tmp_path / "model.pkl")
    finding = ask(tmp_path)
    rows = {row["file"]: row for row in finding.rows}
    assert set(rows) == {"model.yaml", "conda.yaml", "code/loader.py", "model.pkl"}
    assert rows["code/loader.py"]["format"] == "Python source"
    assert "loader.py" in finding.incomplete


def test_skops_files_are_read_by_their_schema(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    file = tmp_path / "model.skops"
    skops_io.dump(fitted(0), file)
    finding = ask(file)
    assert finding.rows[0]["format"] == "skops"
    assert finding.value == 0
    skops_io.dump(make_pipeline(FunctionTransformer(os.system)), file)
    assert "system" in ask(file).rows[0]["faults"]


def test_pickles_inside_a_torch_archive_are_followed(tmp_path):
    file = tmp_path / "net.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({"w": Trojan(os.system)}))
    assert ask(file).value == 1
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({"w": [1.0, 2.0]}))
    assert ask(file).value == 0


def test_formats_without_code_are_named(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    for name, content, kind in (
        ("a.npz", buffer.getvalue(), "NumPy arrays"),
        ("a.json", json.dumps({"learner": {}}).encode(), "text"),
        ("a.txt", b"tree\nversion=v4\n", "LightGBM text"),
        ("a.cbm", b"CBM1\x00\x01", "CatBoost"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        finding = ask(file)
        assert (finding.rows[0]["format"], finding.value) == (kind, 0)
        assert finding.incomplete is None


def test_what_is_no_file_or_no_pin_is_refused_with_the_remedy(tmp_path):
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(1))
    with pytest.raises(tc.InputError, match="64 hexadecimal digits"):
        ask(file, "abc")
    with pytest.raises(tc.InputError, match="no file 'gone'"):
        ask(tmp_path / "gone")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(tc.InputError, match="is empty"):
        ask(empty)
