"""A faithful WhitePool that speaks HTTP, for everything that must not touch the real one.

It stands alone: no Django, no other room of this project. Start it with `python -m mining.pool.sandbox`;
docs/sandbox.md is the page for people who only want to use it.

How a request flows: server.py (bytes and connections) → sandbox.py (one request, start to end) → faults.py (what
shall go wrong) → rules.py (signature, nonce, limits) → endpoints.py (the answer) ← world.py, rewards.py, mined.py
(the truth).
The control API under /sandbox/ is control.py; what it may change is edits.py.
"""
