"""make bench: every figure, one after another. Figures and ratios are shown; no test asserts them."""

import pkgutil
import subprocess
import sys

from devkit import benchmarks

for found in sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)):
    if found.endswith("_speed"):
        print(f"\n{found.replace('_', ' ')}", flush=True)
        # Each in a process of its own: settings are read once, and each has servers of its own.
        subprocess.run([sys.executable, "-m", f"devkit.benchmarks.{found}"], check=True)
