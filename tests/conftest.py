"""What several rooms' tests need: a real PostgreSQL server."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

PASSWORD = "pg-pl4nted/pw"


def _programs():
    """The folder of initdb and pg_ctl, or None."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


def _as_server(*command, user):
    """Run a command as a user whom the server accepts: it refuses to run as root."""
    run = [*(["runuser", "-u", user, "--"] if user else []), *map(str, command)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def postgres_server():
    """A private server that listens on a socket in a folder of its own: (folder, user)."""
    programs = _programs()
    if programs is None:
        missing = "no PostgreSQL server is installed (Debian: apt install postgresql)"
        required = "postgres" in os.environ.get("TRUSTCHECK_REQUIRE", "")
        if required or os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    home = Path(tempfile.mkdtemp(prefix="trustcheck-pg-"))
    user = None
    if os.geteuid() == 0:
        user = "postgres"
        shutil.chown(home, user)
    (home / "password").write_text(PASSWORD)
    (home / "password").chmod(0o644)
    data, socket = home / "data", f"-c unix_socket_directories={home} -c listen_addresses="
    start = [programs / "pg_ctl", "-D", data, "-l", home / "log", "-w"]
    try:
        _as_server(
            programs / "initdb", "-D", data, "-U", "ann", "-A", "scram-sha-256", "-E", "UTF8",
            "--pwfile", home / "password", "--no-sync", user=user,
        )  # fmt: skip
        # The jobs are killed in the tests, the server is not: it need not wait for the disk.
        _as_server(*start, "-o", f"{socket} -c fsync=off", "start", user=user)
        yield home
    finally:
        if (data / "postmaster.pid").exists():
            _as_server(*start, "-m", "immediate", "stop", user=user)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server):
    """URL, password included, of an empty database on a real server."""
    psycopg = pytest.importorskip("psycopg")
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(
        host=str(postgres_server), user="ann", password=PASSWORD, dbname="postgres", autocommit=True
    ) as db:
        db.execute(f"CREATE DATABASE {name}")
    return f"postgresql://ann:{PASSWORD.replace('/', '%2F')}@/{name}?host={postgres_server}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    """A place for a store, of each kind in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    return request.getfixturevalue("postgres")


class Zygote:
    """Runs pieces of source in processes of their own, which may be killed; see zygote.py."""

    def __init__(self):
        quiet = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "zygote.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **quiet},
        )  # fmt: skip

    def _ask(self, **told):
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def warm(self, source):
        """Run the source in the process itself: what it imports, children need not."""
        assert self._ask(warm=source) == 0

    def start(self, source):
        """Return the process id of a child that runs the source."""
        return self._ask(run=source)

    def wait(self, pid):
        """Return the exit code of a child; negative for a signal."""
        return self._ask(wait=pid)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def zygote():
    """Processes to kill, without paying for imports each time."""
    made = Zygote()
    yield made
    made.close()
