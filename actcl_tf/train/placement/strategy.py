"""What to train on: the distribution strategy and the precision of the arithmetic."""

import os
import socket
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.eager import context

from actcl_tf import config
from actcl_tf.train.placement import cluster as clusters
from actcl_tf.train.placement import processor, rendezvous, workers

_GRPC = "grpc://"
_START_TIMEOUT = 600.0  # Seconds; machines of a job may start minutes apart.


class Placement(NamedTuple):
    """What a run trains on.

    Attributes:
      strategy: to build the model under.
      why: what was chosen and why, for people.
      workers: the processes that train together, this one among them.
    """

    strategy: tf.distribute.Strategy
    why: str
    workers: workers.Workers


def build_placement(train: config.TrainConfig) -> Placement:
    """Makes the strategy that a run asks for; with several workers, waits for all of them.

    Call it before anything is computed: TensorFlow can join others only then.

    Args:
      train: --strategy, and --cluster, --tpu and --worker_timeout. "auto" takes several workers
        where TF_CONFIG or Slurm name them, a TPU where one is named, all GPUs, or one device.

    Raises:
      config.ConfigError: what was asked for is not there, or is described wrongly.
    """
    name = train.strategy
    cluster = clusters.find_for(train)
    if cluster is not None:
        return _join(cluster, train.worker_timeout)
    tpu = train.tpu or os.environ.get("TPU_NAME", "")
    if name == "tpu" or (name == "auto" and tpu):
        strategy, why = _tpu_strategy(tpu)
    else:
        strategy, why = build_strategy(name)
    return Placement(strategy, why, workers.Workers())


def build_strategy(name: str) -> tuple[tf.distribute.Strategy, str]:
    """Makes the strategy of a name, for a single process.

    Args:
      name: "one_device", "mirrored", or "auto" for mirrored where there are several GPUs.

    Returns:
      The strategy and a line that says what was chosen and why.

    Raises:
      config.ConfigError: no such strategy.
    """
    gpus = tf.config.list_logical_devices("GPU")
    cpus = tf.config.list_logical_devices("CPU")
    devices = [device.name for device in gpus or cpus]
    kind = "GPU" if gpus else "CPU"
    kernels = "" if gpus else f" ({processor.describe()})"
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        why = f"mirrored over {len(devices)} {kind} device(s){kernels}"
        return tf.distribute.MirroredStrategy(devices), why
    if name in ("auto", "one_device"):
        return tf.distribute.OneDeviceStrategy(devices[0]), f"one device, a {kind}{kernels}"
    allowed = ", ".join(config.LOCAL_STRATEGIES)
    raise config.ConfigError(f"--strategy={name}: must be one of {allowed} here")


def _join(cluster: clusters.Cluster, timeout: float) -> Placement:
    """Waits for the other workers, and joins them; Ctrl-C and SIGTERM end the process."""
    count = len(cluster.addresses)
    print(
        f"Worker {cluster.place} of {count}, {cluster.addresses[cluster.place]} (by "
        f"{cluster.source}), waits for the others.",
        flush=True,
    )
    tf.get_logger().setLevel("WARNING")  # It tells of each collective operation.
    jobs = [
        context.coordination_config_pb2.CoordinatedJob(name=job, num_tasks=len(addresses))
        for job, addresses in cluster.jobs.items()
    ]
    leader = "chief" if "chief" in cluster.jobs else "worker"
    # As the strategy would do by itself, but for how long it waits.
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        cluster_register_timeout_in_ms=int(max(timeout, _START_TIMEOUT) * 1000),
        heartbeat_timeout_in_ms=int(timeout * 1000),
        shutdown_barrier_timeout_in_ms=int(timeout * 1000),
        coordinated_jobs=jobs,
    )
    try:
        with rendezvous.ends_on_signals():
            rendezvous.wait(cluster.addresses, cluster.place, max(timeout, _START_TIMEOUT))
            rendezvous.leave_to_the_system()
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver(cluster))
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        reason = (getattr(error, "message", None) or str(error)).strip().splitlines()[0]
        raise config.ConfigError(
            f"--strategy=multi_worker: the {count} workers {', '.join(cluster.addresses)} of "
            f"{cluster.source} could not be joined: {reason}"
        ) from error
    replicas = strategy.num_replicas_in_sync
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    why = f"{count} workers named by {cluster.source}, {replicas} {kind} device(s) in all"
    return Placement(strategy, why, workers.Workers(strategy, cluster))


def resolver(cluster: clusters.Cluster) -> tf.distribute.cluster_resolver.ClusterResolver:
    """A cluster in the words of TensorFlow."""
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.jobs),
        task_type=cluster.job,
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )


def _tpu_strategy(name: str) -> tuple[tf.distribute.Strategy, str]:
    try:
        if name.startswith(_GRPC):  # TensorFlow would try again and again.
            host, _, port = name[len(_GRPC) :].rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        found = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name or "local")
        tf.config.experimental_connect_to_cluster(found)
        tf.tpu.experimental.initialize_tpu_system(found)
        strategy = tf.distribute.TPUStrategy(found)
    except (ValueError, RuntimeError, OSError, ImportError, tf.errors.OpError) as error:
        reason = (getattr(error, "message", None) or str(error)).strip().splitlines()[0]
        reason = reason.split(". ")[0]
        raise config.ConfigError(
            f"--strategy=tpu: no TPU could be reached as --tpu={name or 'local'} ({reason}); name "
            "one by --tpu=NAME or --tpu=grpc://HOST:PORT, or choose another --strategy"
        ) from error
    return strategy, f"a TPU of {strategy.num_replicas_in_sync} cores"


def resolve_augmentation(data: config.DataConfig, strategy: tf.distribute.Strategy) -> str:
    """Where clips are augmented: "host" or "device"; "auto" is the device unless it is a CPU.

    Args:
      data: --augment_on.
      strategy: what is trained on.
    """
    if data.augment_on != "auto":
        return data.augment_on
    devices = (tf.DeviceSpec.from_string(name) for name in strategy.extended.worker_devices)
    return "host" if any(device.device_type == "CPU" for device in devices) else "device"


def resolve_precision(name: str) -> str:
    """The Keras policy of a precision; "auto" asks the hardware.

    bfloat16 where it has units for it (GPUs of compute capability 8 and up, CPUs with AMX or
    AVX-512 BF16), float32 elsewhere: without such units the casts cost more than they save.

    Args:
      name: "auto", "float32", "mixed_bfloat16" or "mixed_float16".

    Returns:
      The name of a Keras mixed-precision policy.
    """
    if name != "auto":
        return name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capable = details.get("compute_capability", (0, 0)) >= (8, 0)
        return "mixed_bfloat16" if capable else "float32"
    return "mixed_bfloat16" if processor.multiplies_bfloat16() else "float32"
