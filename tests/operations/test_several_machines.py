"""Two machines with caches of their own and one output folder: processes killed at random do no harm.

What tells machines apart here is the cache; one of the two runs has a file system without locks.
"""

import os
import random
import signal
import subprocess

import pytest

from stirdata.operations.verify import verify

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are killed by POSIX signals")

SEEDS = range(10, 14)
PROCESSES = 8
STRUCK = """import os, signal, sys
    step, seen = int(os.environ.get("STRUCK_AT", 0)), [0]
    def strike(event, details):
        changes = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
        if event in changes and "shared" in str(details[0]) and "partial" in str(details[0]):
            seen[0] += 1
            if seen[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(strike)
"""
NO_FLOCK = """
    import errno, fcntl, os
    from stirdata import locks
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    fcntl.flock = refuse
    locks.PATIENCE, locks._HEARTBEAT = 2.0, 0.1
"""


@pytest.fixture
def machines(fake_mnist, tmp_path):
    """Return the environments of two machines, whose caches have MNIST."""
    found = []
    for name in ("one", "other"):
        home = tmp_path / f"cache of {name}"
        (home / "mnist").mkdir(parents=True)
        for part, facts in fake_mnist.facts.items():
            (home / "mnist" / facts["name"]).write_bytes(fake_mnist.path(part).read_bytes())
        found.append({**os.environ, "STIRDATA_HOME": str(home), "STIRDATA_OFFLINE": "1"})
    return found


@pytest.mark.parametrize(
    ("before", "rounds"), [(STRUCK, 2), (STRUCK + NO_FLOCK, 1)], ids=["locks", "no locks"]
)
def test_every_realization_is_there_in_the_end(small_process, machines, tmp_path, before, rounds, content_of):
    chance, shared = random.Random(5), tmp_path / "shared"
    seeds = f"{SEEDS[0]}-{SEEDS[-1]}"
    arguments = ["generate", "mnist-scale", "--seeds", seeds, "--workers", 1, "--quiet"]
    command = small_process.command(*arguments, "--out", shared, before=before)

    def start(number, step=0):
        environment = {**machines[number % 2], "STRUCK_AT": str(step)}
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    killed = 0
    for _ in range(rounds):  # each dies where it opens, renames or removes what it has half written
        running = [start(number, chance.randint(1, 12)) for number in range(PROCESSES)]
        for process in running:
            _, said = process.communicate(timeout=120)
            assert process.returncode in (0, -signal.SIGKILL), said
            killed += process.returncode == -signal.SIGKILL
    assert killed >= PROCESSES // 2
    for process in [start(number) for number in range(PROCESSES)]:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    outputs = sorted((shared / "MNIST_scale").glob("seed_*/*.h5"))
    assert [path.parent.name for path in outputs] == [f"seed_{seed}" for seed in SEEDS]
    assert all(verify(path).ok for path in outputs)
    alone = tmp_path / "alone"
    ran = subprocess.run([*command[:-1], str(alone)], env=machines[0], check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    left = {name: content for name, content in content_of(shared).items() if not name.endswith(".lock")}
    assert left == content_of(alone)  # a lock file of who was killed is empty, and nobody holds it
