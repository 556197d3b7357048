"""Which machines train together: what TF_CONFIG or Slurm say of them, checked."""

import json
import os
from typing import Any, NamedTuple

from actcl_tf import config

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_JOBS = ("chief", "worker")
# Slurm hands out no ports; those of one job are its own, as far as its number goes.
_FIRST_PORT, _PORTS_A_JOB, _JOBS_APART = 20000, 16, 500


class Cluster(NamedTuple):
    """The workers that train together, and which of them this process is.

    Attributes:
      jobs: job name -> addresses, "host:port"; the jobs are "chief" (at most one) and "worker".
      job: the job of this process.
      index: its place in that job.
      source: what said so: "TF_CONFIG" or "Slurm".
    """

    jobs: dict[str, list[str]]
    job: str
    index: int
    source: str

    @property
    def addresses(self) -> list[str]:
        """All workers' addresses, the chief's first."""
        return [address for job in _JOBS for address in self.jobs.get(job, ())]

    @property
    def place(self) -> int:
        """Place of this process in `addresses`; the chief's is 0."""
        return self.index + (len(self.jobs.get("chief", ())) if self.job == "worker" else 0)


def find_for(train: config.TrainConfig) -> Cluster | None:
    """The workers that a run is to span; None for this process alone.

    Raises:
      config.ConfigError: several workers were asked for and are not described, or wrongly.
    """
    if train.strategy not in ("auto", "multi_worker"):
        return None
    found = find(train.cluster)
    if train.strategy == "auto":
        return found if found is not None and len(found.addresses) > 1 else None
    if found is None:
        raise config.ConfigError(
            "--strategy=multi_worker: neither TF_CONFIG nor a Slurm job step of several tasks says "
            "who the workers are"
        )
    return found


def find(source: str) -> Cluster | None:
    """The cluster that the environment describes.

    Args:
      source: value of --cluster: "tf_config", "slurm", or "auto" for the one that is there.

    Returns:
      The cluster; None where "auto" finds none.

    Raises:
      config.ConfigError: the description is missing or wrong; the message says what is.
    """
    if source == "tf_config" or (source == "auto" and os.environ.get("TF_CONFIG")):
        return from_tf_config(os.environ.get("TF_CONFIG", ""))
    in_step = int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1) > 1
    if source == "slurm" or (source == "auto" and in_step):
        return _from_slurm()
    return None


def from_tf_config(text: str) -> Cluster:
    """The cluster that a value of TF_CONFIG describes.

    Raises:
      config.ConfigError: it describes none; the message says where it is wrong.
    """
    if not text:
        raise config.ConfigError(
            f"TF_CONFIG is not set; --strategy=multi_worker needs it, such as {_EXAMPLE}"
        )
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(f"is no JSON ({error})") from error
    jobs = _part(found, "cluster", dict)
    if not jobs:
        raise _wrong('"cluster" names no workers')
    for job, addresses in jobs.items():
        if job not in _JOBS:
            raise _wrong(f'"cluster" has a job "{job}"; only "chief" and "worker" train here')
        if not isinstance(addresses, list) or not addresses:
            raise _wrong(f'"cluster" must have a list of "host:port" as "{job}", got {addresses}')
        for address in addresses:
            _, colon, port = str(address).rpartition(":")
            if not (colon and port.isdigit() and 0 < int(port) < 65536):
                raise _wrong(f'"{job}" has "{address}", which is no "host:port"')
    if len(jobs.get("chief", ())) > 1:
        raise _wrong(f'"cluster" has {len(jobs["chief"])} chiefs; there may be one')
    every = [address for addresses in jobs.values() for address in addresses]
    twice = sorted({address for address in every if every.count(address) > 1})
    if twice:
        raise _wrong(f'"cluster" has "{twice[0]}" more than once')
    task = _part(found, "task", dict)
    job, index = task.get("type"), task.get("index")
    if job not in jobs:
        raise _wrong(f'"task" must have one of {sorted(jobs)} as "type", got {json.dumps(job)}')
    if not isinstance(index, int) or not 0 <= index < len(jobs[job]):
        last = len(jobs[job]) - 1
        raise _wrong(f'"task" must have an "index" from 0 to {last}, got {json.dumps(index)}')
    return Cluster(jobs, job, index, "TF_CONFIG")


def _wrong(what: str) -> config.ConfigError:
    return config.ConfigError(f"TF_CONFIG {what}. Expected {_EXAMPLE}")


def _part(found: Any, name: str, kind: type) -> Any:
    if not isinstance(found, dict) or not isinstance(found.get(name), kind):
        raise _wrong(f'has no object "{name}"')
    return found[name]


def _from_slurm() -> Cluster:
    """The tasks of the Slurm job step that this process is in."""
    for name in ("PROCID", "STEP_NUM_TASKS", "STEP_NODELIST", "STEP_TASKS_PER_NODE"):
        if not os.environ.get(f"SLURM_{name}"):
            raise config.ConfigError(
                f"--cluster=slurm: SLURM_{name} is not set; start the workers by srun"
            )
    import tensorflow as tf  # Its resolver is needed on Slurm alone; a tool starts faster without.

    job = int(os.environ.get("SLURM_JOB_ID") or 0)
    try:
        # Slurm itself gives each task its GPUs, and the resolver cannot do without any.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=_FIRST_PORT + job % _JOBS_APART * _PORTS_A_JOB,
            gpus_per_node=1024,
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        workers = resolver.cluster_spec().job_tasks("worker")
    except (RuntimeError, ValueError) as error:
        raise config.ConfigError(f"--cluster=slurm: {error}") from error
    return Cluster({"worker": workers}, "worker", resolver.task_id, "Slurm")
