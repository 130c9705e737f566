#!/usr/bin/env python
"""The operator's door: every command of the portal."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    # A person reads what a command says: a log line for every call to the pool would bury it.
    os.environ.setdefault("PORTAL_LOG_LEVEL", "WARNING")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
