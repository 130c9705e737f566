"""A faithful WhitePool that speaks HTTP, for everything that must not touch the real one.

It stands alone: no Django, no other room of this project. Start it with `python -m devkit.sandbox`;
docs/sandbox.md is the page for people who only want to use it.

How a request flows: server.py (bytes and connections) → sandbox.py (one request, start to end) → faults.py (what
shall go wrong) → rules.py (signature, key, nonce, limits) → endpoints/ or public.py (the answer) ← world.py,
rewards.py, workers.py, mined.py, market.py (the truth).
The control API under /sandbox/ is control.py and truth.py; what it may change is edits.py.
"""
