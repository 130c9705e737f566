"""make bench: every figure, one after another. Figures and ratios are shown; no test asserts them."""

import importlib
import pkgutil

from devkit import benchmarks

for found in sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)):
    if found.endswith("_speed"):
        print(f"\n{found.replace('_', ' ')}")
        importlib.import_module(f"devkit.benchmarks.{found}").main()
