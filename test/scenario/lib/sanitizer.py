# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A junctord that was built with sanitizers (BUILD=build/sanitized): its last word on a test.

A report in its log fails the test. So does memory that is still there after SIGTERM, which is when
LeakSanitizer looks; a daemon that a test killed has no such moment. Other builds are left alone.
"""

import functools
import os
from pathlib import Path

REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error: ",
           "AddressSanitizer:DEADLYSIGNAL", "SUMMARY: ")
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=86:allocator_may_return_null=1",
           "UBSAN_OPTIONS": "print_stacktrace=1"}


@functools.cache
def is_sanitized(program):
    return b"__asan_init" in Path(program).read_bytes()


def set_options():
    """For every program that is started from here on; what the caller set wins."""
    for name, value in OPTIONS.items():
        os.environ.setdefault(name, value)


def reports_in(text):
    return [line for line in text.splitlines() if any(mark in line for mark in REPORTS)]


def assert_clean(junctord, program):
    """Ends junctord, if it runs, and reads its log."""
    if not is_sanitized(program) or not junctord.log_path.exists():
        return
    code = junctord.terminate() if junctord.is_running() else 0
    found = reports_in(junctord.log())
    assert not found, found
    assert code == 0, f"junctord ended with {code} after SIGTERM"
