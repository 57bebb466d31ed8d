"""Which processors run what: the proxy its own, client and upstream the others, as far as there are enough."""

import os


def proxys(workers):
    """For the proxy; nothing if client and upstream would have none left."""
    cpus = sorted(os.sched_getaffinity(0))
    return set(cpus[:workers]) if len(cpus) > workers else None


def others(workers):
    """For client and upstream."""
    cpus = sorted(os.sched_getaffinity(0))
    return set(cpus[workers:]) if len(cpus) > workers else None
