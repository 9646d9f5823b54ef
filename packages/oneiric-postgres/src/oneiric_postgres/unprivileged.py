"""Runs a command as another user, for a server that refuses to run as root. A program, with the standard library alone.

`python -I -S unprivileged.py UID GID COMMAND…`. On Linux the command keeps one of root's capabilities: what lies in
directories that only root may enter (the wheel in /root, a home of mode 0700) stays within its reach, as it is within ours.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NoReturn

_PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 28, 47, 2
_NO_SETUID_FIXUP = 1 << 2
"""Capabilities are left alone when the user changes; and `access()`, by which initdb looks for its programs, heeds them."""
_CAPABILITY_VERSION_3 = 0x20080522
_DAC_OVERRIDE = 1
"""The capability to pass the modes of files and directories; its number in linux/capability.h, as the others."""


def become(uid: int, gid: int) -> None:
    """Become that user, in this process and in whatever it executes. Raises OSError."""
    is_linux = sys.platform == "linux"
    libc = ctypes.CDLL(None) if is_linux else None
    if libc is not None:
        libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if (
        libc is not None
    ):  # in a container without the capability this does nothing, and the server says what it can't reach
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        kept = 1 << _DAC_OVERRIDE
        libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0))  # effective, permitted, inheritable
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _DAC_OVERRIDE, 0, 0)


def main() -> NoReturn:
    """Run the command in place of this program."""
    uid, gid, *command = sys.argv[1:]
    try:
        become(int(uid), int(gid))
        os.execv(command[0], command)  # noqa: S606 - what the engine's plan says
    except OSError as error:
        sys.exit(f"This server refuses to run as root, and can't be run as the user {uid}: {error.strerror}.")


if __name__ == "__main__":
    main()
