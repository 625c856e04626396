# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/bench reads from the kernel: CPU time, memory, and how much of
the machine somebody else took."""

import contextlib
import os
import pathlib
import statistics
import subprocess
import threading

from labproc import LabError

TICKS = os.sysconf('SC_CLK_TCK')
CPUS = os.cpu_count()
NOISE_PERCENT = 15      # of the machine; above it a run is called noisy
LOAD_FAILURES = ('failures', 'refused_503', 'refused_other', 'silent',
                 'wrong', 'starved')


def load_program(build):
    return str(build / 'tests/bench/mcmig-load')


def figures_of(text):
    """What mcmig-load prints."""
    return dict(line.split('=', 1) for line in text.splitlines())


def options_of(settings):
    """Of mcmig-load: name, value, name, value."""
    return [word for name, value in settings.items()
            for word in (f'--{name.replace("_", "-")}', str(value))]


def run_load(build, mode, server, *options, **settings):
    """Runs mcmig-load; its figures."""
    command = [load_program(build), mode, '--server', server, *options,
               *options_of(settings)]
    done = subprocess.run(command, text=True, capture_output=True,
                          check=False)
    if done.returncode > 1:
        raise LabError(f'mcmig-load: {done.stderr}')
    return figures_of(done.stdout)


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


def session_cpu_seconds(session):
    """The same of all processes of a session."""
    total = 0
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError, IndexError):
            fields = _stat_fields(folder.name)
            if int(fields[3]) == session:
                total += sum(map(int, fields[11:13]))
    return total / TICKS


def machine_busy_seconds():
    """User, nice, system, interrupt and stolen time of all CPUs."""
    fields = pathlib.Path('/proc/stat').read_text().split('\n')[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def rss_mb(pid):
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(status.split('VmRSS:')[1].split()[0]) / 1024


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


class Sampler(threading.Thread):
    """RSS and open descriptors of a process, once a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self.rss = []
        self.descriptors = []

    def run(self):
        while not self._stopped.wait(1):
            self.rss.append(rss_mb(self._pid))
            self.descriptors.append(descriptors(self._pid))

    def stop(self):
        self._stopped.set()
        self.join()

    def text(self, aim=''):
        """How they went, at some moments."""
        end = len(self.rss)
        moments = [second for second in (1, 15, 30, 60, 90, 120, 300, 450)
                   if second < end] + [end]
        shown = ', '.join(f'{self.rss[second - 1]:.1f} at {second} s'
                          for second in moments)
        settled = self.rss[min(60, end // 2) - 1]
        return (f'RSS in MB: {shown}, highest {max(self.rss):.1f}; after '
                f'{min(60, end // 2)} s {self.rss[-1] - settled:+.1f}{aim}; '
                f'descriptors {self.descriptors[0]} to '
                f'{self.descriptors[-1]}, most {max(self.descriptors)}')


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
