# SPDX-License-Identifier: BSD-2-Clause
"""Processes of the lab: commands that are run, daemons that are stopped, logs
that are read as they grow, ports that are free."""

import contextlib
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STOP_S = 30
COMMAND_S = 30


class LabError(Exception):
    """What went wrong, for a person."""


def free_port(host):
    """One that is free on UDP and TCP now.

    Below the range from which the kernel takes ports of outgoing connections,
    so that none of those takes it before the daemon does.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket(family, socket.SOCK_DGRAM) as udp, \
                socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                udp.bind((host, port))
                tcp.bind((host, port))
            except OSError:
                continue
            return port
    raise LabError(f'no free port on {host}')


def run(command, text_in=None, timeout=COMMAND_S, **options):
    """Its standard output; LabError with its standard error if it fails.

    ^C is not for it, and waits for it: what it starts is there to be stopped.
    """
    with subprocess.Popen([str(word) for word in command], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True,
                          **options) as process:
        try:
            output, error = process.communicate(text_in, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        except BaseException:
            process.wait(timeout)
            raise
    if process.returncode:
        raise LabError(f'{command[0]}: exit {process.returncode}\n{error}')
    return output


def pid_is_of(pid, conf):
    """Whether that process (still) is the daemon with this configuration."""
    try:
        words = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
    except OSError:
        return False
    return os.fsencode(conf) in words


def wait_for_exit(pid, seconds):
    """True when the process, a child or not, is gone or a zombie."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def stop_daemon(pid, conf):
    """In order, then less so."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if not pid_is_of(pid, conf):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_exit(pid, STOP_S):
            return


class LogReader:
    """Lines of a daemon's log as they are written, from an offset on; ends
    with the daemon."""

    def __init__(self, file, pid, offset=0):
        self._tail = subprocess.Popen(
            ['tail', '-c', f'+{offset + 1}', '-f', '--', str(file)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._pidfd = os.pidfd_open(pid)
        self._rest = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tail.kill()
        self._tail.stdout.close()
        self._tail.wait()
        os.close(self._pidfd)

    def fileno(self):
        return self._tail.stdout.fileno()

    def read(self):
        """The complete lines of what is there; blocks while nothing is."""
        self._rest += os.read(self.fileno(), 65536)
        *lines, self._rest = self._rest.split(b'\n')
        return [line.decode('utf-8', 'replace') for line in lines]

    def lines(self, seconds):
        """Until the daemon ends or the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select([self, self._pidfd], [], [], left)[0]
            if self in ready:
                yield from self.read()
            elif ready:
                return
