# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/bench reads from the kernel: CPU time, memory, and how much of
the machine somebody else took."""

import os
import pathlib
import statistics

TICKS = os.sysconf('SC_CLK_TCK')
CPUS = os.cpu_count()
NOISE_PERCENT = 15      # of the machine; above it a run is called noisy


def _stat_fields(pid):
    """Of /proc/PID/stat, from the third on: the name may hold anything."""
    text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    return text.rpartition(')')[2].split()


def cpu_seconds(pid):
    """User and system time of a process and of its ended children."""
    return sum(map(int, _stat_fields(pid)[11:15])) / TICKS


def _children(pid):
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if int(_stat_fields(folder.name)[1]) == pid:
                yield int(folder.name)
        except (OSError, IndexError):
            continue


def tree_cpu_seconds(pid):
    """The same of a process and its children."""
    total = cpu_seconds(pid)
    for child in _children(pid):
        try:
            total += cpu_seconds(child)
        except OSError:
            continue
    return total


def machine_busy_seconds():
    """User, nice, system, interrupt and stolen time of all CPUs."""
    fields = pathlib.Path('/proc/stat').read_text().split('\n')[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def rss_mb(pid):
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(status.split('VmRSS:')[1].split()[0]) / 1024


class CpuMeter:
    """CPU seconds between two moments: of each part, and of nobody."""

    def __init__(self, **parts):
        self._parts = parts     # names to functions that give CPU seconds
        self._start = self._read()

    def _read(self):
        return {'machine': machine_busy_seconds(),
                **{name: read() for name, read in self._parts.items()}}

    def stop(self, **known):
        """`known` are the seconds of what has ended meanwhile."""
        now = self._read()
        used = {name: now[name] - self._start[name] for name in now}
        used.update(known)
        used['others'] = used['machine'] - sum(
            seconds for name, seconds in used.items() if name != 'machine')
        return used


def spread(values, digits=0):
    """Median, and how far the values lie apart."""
    return (f'{statistics.median(values):.{digits}f} '
            f'({min(values):.{digits}f} to {max(values):.{digits}f})')


def noise(others_seconds, elapsed_seconds):
    """'' or a warning: the figures of that run are not to be trusted."""
    percent = 100 * others_seconds / (elapsed_seconds * CPUS)
    if percent <= NOISE_PERCENT:
        return ''
    return f'  [noisy: others took {percent:.0f} % of the machine]'
