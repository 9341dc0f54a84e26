"""How much `import trustcheck` adds to `import numpy`: the median of fresh interpreters."""

import statistics
import subprocess
import sys
import time


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
    return time.perf_counter() - started


def main(repeats: int = 15) -> None:
    pairs = [(seconds("import numpy"), seconds("import numpy, trustcheck")) for _ in range(repeats)]
    bare, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"import numpy                {bare:.3f} s")
    print(f"import numpy, trustcheck    {ours:.3f} s")
    print(f"added                       {ours - bare:.3f} s (target: below 0.1 s)")


if __name__ == "__main__":
    main()
